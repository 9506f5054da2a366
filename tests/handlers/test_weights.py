import subprocess
import sys
from pathlib import Path

import pytest
import torch

from wfctl.handlers.loading.weights import load_eager, load_torchscript

MODEL = """
import torch

class Wide(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.rows = torch.nn.Parameter(torch.zeros(256, 256))
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "wide.py").write_text(MODEL, encoding="utf-8")
    yield tmp_path
    sys.modules.pop("wide", None)


def saved(folder, **options):
    torch.save({"rows": torch.ones(256, 256, dtype=options.pop("dtype", torch.float32))}, folder / "w.pt", **options)
    return str(folder / "w.pt")


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="needs /proc")
def test_weights_are_mapped_from_the_file_so_that_workers_share_them(folder):
    model = load_eager(str(folder), "wide.py", saved(folder), "cpu")
    assert str(folder / "w.pt") in Path("/proc/self/maps").read_text(encoding="utf-8")
    assert model.rows.sum() == 256 * 256
    with torch.no_grad():
        model.rows.zero_()
    again = load_eager(str(folder), "wide.py", str(folder / "w.pt"), "cpu")
    assert again.rows.sum() == 256 * 256, "what one worker changes stays its own"


def test_weights_of_another_type_are_converted_to_the_models(folder):
    model = load_eager(str(folder), "wide.py", saved(folder, dtype=torch.float16), "cpu")
    assert model.rows.dtype == torch.float32


def test_weights_of_the_form_before_zip_files_load(folder):
    model = load_eager(str(folder), "wide.py", saved(folder, _use_new_zipfile_serialization=False), "cpu")
    assert model.rows.sum() == 256 * 256


def test_weights_are_mapped_to_the_device_also_where_it_is_given_as_one(folder):
    model = load_eager(str(folder), "wide.py", saved(folder), torch.device("cpu"))
    assert str(folder / "w.pt") in Path("/proc/self/maps").read_text(encoding="utf-8")
    assert model.rows.device == torch.device("cpu")


RENAMES = """
import torch

