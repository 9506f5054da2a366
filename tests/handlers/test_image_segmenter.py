import torch
from pictures import BY_PIXEL, normalised, png

from wfctl.handlers.vision.image_segmenter import ImageSegmenter


def test_each_pixel_gets_its_class_and_how_sure_it_is(context, model_file, batch):
    made, about = ImageSegmenter(), context(modelFile=model_file(BY_PIXEL))
    made.initialize(about)
    red, green = batch(made, about, {"data": png((255, 0, 0))}, {"data": png((0, 255, 0))})
    assert torch.tensor(red).shape == (224, 224, 2)
    number, sure = red[100][7]
    assert number == 0.0
    assert abs(sure - torch.softmax(torch.tensor(normalised((255, 0, 0))[:2]), 0)[0].item()) < 1e-4
    assert green[0][0][0] == 1.0
