import json

import pytest
import torch
from pictures import FINDS, png

from wfctl.handlers.vision.object_detector import ObjectDetector


@pytest.fixture
def ready(context, model_file, tmp_path):
    (tmp_path / "index_to_name.json").write_text(json.dumps({"1": "cat", "7": "dog"}), encoding="utf-8")
    about = context(modelFile=model_file(FINDS))
    made = ObjectDetector()
    made.initialize(about)
    return made, about


CAT = {"cat": [0.0, 1.0, 2.0, 3.0], "score": 0.75}


def test_boxes_of_each_picture_are_named_in_the_order_of_the_model(ready, batch):
    made, about = ready
    black, red = batch(made, about, {"data": png("black", (8, 8))}, {"body": png((255, 0, 0), (8, 8))})
    assert black == [CAT]
    assert red == [CAT, {"dog": [4.0, 5.0, 6.0, 7.0], "score": 1.0}]
    assert list(red[1]) == ["dog", "score"]


@pytest.mark.parametrize(("threshold", "count"), [(0.0, 2), (0.75, 1), (0.76, 0)])
def test_what_is_less_sure_than_the_threshold_is_left_out(ready, batch, threshold, count):
    made, about = ready
    made.threshold = threshold
    assert [len(row) for row in batch(made, about, {"data": png("black", (8, 8))})] == [count]


def test_pictures_keep_their_size(ready):
    assert ready[0].preprocess([{"data": png("red", (9, 7))}]).shape == (1, 3, 7, 9)


def test_classes_without_names_are_numbers(ready, batch):
    made, about = ready
    made.mapping = None
    assert batch(made, about, {"data": png("black", (8, 8))}) == [[{"1": CAT["cat"], "score": 0.75}]]


def test_losses_beside_what_was_found_are_passed_over(ready):
    found = {"boxes": torch.ones(1, 4), "labels": torch.tensor([1]), "scores": torch.tensor([1.0])}
    assert ready[0].postprocess(({}, [found])) == [[{"cat": [1.0] * 4, "score": 1.0}]]
    assert len(ready[0].postprocess((found, found))) == 2
