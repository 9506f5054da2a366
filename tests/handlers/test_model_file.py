import sys

import pytest

from wfctl.handlers.loading.model_file import load_model_class

MODEL = """
class Wide:
    pass
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "wide.py").write_text(MODEL, encoding="utf-8")
    yield tmp_path
    sys.modules.pop("wide", None)


def test_a_model_file_is_imported_once_under_its_own_name(folder, monkeypatch):
    monkeypatch.syspath_prepend(str(folder))
    import wide

    assert load_model_class(str(folder), "wide.py") is wide.Wide


def test_a_model_file_named_like_another_module_does_not_replace_it(folder):
    import queue

    (folder / "queue.py").write_text(MODEL, encoding="utf-8")
    assert load_model_class(str(folder), "queue.py").__name__ == "Wide"
    assert sys.modules["queue"] is queue
    del sys.modules["wfctl_model_queue"]


def test_a_model_file_that_is_not_there_is_named(folder):
    with pytest.raises(RuntimeError, match=r'model file "other\.py" is not in the archive'):
        load_model_class(str(folder), "other.py")


def test_a_model_file_that_fails_leaves_no_half_module(folder):
    (folder / "broken.py").write_text("raise ImportError('no such library')\n", encoding="utf-8")
    with pytest.raises(ImportError, match="no such library"):
        load_model_class(str(folder), "broken.py")
    assert "broken" not in sys.modules


@pytest.mark.parametrize(
    ("more", "names"),
    [("\nclass Other: pass\n", '"Other", "Wide"'), ("\ndel Wide\nfrom pathlib import Path\n", "none")],
)
def test_a_model_file_defines_exactly_one_class(folder, more, names):
    (folder / "wide.py").write_text(MODEL + more, encoding="utf-8")
    with pytest.raises(ValueError, match=f"must define exactly one class; it defines {names}"):
        load_model_class(str(folder), "wide.py")
