"""Calls as the engine makes them, for tests that speak to a worker or a host without an engine."""

from collections.abc import Mapping

from wfctl.engine.call import AS_JSON, Call, Headers, Input, RequestIds


class ReadableIds(RequestIds):
    """Ids that a test can foretell."""

    def __init__(self):
        super().__init__("0123456789abcdef" * 2)

    def of(self, call_id):
        return f"id-{call_id}"


def call_of(call_id: int, given: Input, headers: Mapping[str, str] | None = None, *, batch_id: int = 0, as_json=False):
    """Return a call; those of one ``batch_id`` that are sent together are one batch."""
    sent = Headers(dict(headers or {}))
    return Call(call_id, given, ids=ReadableIds(), batch_id=batch_id, headers=sent, form=AS_JSON if as_json else 0)
