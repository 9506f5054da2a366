"""Pictures in, boxes around what was found out.

Known to archives as ``ts.torch_handler.object_detector``, and as the built-in handler ``object_detector``.
Invariant: exactly one class here.
"""

from typing import Any

from wfctl.handlers.extras import extra
from wfctl.handlers.labels import map_class_to_label
from wfctl.handlers.vision.vision_handler import VisionHandler

with extra("vision"):
    from torchvision import transforms  # type: ignore[import-untyped]


class ObjectDetector(VisionHandler):
    """Say what is where in a picture."""

    image_processing = transforms.Compose([transforms.ToTensor()])
    threshold = 0.5

    def postprocess(self, data: Any) -> Any:
        """Return per picture a list of ``{name: box, "score": probability}``, in the model's order."""
        return [_found_in(self, row) for row in _detections(data)]


def _found_in(handler: ObjectDetector, row: Any) -> list[dict[str, Any]]:
    is_sure = row["scores"] >= handler.threshold
    boxes, classes, scores = (row[key][is_sure].tolist() for key in ("boxes", "labels", "scores"))
    named = map_class_to_label([[box] for box in boxes], handler.mapping, [[number] for number in classes])
    return [{**name, "score": score} for name, score in zip(named, scores, strict=True)]


def _detections(data: Any) -> Any:
    """Return what was found; torchvision's models give their losses too once they are TorchScript."""
    if isinstance(data, tuple) and len(data) == 2 and isinstance(data[1], list):  # noqa: PLR2004 - a pair
        return data[1]
    return data
