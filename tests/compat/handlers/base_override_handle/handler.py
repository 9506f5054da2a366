import torch
from ts.torch_handler.base_handler import BaseHandler


class MyHandler(BaseHandler):
    def handle(self, data, context):
        x = torch.tensor([row["body"] for row in data], dtype=torch.float32)
        return self.model(x).detach().tolist()
