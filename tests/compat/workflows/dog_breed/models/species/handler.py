import base64
import json

import torch
from ts.torch_handler.base_handler import BaseHandler


class SpeciesHandler(BaseHandler):
    def preprocess(self, data):
        self.images = [json.loads(row.get("body"))["image"] for row in data]
        rows = [list(base64.b64decode(image))[:4] for image in self.images]
        return torch.tensor(rows, dtype=torch.float32, device=self.device)

    def postprocess(self, data):
        best = data.argmax(dim=1).tolist()
        answers = []
        for index, image in zip(best, self.images):
            # what comes next needs the picture again
            answers.append({"species": self.mapping[str(index)], "image": image})
        return answers
