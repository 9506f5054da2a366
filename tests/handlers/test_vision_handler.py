import base64

import pytest
import torch
from pictures import BRIGHTNESS, png
from PIL import Image

from wfctl.handlers.vision.vision_handler import VisionHandler


class Sizes(VisionHandler):
    @staticmethod
    def image_processing(image):
        return torch.tensor([float(image.width), float(image.height)])


@pytest.fixture
def handler():
    made = Sizes()
    made.device = torch.device("cpu")
    return made


@pytest.mark.parametrize("key", ["data", "body"])
@pytest.mark.parametrize("given", [bytes, bytearray, lambda raw: base64.b64encode(raw).decode()])
def test_a_picture_comes_as_bytes_or_as_base64(handler, key, given):
    assert handler.preprocess([{key: given(png("red", (30, 20)))}]).tolist() == [[30, 20]]


def test_numbers_are_taken_as_they_are_and_pictures_and_numbers_share_a_batch(handler):
    tensor = handler.preprocess([{"data": [1, 2]}, {"body": png("red", (5, 6))}])
    assert tensor.tolist() == [[1, 2], [5, 6]]
    assert tensor.dtype == torch.float32


def test_nodes_that_send_values_send_pictures_and_tensors(handler):
    rows = [{"body": Image.new("RGB", (7, 8))}, {"body": torch.tensor([1, 2], dtype=torch.uint8)}]
    tensor = handler.preprocess(rows)
    assert (tensor.tolist(), tensor.dtype) == ([[7, 8], [1, 2]], torch.float32)


def test_what_is_no_picture_fails_the_batch(handler):
    with pytest.raises(OSError, match="cannot identify image file"):
        handler.preprocess([{"body": b"no picture"}])


def test_the_limit_on_pictures_is_lifted_only_where_the_server_has_none(context, model_file, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    about = context(modelFile=model_file(BRIGHTNESS))
    Sizes().initialize(about)
    assert Image.MAX_IMAGE_PIXELS == 1000
    about.system_properties["limit_max_image_pixels"] = False
    Sizes().initialize(about)
    assert Image.MAX_IMAGE_PIXELS is None


def test_captum_is_asked_what_moved_the_model(context, model_file, batch):
    made, about = VisionHandler(), context(modelFile=model_file(BRIGHTNESS))
    made.initialize(about)
    row = {"data": torch.arange(12.0).reshape(3, 2, 2).tolist(), "target": bytearray(b"1")}
    (moved,) = batch(made, about, row, explain="True")
    # The model is the mean of each colour: the gradients of the second class are a quarter in the second colour.
    expected = torch.zeros(3, 2, 2)
    expected[1] = torch.arange(4.0, 8.0).reshape(2, 2) / 4
    assert torch.allclose(torch.tensor(moved), expected, atol=1e-5)
