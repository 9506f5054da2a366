from ts.torch_handler.vision_handler import VisionHandler


class Mean(VisionHandler):
    def postprocess(self, data):
        return data.tolist()
