"""Files as torchtext wrote them: its classes are made up here under their names, with the states they had."""

import io
import sys
from collections import Counter, OrderedDict, defaultdict
from types import ModuleType

import pytest
import torch

from wfctl.handlers.text.vocabularies import load_vocabulary, number_of
from wfctl.handlers.unloadable import UnloadableModelError

WORDS = ["<unk>", "<pad>", "so", "good"]
NUMBERS = {word: at for at, word in enumerate(WORDS)}


@pytest.fixture
def torchtext(monkeypatch):
    """Return a function that makes an object of a class of torchtext with a state."""

    def make(place, state, name="Vocab"):
        parts = place.split(".")
        for size in range(1, len(parts) + 1):
            top = ".".join(parts[:size])
            monkeypatch.setitem(sys.modules, top, sys.modules.get(top) or ModuleType(top))
        kind = type(name, (), {"__module__": place, "__getstate__": lambda self: state})
        monkeypatch.setattr(sys.modules[place], name, kind, raising=False)
        return kind()

    return make


@pytest.fixture
def read(tmp_path, monkeypatch):
    """Save a vocabulary, forget all of torchtext, and read it as a worker would that does not trust the archive."""

    def load(value, *, is_trusted=False, **options):
        written = io.BytesIO()
        torch.save(value, written, **options)
        (tmp_path / "source_vocab.pt").write_bytes(written.getvalue())
        for name in [each for each in sys.modules if each.partition(".")[0] == "torchtext"]:
            monkeypatch.delitem(sys.modules, name)
        return load_vocabulary(str(tmp_path / "source_vocab.pt"), is_trusted=is_trusted)

    return load


def of_module(inner):
    # What any module of torch keeps of itself, and what this one has in addition.
    return {**torch.nn.Module().__dict__, "vocab": inner}


@pytest.mark.parametrize("place", ["torchtext.vocab", "torchtext.legacy.vocab"])
@pytest.mark.parametrize("is_new", [True, False])
def test_the_class_of_the_first_releases_is_read(torchtext, read, place, is_new):
    state = {"freqs": Counter(WORDS), "itos": WORDS, "unk_index": 0, "stoi": NUMBERS, "vectors": None}
    found = read(torchtext(place, state), _use_new_zipfile_serialization=is_new)
    assert [number_of(found, word) for word in ("good", "never heard")] == [3, 0]


def test_the_numbers_of_the_very_first_came_from_a_function(torchtext, read):
    torchtext("torchtext.vocab", {})
    module = sys.modules["torchtext.vocab"]
    module._default_unk_index = eval("lambda: 0")
    module._default_unk_index.__module__ = "torchtext.vocab"
    module._default_unk_index.__qualname__ = "_default_unk_index"
    state = {"itos": WORDS, "stoi": defaultdict(module._default_unk_index, NUMBERS)}
    found = read(torchtext("torchtext.vocab", state), is_trusted=True)
    assert (found["so"], found["never heard"]) == (2, 0)


@pytest.mark.parametrize("place", ["torchtext.vocab", "torchtext.vocab.vocab"])
def test_a_module_around_an_object_of_code_is_read(torchtext, read, place):
    inner = torchtext("torchtext._torchtext", ("0.0.2", [1], WORDS, []))
    found = read(torchtext(place, of_module(inner)))
    assert [found["good"], found["never heard"]] == [3, 1]
    assert found(["so", "x"]) == found.lookup_indices(["so", "x"]) == [2, 1]
    assert (found.get_stoi(), found.get_itos(), found.get_default_index()) == (NUMBERS, WORDS, 1)
    assert (len(found), "so" in found, "x" in found) == (4, True, False)
    assert (found.stoi, found.itos) == (NUMBERS, WORDS)


def test_words_that_are_not_there_are_the_clients_fault_where_no_number_is_kept_for_them(torchtext, read):
    inner = torchtext("torchtext._torchtext", ("0.0.2", [], WORDS, []))
    found = read(torchtext("torchtext.vocab.vocab", of_module(inner)))
    with pytest.raises(KeyError):
        found["never heard"]


@pytest.mark.parametrize("is_trusted", [True, False])
def test_anything_else_of_torchtext_says_how_to_save_the_vocabulary(torchtext, read, is_trusted):
    more = torchtext("torchtext.data", {"vocab": 1}, name="Field")
    with pytest.raises(UnloadableModelError, match=r"source_vocab\.pt") as refused:
        read(OrderedDict(field=more), is_trusted=is_trusted)
    assert "torchtext" in str(refused.value)


def test_reading_vocabularies_leaves_nothing_allowed_behind(torchtext, read):
    read(torchtext("torchtext.vocab", {"itos": WORDS, "stoi": NUMBERS}))
    assert not [each for each in torch.serialization.get_safe_globals() if getattr(each, "__name__", "") == "_Early"]
