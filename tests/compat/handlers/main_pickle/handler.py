import __main__

import torch
from net import Doubler
from ts.torch_handler.base_handler import BaseHandler


class Whole(BaseHandler):
    def initialize(self, context):
        __main__.Doubler = Doubler
        self.device = torch.device("cpu")
        self.model = torch.load("whole.pth", weights_only=False)
        self.initialized = True

    def preprocess(self, data):
        rows = [row.get("data") or row.get("body") for row in data]
        return torch.as_tensor(rows, dtype=torch.float32, device=self.device)
