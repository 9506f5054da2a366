import torch
from ts.torch_handler.base_handler import BaseHandler


class MyHandler(BaseHandler):
    def preprocess(self, data):
        rows = [row.get("data") or row.get("body") for row in data]
        return torch.as_tensor(rows, dtype=torch.float32, device=self.device)

    def describe_handle(self):
        return {"inputs": 3}

    def get_insights(self, tensor_data, raw_data, target=0):
        return [{"shape": list(tensor_data.shape), "raw": str(raw_data), "target": target}]
