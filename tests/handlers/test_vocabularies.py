from collections import OrderedDict

import pytest
import torch

from wfctl.handlers.prediction_exception import PredictionException
from wfctl.handlers.text.vocabularies import load_vocabulary, number_of


@pytest.fixture
def saved(tmp_path):
    def write(value):
        torch.save(value, tmp_path / "source_vocab.pt")
        return str(tmp_path / "source_vocab.pt")

    return write


class WithIndex:
    def __getitem__(self, word):
        return len(word)


class WithStoi:
    def get_stoi(self):
        return {"a": 3}


@pytest.mark.parametrize("kind", [dict, OrderedDict])
def test_a_dictionary_is_read_whoever_sent_it(saved, kind):
    assert number_of(load_vocabulary(saved(kind(a=3)), is_trusted=False), "a") == 3


def test_objects_that_answer_like_a_vocabulary_are_read_from_trusted_archives(saved):
    assert number_of(load_vocabulary(saved(WithIndex())), "four") == 4
    assert number_of(load_vocabulary(saved(WithStoi())), "a") == 3
    with pytest.raises(RuntimeError, match="--trust"):
        load_vocabulary(saved(WithIndex()), is_trusted=False)


@pytest.mark.parametrize("value", [["a"], 5, "a"])
def test_what_is_no_vocabulary_is_refused(saved, value):
    with pytest.raises(ValueError, match=r'"source_vocab\.pt" must be a dictionary of words and numbers'):
        load_vocabulary(saved(value))


def test_words_that_are_not_known_get_the_number_kept_for_them():
    assert number_of({"<unk>": 0, "a": 1}, "b") == 0
    with pytest.raises(PredictionException, match='"b" is not in the vocabulary of the model') as refused:
        number_of({"a": 1}, "b")
    assert refused.value.error_code == 400
