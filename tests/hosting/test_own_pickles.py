"""Whether old handlers' own ``torch.load`` works, in each way in which user code runs."""

import json
from pathlib import Path

import pytest

import wfctl
from wfctl.archive.mar import write_mar
from wfctl.hosting.pickles import allow_own_pickles, own_pickles_allowed, pickle_settings

ALLOW, FORBID = "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "TORCH_FORCE_WEIGHTS_ONLY_LOAD"


def test_a_trusted_archive_may_read_its_pickles() -> None:
    assert pickle_settings(is_trusted=True, environ={}) == {ALLOW: "1"}
    assert pickle_settings(is_trusted=False, environ={}) == {}


@pytest.mark.parametrize("own", [{ALLOW: "0"}, {ALLOW: "1"}, {FORBID: "1"}, {FORBID: "0"}])
def test_the_users_own_setting_wins(own) -> None:
    environ = dict(own)
    allow_own_pickles(is_trusted=True, environ=environ)
    assert environ == own
    with own_pickles_allowed(is_trusted=True, environ=environ):
        assert environ == own
    assert environ == own


def test_what_was_set_for_a_while_is_taken_back() -> None:
    environ: dict[str, str] = {}
    with own_pickles_allowed(is_trusted=True, environ=environ):
        assert environ == {ALLOW: "1"}
    assert environ == {}
    with own_pickles_allowed(is_trusted=True, environ=environ):
        environ[ALLOW] = "0"  # the handler's own wish
    assert environ == {ALLOW: "0"}


HANDLER = """
import json, os, pathlib, torch
from vocabulary import Vocabulary

def handle(data, context):
    if data is None:
        return None
    folder = pathlib.Path(context.system_properties["model_dir"])
    try:
        words = torch.load(folder / "vocabulary.pt").words
    except Exception as error:
        words = type(error).__name__
    try:
        torch.load(folder / "vocabulary.pt", weights_only=True)
        strict = "read"
    except Exception as error:
        strict = type(error).__name__
    return [json.dumps({"words": words, "strict": strict})]
"""


@pytest.fixture
def pickled(tmp_path: Path, monkeypatch) -> Path:
    """A workflow whose model reads a pickle of a class of its own, as older ones do."""
    (tmp_path / "vocabulary.py").write_text("class Vocabulary:\n    words = None\n")
    (tmp_path / "old.py").write_text(HANDLER)
    monkeypatch.syspath_prepend(tmp_path)
    import torch
    from vocabulary import Vocabulary

    held = Vocabulary()
    held.words = ["an", "old", "friend"]
    torch.save(held, tmp_path / "vocabulary.pt")
    flow = tmp_path / "flow"
    flow.mkdir()
    (flow / "workflow.yaml").write_text("models:\n  old: {url: old.mar}\ndag:\n  old: []\n")
    extra = [tmp_path / "vocabulary.py", tmp_path / "vocabulary.pt"]
    write_mar(flow / "old.mar", model_name="old", handler=tmp_path / "old.py", extra_files=extra)
    monkeypatch.delitem(__import__("sys").modules, "vocabulary")
    return flow


@pytest.mark.parametrize("inline", [False, True], ids=["workers", "inline"])
@pytest.mark.filterwarnings("ignore:Environment variable TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD")
def test_a_plain_torch_load_reads_a_pickled_object(pickled, monkeypatch, inline) -> None:
    for name in (ALLOW, FORBID):
        monkeypatch.delenv(name, raising=False)
    with wfctl.open_deployment(pickled, inline=inline) as flow:
        answer = flow.predict(b"x").json()
    assert answer["words"] == ["an", "old", "friend"]
    assert answer["strict"] == "UnpicklingError"
    assert ALLOW not in __import__("os").environ


@pytest.mark.parametrize("inline", [False, True], ids=["workers", "inline"])
def test_and_does_not_where_the_user_forbids_it(pickled, monkeypatch, inline) -> None:
    monkeypatch.setenv(ALLOW, "0")
    with wfctl.open_deployment(pickled, inline=inline) as flow:
        assert json.loads(flow.predict(b"x").body)["words"] == "UnpicklingError"
