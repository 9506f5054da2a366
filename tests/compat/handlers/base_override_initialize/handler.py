import torch
from ts.torch_handler.base_handler import BaseHandler


class MyHandler(BaseHandler):
    def __init__(self):
        super().__init__()
        self.before = self.initialized

    def initialize(self, ctx):
        super().initialize(ctx)
        self.told = {
            "before": self.before,
            "after": self.initialized,
            "device": str(self.device),
            "map_location": self.map_location,
            "weights": self.model_pt_path.rpartition("/")[2],
            "mapping": self.mapping,
            "model": type(self.model).__name__,
            "training": self.model.training,
            "manifest": self.manifest is ctx.manifest,
            "explain": self.explain,
            "target": self.target,
            "profiler_args": self.profiler_args,
        }

    def handle(self, data, context):
        return [self.told for _ in data]
