from ts.torch_handler.request_envelope.base import BaseEnvelope
from ts.torch_handler.request_envelope.json import JSONEnvelope


class Wrapping(JSONEnvelope):
    pass


def _inner(data, context):
    return [value + 1 for value in data]


_envelope = Wrapping(_inner)


def handle(data, context):
    if data is None:
        return [issubclass(JSONEnvelope, BaseEnvelope)]
    return _envelope.handle(data, context)
