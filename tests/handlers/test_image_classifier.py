import json
import math

import pytest
import torch
from pictures import BRIGHTNESS, normalised, png

from wfctl.handlers.base_handler import BaseHandler
from wfctl.handlers.vision.image_classifier import ImageClassifier


@pytest.fixture
def ready(context, model_file):
    about = context(modelFile=model_file(BRIGHTNESS))
    made = ImageClassifier()
    made.initialize(about)
    return made, about


def softmax(values):
    powers = [math.exp(value) for value in values]
    return [power / sum(powers) for power in powers]


def test_a_picture_is_resized_cut_and_normalised(ready):
    tensor = ready[0].preprocess([{"body": png((255, 0, 128))}])
    assert tensor.shape == (1, 3, 224, 224)
    assert torch.allclose(tensor[0, :, 0, 0], torch.tensor(normalised((255, 0, 128))), atol=1e-4)


def test_the_middle_of_a_picture_is_looked_at(ready):
    from PIL import Image

    made = Image.new("RGB", (512, 256), "black")
    made.paste((255, 255, 255), (0, 0, 100, 256))
    tensor = ImageClassifier.image_processing(made)
    assert torch.allclose(tensor[:, 100, 0], torch.tensor(normalised((0, 0, 0))), atol=1e-4)


def test_each_picture_gets_its_classes_the_most_likely_first(ready, batch):
    made, about = ready
    red, green = batch(made, about, {"data": png((255, 0, 0))}, {"body": png((0, 255, 0))})
    assert next(iter(red)) == "0"
    assert next(iter(green)) == "1"
    expected = softmax(normalised((255, 0, 0)))
    assert red == pytest.approx({str(number): value for number, value in enumerate(expected)}, abs=1e-4)
    assert list(red.values()) == sorted(red.values(), reverse=True)


def test_classes_have_their_names(ready, context, tmp_path, batch):
    (tmp_path / "index_to_name.json").write_text(json.dumps({"0": ["n1", "red"], "1": "green", "2": "blue"}))
    made, about = ready
    made.initialize(about)
    (answer,) = batch(made, about, {"data": png((255, 0, 0))})
    assert next(iter(answer)) == "red"
    assert set(answer) == {"red", "green", "blue"}


def test_a_model_without_names_says_so_where_names_are_answered_and_nowhere_else(context, model_file, caplog):
    about = context(modelFile=model_file("import torch\nclass Net(torch.nn.Identity): pass\n"))
    BaseHandler().initialize(about)
    assert not caplog.records
    ImageClassifier().initialize(about)
    assert [record.getMessage() for record in caplog.records] == [
        '"index_to_name.json" is not in the archive, so classes are named by their numbers'
    ]


def test_only_the_most_likely_are_named(ready, batch):
    made, about = ready
    assert made.get_max_result_classes() == 5
    made.set_max_result_classes(1)
    assert [list(row) for row in batch(made, about, {"data": png((0, 0, 255))})] == [["2"]]
    assert made.get_max_result_classes() == 1
    assert ImageClassifier.topk == 5


def test_five_of_many_classes_are_named(ready):
    (answer,) = ready[0].postprocess(torch.arange(10.0)[None])
    assert list(answer) == ["9", "8", "7", "6", "5"]
