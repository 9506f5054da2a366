from ts.torch_handler.request_envelope.base import BaseEnvelope


class BracketEnvelope(BaseEnvelope):
    def parse_input(self, data):
        return [row["body"] for row in data]

    def format_output(self, data):
        return [f"[{item}]" for item in data]
