"""``wfctl run`` where something is odd: warnings of user code, a load that takes too long, a model inside."""

import zipfile

import pytest

from wfctl.archive.mar import write_mar

ONE = "dag:\n  only: []\n"
WARNS = """
    import warnings

    def only(data, context):
        if data is None:
            return None
        warnings.warn("the user's own")
        warnings.warn("old", DeprecationWarning)
        return ["answered"]
"""


@pytest.mark.parametrize("words", [(), ("--inline",)], ids=["workers", "inline"])
def test_warnings_of_user_code_are_shown_and_never_made_errors(flow, wfctl, words) -> None:
    done = wfctl("run", *words, "-w", flow(ONE, WARNS), "-", stdin=b"x")
    told = done.stderr.decode()
    assert (done.returncode, done.stdout) == (0, b"answered"), told
    assert "[only] " in told
    assert "handler.py:7: UserWarning: the user's own" in told


def test_no_filter_of_ours_hides_a_warning_that_the_user_asks_for(flow, wfctl, monkeypatch) -> None:
    monkeypatch.setenv("PYTHONWARNINGS", "default")
    jit = WARNS.replace("return [", "import torch\n        torch.jit.script(torch.nn.Identity())\n        return [")
    told = wfctl("run", "-w", flow(ONE, jit), "-", stdin=b"x").stderr.decode()
    assert "handler.py:8: DeprecationWarning: old" in told
    assert "DeprecationWarning: `torch.jit.script` is deprecated" in told
    monkeypatch.setenv("PYTHONWARNINGS", "error::DeprecationWarning")
    done = wfctl("run", "-w", flow(ONE, WARNS, name="strict"), "-", stdin=b"x")
    assert done.returncode == 3
    assert "DeprecationWarning: old" in done.stderr.decode()


def test_a_load_that_takes_too_long_is_given_up_and_the_option_named(flow, wfctl) -> None:
    handler = "import signal\nsignal.pause()\n\ndef only(data, context):\n    return data\n"
    done = wfctl("run", "--startup-timeout", "0.5", "-w", flow(ONE, handler), "-", stdin=b"x")
    assert (done.returncode, done.stdout) == (4, b"")
    assert 'node "only" was not ready after 0.5 s' in done.stderr.decode()
    assert "--startup-timeout" in done.stderr.decode()


def test_a_model_inside_a_war_is_found_checked_and_run_from_there(flow, wfctl, tmp_path) -> None:
    folder = flow("models:\n  m: {url: m.mar}\ndag:\n  m: []\n", "")
    code = tmp_path / "model.py"
    code.write_text("def handle(data, context):\n    return data and ['from inside']\n")
    write_mar(folder / "m.mar", model_name="m", handler=code)
    assert wfctl("archive", folder, "--embed-models").returncode == 0
    (folder / "m.mar").unlink()
    checked = wfctl("validate", "flow.war")
    assert checked.returncode == 0, checked.stdout.decode()
    assert "WF906" in checked.stdout.decode()
    assert wfctl("run", "-w", "flow.war", "-", stdin=b"x").stdout == b"from inside"
    with zipfile.ZipFile(tmp_path / "flow.war") as whole, zipfile.ZipFile(tmp_path / "other.war", "w") as other:
        for name in whole.namelist():
            other.writestr(name, whole.read(name) + b"x" * name.endswith(".mar"))
    for command in (("validate", "other.war"), ("run", "-w", "other.war", "-")):
        done = wfctl(*command, stdin=b"x")
        assert done.returncode == 1
        assert b"WF504" in done.stdout + done.stderr
        assert done.stdout == b"" or command[0] == "validate"
