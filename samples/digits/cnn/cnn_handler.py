"""A handler on top of BaseHandler, which loads the model file and its weights."""

import torch
from ts.torch_handler.base_handler import BaseHandler


class DigitsHandler(BaseHandler):
    def preprocess(self, data):
        rows = [torch.frombuffer(row["body"], dtype=torch.uint8) for row in data]
        return torch.stack(rows).reshape(-1, 1, 8, 8) / 16

    def postprocess(self, scores):
        return torch.softmax(scores, dim=1).tolist()
