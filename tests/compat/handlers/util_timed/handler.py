import torch
from ts.handler_utils.timer import timed
from ts.torch_handler.base_handler import BaseHandler


class Timed(BaseHandler):
    def initialize(self, context):
        self.context = context
        self.initialized = True

    @timed
    def preprocess(self, data):
        return torch.tensor([len(row["body"]) for row in data])

    @timed
    def inference(self, data):
        return data * 2

    @timed
    def postprocess(self, data):
        return data.tolist()

    def handle(self, data, context):
        self.context = context
        return self.postprocess(self.inference(self.preprocess(data)))