class Renamed(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.norm1 = torch.nn.Linear(2, 1)

    def load_state_dict(self, state_dict, strict=True):
        renamed = {name.replace("norm.1", "norm1"): value for name, value in state_dict.items()}
        return super().load_state_dict(renamed, strict)
"""


def test_a_model_may_load_its_weights_in_its_own_way(tmp_path):
    (tmp_path / "renamed.py").write_text(RENAMES, encoding="utf-8")
    torch.save({"norm.1.weight": torch.ones(1, 2), "norm.1.bias": torch.ones(1)}, tmp_path / "w.pt")
    model = load_eager(str(tmp_path), "renamed.py", str(tmp_path / "w.pt"), "cpu")
    assert model.norm1(torch.ones(2)).tolist() == [3]
    del sys.modules["renamed"]


HOLDS_MORE = """
import torch

class HoldsMore(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.row = torch.nn.Parameter(torch.zeros(2))
        self.names = ()

    def get_extra_state(self):
        return {"names": self.names}

    def set_extra_state(self, state):
        self.names = state["names"]
"""


def test_a_state_may_hold_more_than_tensors(tmp_path):
    (tmp_path / "holds_more.py").write_text(HOLDS_MORE, encoding="utf-8")
    torch.save({"row": torch.ones(2), "_extra_state": {"names": ("a", "b")}}, tmp_path / "w.pt")
    model = load_eager(str(tmp_path), "holds_more.py", str(tmp_path / "w.pt"), "cpu")
    assert (model.row.tolist(), model.names) == ([1, 1], ("a", "b"))
    del sys.modules["holds_more"]


SEES_TWICE = """
import torch

class SeesTwice(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.row = torch.nn.Parameter(torch.zeros(4))
        self.register_buffer("mean", torch.zeros(4))
        self.rows = [self.row]
        self.half = self.mean[:2]
"""


def test_lists_and_views_that_a_model_made_of_its_tensors_see_the_weights(tmp_path):
    (tmp_path / "sees_twice.py").write_text(SEES_TWICE, encoding="utf-8")
    torch.save({"row": torch.ones(4), "mean": torch.ones(4)}, tmp_path / "w.pt")
    model = load_eager(str(tmp_path), "sees_twice.py", str(tmp_path / "w.pt"), "cpu")
    assert model.row.tolist() == model.rows[0].tolist() == [1] * 4
    assert model.half.tolist() == [1] * 2
    del sys.modules["sees_twice"]


def test_a_whole_model_in_the_place_of_its_weights_is_taken_from_a_trusted_archive(folder, caplog):
    made = load_eager(str(folder), "wide.py", None, "cpu")
    with torch.no_grad():
        made.rows.fill_(2)
    torch.save(made, folder / "w.pt")
    found = load_eager(str(folder), "wide.py", str(folder / "w.pt"), "cpu")
    assert type(found) is type(made)
    assert found.rows.sum() == 2 * 256 * 256
    assert '"w.pt" holds more than weights' in caplog.text
    with pytest.raises(RuntimeError, match=r'"w\.pt" holds more than weights \(.*wide\.Wide.*--trust'):
        load_eager(str(folder), "wide.py", str(folder / "w.pt"), "cpu", is_trusted=False)


def test_weights_that_a_script_saved_with_its_own_class_find_the_class_of_the_model_file(folder):
    script = MODEL + "\nimport sys\nnet = Wide()\ntorch.nn.init.ones_(net.rows)\ntorch.save(net, sys.argv[1])\n"
    subprocess.run([sys.executable, "-c", script, str(folder / "w.pt")], check=True)
    found = load_eager(str(folder), "wide.py", str(folder / "w.pt"), "cpu")
    assert type(found) is sys.modules["wide"].Wide
    assert found.rows.sum() == 256 * 256


def test_a_whole_model_finds_its_class_where_the_name_of_the_model_file_is_taken(folder):
    import colorsys  # noqa: F401 - takes the name

    (folder / "colorsys.py").write_text(MODEL, encoding="utf-8")
    script = (
        MODEL
        + "\nimport colorsys, sys\nWide.__module__, colorsys.Wide = 'colorsys', Wide\ntorch.save(Wide(), sys.argv[1])\n"
    )
    subprocess.run([sys.executable, "-c", script, str(folder / "w.pt")], check=True)
    found = load_eager(str(folder), "colorsys.py", str(folder / "w.pt"), "cpu")
    assert type(found).__module__ == "wfctl_model_colorsys"
    del sys.modules["wfctl_model_colorsys"]


def test_weights_that_do_not_fit_are_refused_in_the_words_of_torch(folder):
    torch.save({"columns": torch.ones(1)}, folder / "w.pt")
    fits_not = r'"w\.pt" does not fit the model file: .* Unexpected key\(s\) in state_dict: "columns"'
    with pytest.raises(RuntimeError, match=fits_not):
        load_eager(str(folder), "wide.py", str(folder / "w.pt"), "cpu")
    torch.save([1], folder / "w.pt")
    with pytest.raises(RuntimeError, match=r'"w\.pt" holds a list, and not weights by their names'):
        load_eager(str(folder), "wide.py", str(folder / "w.pt"), "cpu")


def test_weights_that_are_not_there_are_named(folder):
    with pytest.raises(RuntimeError, match=r'weights "w\.pt" are not in the archive'):
        load_eager(str(folder), "wide.py", str(folder / "w.pt"), "cpu")
    with pytest.raises(RuntimeError, match=r'weights "w\.pt" are not in the archive'):
        load_torchscript(str(folder / "w.pt"), torch.device("cpu"))


def test_weights_without_their_class_say_that_a_model_file_is_missing(folder):
    with pytest.raises(RuntimeError, match=r'"w\.pt" is no TorchScript file; .* named by "modelFile"'):
        load_torchscript(saved(folder), torch.device("cpu"))
