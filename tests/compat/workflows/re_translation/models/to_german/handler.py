import json
import os

import torch
from ts.torch_handler.base_handler import BaseHandler


class Translator(BaseHandler):
    """Translates word by word: each word is an index, and the model says which index it becomes."""

    def initialize(self, context):
        super().initialize(context)
        with open(os.path.join(context.system_properties["model_dir"], "words.json"), encoding="utf-8") as file:
            words = json.load(file)
        self.source, self.target = words["source"], words["target"]

    def preprocess(self, data):
        texts = [row.get("data") or row.get("body") for row in data]
        texts = [text.decode("utf-8") if isinstance(text, (bytes, bytearray)) else text for text in texts]
        self.lengths = [len(text.split()) for text in texts]
        return torch.tensor([self.source.index(word) for text in texts for word in text.split()])

    def postprocess(self, data):
        words = [self.target[index] for index in data.tolist()]
        answers = []
        for length in self.lengths:
            answers.append(" ".join(words[:length]))
            words = words[length:]
        return answers
