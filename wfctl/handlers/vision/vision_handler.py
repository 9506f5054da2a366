"""What the handlers of pictures share: pictures in, one tensor out.

Known to archives as ``ts.torch_handler.vision_handler``.
Invariant: exactly one class here; a subclass brings ``image_processing``.
"""

import base64
import io
from functools import cached_property
from typing import Any

import torch

from wfctl.handlers.attributions import integrated_gradients, target_of
from wfctl.handlers.base_handler import BaseHandler
from wfctl.handlers.extras import extra
from wfctl.handlers.labels import warn_of_numbers
from wfctl.handlers.timer import timed

with extra("vision"):
    from PIL import Image


class VisionHandler(BaseHandler):
    """Take pictures as files, as base64 text or as lists of numbers; from other nodes also as pictures and tensors."""

    image_processing: Any
    """From a picture to a tensor; called for pictures only, not for lists."""

    def initialize(self, context: Any) -> None:
        """Load the model, and lift the limit on the size of pictures where the server has none."""
        super().initialize(context)
        if self.mapping is None:
            warn_of_numbers()
        if not context.system_properties.get("limit_max_image_pixels", True):
            Image.MAX_IMAGE_PIXELS = None

    @cached_property
    def ig(self) -> Any:
        """What explains the model; needs captum."""
        return integrated_gradients(self.model)

    @timed
    def preprocess(self, data: Any) -> Any:
        """Return the pictures of a batch as one tensor."""
        return torch.stack([_tensor_of(self, row) for row in data]).to(self.device)

    def get_insights(self, tensor_data: Any, _: Any, target: Any = 0) -> Any:
        """Return how much each value of each picture moved the model towards a class."""
        return self.ig.attribute(tensor_data, target=target_of(target), n_steps=15).tolist()


def _tensor_of(handler: VisionHandler, row: Any) -> Any:
    image = row.get("data") or row.get("body")
    if isinstance(image, str):
        image = base64.b64decode(image)
    if isinstance(image, bytes | bytearray):
        return handler.image_processing(Image.open(io.BytesIO(image)))
    if isinstance(image, Image.Image):
        return handler.image_processing(image)
    if isinstance(image, torch.Tensor):
        return image.float()
    return torch.FloatTensor(image)
