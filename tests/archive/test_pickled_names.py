"""Names are read out of pickles of every form, and nothing in them is run."""

import io
import pickle
from collections import OrderedDict

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from wfctl.archive.pickled_names import pickled_names


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(2, 2)

    def forward(self, x):
        return self.layer(x)


def saved(value, **options):
    buffer = io.BytesIO()
    torch.save(value, buffer, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("zipped", [True, False])
def test_weights_alone_resolve_nothing_but_torch(zipped):
    names = pickled_names(saved(Net().state_dict(), _use_new_zipfile_serialization=zipped))
    assert "torch._utils._rebuild_tensor_v2" in names
    assert {name.partition(".")[0] for name in names} == {"torch", "collections"}


@pytest.mark.parametrize("zipped", [True, False])
def test_a_whole_model_resolves_its_class(zipped):
    names = pickled_names(saved(Net(), _use_new_zipfile_serialization=zipped))
    assert f"{__name__}.Net" in names
    assert "torch.nn.modules.linear.Linear" in names


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_every_protocol_is_read(protocol):
    found = pickled_names(pickle.dumps([OrderedDict, Net, OrderedDict], protocol=protocol))
    assert set(found) >= {"collections.OrderedDict", f"{__name__}.Net"}


@pytest.mark.parametrize("model", [Net(), torch.nn.Identity()], ids=["with weights", "without"])
def test_torchscript_names_nothing_that_python_would_import(model):
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.script(model), buffer)
    assert all(name.startswith("__torch__") for name in pickled_names(buffer.getvalue()))


def test_a_cut_pickle_yields_what_stands_before_the_cut():
    whole = pickle.dumps([OrderedDict, Net], protocol=2)
    assert pickled_names(whole[:-3])[0] == "collections.OrderedDict"


@given(st.binary(max_size=200))
def test_any_bytes_are_survived(raw):
    for head in (raw, b"PK\x03\x04" + raw, b"\x80\x04" + raw):
        assert all(isinstance(name, str) for name in pickled_names(head))
