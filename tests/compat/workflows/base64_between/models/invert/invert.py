import base64
import json

import torch


class Inverter:
    def initialize(self, context):
        self.model = torch.jit.load("model.pt")

    def handle(self, data, context):
        answers = []
        for row in data:
            request = json.loads(row["body"])
            pixels = torch.frombuffer(bytearray(base64.b64decode(request["b64"])), dtype=torch.uint8)
            inverted = bytes(self.model(pixels).tolist())
            answers.append({"b64": base64.b64encode(inverted).decode("ascii")})
        return answers
