"""Pictures and models small enough to be read at a glance."""

import io

from PIL import Image

MEANS, DEVIATIONS = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

BRIGHTNESS = """
import torch

class Brightness(torch.nn.Module):
    # As many classes as colours: each is as likely as its colour is strong.
    def __init__(self):
        super().__init__()
        self.gain = torch.nn.Parameter(torch.ones(1))
    def forward(self, x):
        return x.mean(dim=(2, 3)) * self.gain
"""

BY_PIXEL = """
import torch

class ByPixel(torch.nn.Module):
    def forward(self, x):
        return {"out": x[:, :2], "aux": x}
"""

FINDS = """
import torch

class Finds(torch.nn.Module):
    # Two boxes a picture, the second only as sure as the picture is red.
    def forward(self, x):
        boxes = torch.tensor([[0.0, 1.0, 2.0, 3.0], [4.0, 5.0, 6.0, 7.0]], device=x.device)
        labels = torch.tensor([1, 7], device=x.device)
        sure = torch.tensor(0.75, device=x.device)
        return [{"boxes": boxes, "labels": labels, "scores": torch.stack([sure, one[0].mean()])} for one in x]
"""


def png(colour, size=(300, 260), mode="RGB"):
    """Return the bytes of a picture of one colour."""
    written = io.BytesIO()
    Image.new(mode, size, colour).save(written, "PNG")
    return written.getvalue()


def normalised(colour):
    """Return what the transform of the classifiers makes of a colour."""
    return [(value / 255 - mean) / deviation for value, mean, deviation in zip(colour, MEANS, DEVIATIONS, strict=True)]
