from ts.torch_handler.object_detector import ObjectDetector


class Corners(ObjectDetector):
    threshold = 0.25
