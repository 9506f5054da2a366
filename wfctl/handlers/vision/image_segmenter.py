"""Pictures in, the most likely class of every pixel out.

Known to archives as ``ts.torch_handler.image_segmenter``, and as the built-in handler ``image_segmenter``.
Invariant: exactly one class here.
"""

from typing import Any

import torch

from wfctl.handlers.extras import extra
from wfctl.handlers.vision.vision_handler import VisionHandler

with extra("vision"):
    from torchvision import transforms  # type: ignore[import-untyped]


class ImageSegmenter(VisionHandler):
    """Say what each pixel of a picture shows."""

    image_processing = transforms.Compose(
        [
            transforms.Resize(256),
            transforms.CenterCrop(224),
            transforms.ToTensor(),
            transforms.Normalize(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225]),
        ]
    )

    def postprocess(self, data: Any) -> Any:
        """Return ``[class number, probability]`` per pixel; all classes would be too much to send."""
        best = torch.max(torch.nn.functional.softmax(data["out"], dim=1), dim=1)
        return torch.stack([best.indices.type(best.values.dtype), best.values], dim=3).tolist()
