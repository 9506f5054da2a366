import sys
from pathlib import Path

import pytest
import torch

from wfctl.handlers.weights import load_eager

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


def test_a_model_file_is_imported_once_under_its_own_name(folder, monkeypatch):
    monkeypatch.syspath_prepend(str(folder))
    import wide

    assert type(load_eager(str(folder), "wide.py", None, "cpu")) is wide.Wide


def test_a_model_file_named_like_another_module_does_not_replace_it(folder):
    import queue

    (folder / "queue.py").write_text(MODEL, encoding="utf-8")
    assert type(load_eager(str(folder), "queue.py", None, "cpu")).__name__ == "Wide"
    assert sys.modules["queue"] is queue
    del sys.modules["wfctl_model_queue"]


def test_a_model_file_that_is_not_there_is_named(folder):
    with pytest.raises(RuntimeError, match=r'model file "other\.py" is not in the archive'):
        load_eager(str(folder), "other.py", None, "cpu")


def test_a_model_file_that_fails_leaves_no_half_module(folder):
    (folder / "broken.py").write_text("raise ImportError('no such library')\n", encoding="utf-8")
    with pytest.raises(ImportError, match="no such library"):
        load_eager(str(folder), "broken.py", None, "cpu")
    assert "broken" not in sys.modules
