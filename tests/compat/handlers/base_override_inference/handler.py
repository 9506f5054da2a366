import torch
from ts.torch_handler.base_handler import BaseHandler


class MyHandler(BaseHandler):
    def preprocess(self, data):
        rows = [row.get("data") or row.get("body") for row in data]
        return torch.as_tensor(rows, dtype=torch.float32, device=self.device)

    def inference(self, data, *args, **kwargs):
        results = super().inference(data, *args, **kwargs)
        self.modes = [torch.is_inference_mode_enabled(), results.is_inference(), results.requires_grad]
        return results

    def postprocess(self, data):
        return [{"values": row, "modes": self.modes} for row in data.tolist()]
