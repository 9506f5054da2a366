import base64
import json
import os

import torch

from breed_net import BreedNet


class BreedService(object):
    def __init__(self):
        self.initialized = False

    def initialize(self, context):
        folder = context.system_properties.get("model_dir")
        self.model = BreedNet()
        self.model.load_state_dict(torch.load(os.path.join(folder, context.manifest["model"]["serializedFile"])))
        self.model.eval()
        with open(os.path.join(folder, "breeds.json")) as file:
            self.breeds = json.load(file)
        self.initialized = True

    def handle(self, data, context):
        answers = []
        for row in data:
            request = json.loads(row["body"].decode("utf-8"))
            if request["species"] != "dog":
                answers.append({"breed": None, "skipped": True})
                continue
            pixels = torch.tensor(list(base64.b64decode(request["image"]))[:4], dtype=torch.float32)
            with torch.no_grad():
                answers.append({"breed": self.breeds[int(self.model(pixels).argmax())]})
        return answers


_service = BreedService()


def handle(data, context):
    if not _service.initialized:
        _service.initialize(context)
    if data is None:
        return None
    return _service.handle(data, context)
