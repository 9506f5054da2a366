import json
import math

import pytest
import torch

from wfctl.handlers.text.text_classifier import TextClassifier

MODEL = """
import torch

class Net(torch.nn.Module):
    # The first class counts words that are nice, the second those that are not.
    def __init__(self):
        super().__init__()
        self.embedding = torch.nn.EmbeddingBag(5, 2, mode="sum")
        self.embedding.weight.data = torch.tensor([[0., 0.], [1., 0.], [0., 1.], [0., 3.], [0.5, 0.5]])
    def forward(self, text, offsets):
        return self.embedding(text, offsets)
"""
WORDS = {"<unk>": 0, "good": 1, "bad": 2, "not good": 3, "so": 4}


@pytest.fixture
def ready(context, model_file, tmp_path):
    torch.save(WORDS, tmp_path / "source_vocab.pt")
    about = context(modelFile=model_file(MODEL))
    made = TextClassifier()
    made.initialize(about)
    return made, about


def shares(*values):
    powers = [math.exp(value) for value in values]
    return {str(at): pytest.approx(power / sum(powers)) for at, power in enumerate(powers)}


@pytest.mark.parametrize(
    ("row", "values"),
    [
        ({"data": "good"}, (1, 0)),
        ({"body": "<p>G\u00f6\u00f6d & BAD!</p>".replace("\u00f6", "o")}, (1, 1)),
        ({"body": bytearray(b"It isn't good")}, (1, 3)),
        ({"data": b"unheard of"}, (0, 0)),
    ],
)
def test_words_and_pairs_of_words_are_counted(ready, batch, row, values):
    assert batch(*ready, row) == [shares(*values)]


def test_only_the_first_row_is_answered(ready, batch):
    assert batch(*ready, {"data": "good"}, {"data": "bad"}) == [shares(1, 0)]


def test_an_empty_text_has_no_words(ready):
    tensor, tokens = ready[0].preprocess([{"data": "..."}])
    assert (tensor.tolist(), tensor.dtype, tokens) == ([], torch.long, [])


def test_classes_have_their_names(ready, batch, tmp_path):
    (tmp_path / "index_to_name.json").write_text(json.dumps({"0": "kind", "1": "rude"}), encoding="utf-8")
    ready[0].initialize(ready[1])
    (answer,) = batch(*ready, {"data": "so"})
    assert answer == {"kind": pytest.approx(0.5), "rude": pytest.approx(0.5)}


def test_captum_is_asked_which_words_moved_the_model(ready, batch):
    (insight,) = batch(*ready, {"data": "good so", "target": "0"}, explain="True")
    assert insight["words"] == ["good", "so"]
    # What the embedding of the whole text did: more for the class that is asked for than for the other.
    ((kind, rude),) = insight["importances"]
    assert kind > rude
    assert kind + rude == pytest.approx(1)


def test_a_text_of_one_word_is_explained_too(ready, batch):
    (insight,) = batch(*ready, {"data": "bad", "target": 1}, explain="True")
    ((kind, rude),) = insight["importances"]
    assert rude > kind
