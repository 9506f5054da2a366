"""Pictures in, the names of the most likely classes out.

Known to archives as ``ts.torch_handler.image_classifier``, and as the built-in handler ``image_classifier``.
Invariant: exactly one class here.
"""

from typing import Any

import torch

from wfctl.handlers.extras import extra
from wfctl.handlers.labels import map_class_to_label
from wfctl.handlers.timer import timed
from wfctl.handlers.vision.vision_handler import VisionHandler

with extra("vision"):
    from torchvision import transforms  # type: ignore[import-untyped]


class ImageClassifier(VisionHandler):
    """Name what is in a picture."""

    topk = 5
    image_processing = transforms.Compose(
        [
            transforms.Resize(256),
            transforms.CenterCrop(224),
            transforms.ToTensor(),
            transforms.Normalize(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225]),
        ]
    )

    def set_max_result_classes(self, topk: int) -> None:
        """Set how many classes are named."""
        self.topk = topk

    def get_max_result_classes(self) -> int:
        """Return how many classes are named."""
        return self.topk

    @timed
    def postprocess(self, data: Any) -> Any:
        """Return one name -> probability per picture, the most likely first."""
        likely = torch.nn.functional.softmax(data, dim=1)
        # A model of fewer classes than `topk` names all it has; the original fails there.
        found = torch.topk(likely, min(self.topk, likely.shape[1]), dim=1)
        return map_class_to_label(found.values.tolist(), self.mapping, found.indices.tolist())
