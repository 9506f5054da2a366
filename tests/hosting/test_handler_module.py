import sys

import pytest
from hosted_nodes import call

from wfctl.errors import LoadError

ECHO = "def handle(data, context):\n    return data and ['theirs'] * len(data)\n"


def test_a_module_below_a_package_that_is_not_there_is_not_in_the_archive(host):
    with pytest.raises(LoadError, match=r'handler "serving\.entry:predict" of node "node" is not in its archive'):
        host("", "serving.entry:predict", file="handler.py")


@pytest.mark.parametrize("stem", ["ts", "wfctl"])
def test_a_handler_may_have_our_own_names(host, stem):
    import wfctl

    loaded = host(f"from ts.service import PredictionException\n{ECHO}", f"{stem}.py")
    (answer,) = loaded.answer([call()])
    assert answer.body == b"theirs"
    assert sys.modules["wfctl"] is wfctl


def test_of_a_path_the_last_segment_counts(host):
    (answer,) = host(ECHO, "some/folder/serve.py", file="serve.py").answer([call()])
    assert answer.body == b"theirs"


def test_a_package_beside_the_handler_may_hold_the_entry_point(host, tmp_path):
    (tmp_path / "serving").mkdir()
    (tmp_path / "serving" / "entry.py").write_text(ECHO)
    (answer,) = host("", "serving.entry:handle", file="other.py").answer([call()])
    assert answer.body == b"theirs"


def test_a_package_that_the_handler_imports_and_is_not_there_is_the_failure_told(host):
    with pytest.raises(LoadError, match="No module named 'absent_library'"):
        host("import absent_library.part\n")


def test_what_fails_in_a_built_in_handler_is_told_without_the_search_for_it(host, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "wfctl.handlers.text.text_classifier", raising=False)
    monkeypatch.delitem(sys.modules, "ts.torch_handler.text_classifier", raising=False)
    with pytest.raises(LoadError, match="import of torch halted") as caught:
        host("", "text_classifier", file="other.py")
    assert "text_classifier.py" in caught.value.traceback_text
    assert "During handling" not in caught.value.traceback_text
    assert "hosting" not in caught.value.traceback_text
