import json
import subprocess
import sys

import pytest


def wfctl(*arguments, cwd):
    done = subprocess.run(
        [sys.executable, "-m", "wfctl", *arguments], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("template", "answer"),
    [("chain", {"fahrenheit": 68.0}), ("parallel", {"fahrenheit": 68.0, "kelvin": 293.15})],
)
def test_what_new_wrote_validates_packs_and_answers_at_once(tmp_path, template, answer):
    wfctl("new", "first", "--template", template, cwd=tmp_path)
    folder = tmp_path / "first"
    assert wfctl("validate", cwd=folder).strip() == ""
    assert "prepare" in wfctl("render", cwd=folder)
    wfctl("archive", cwd=folder)
    assert json.loads(wfctl("run", "input.json", cwd=folder)) == answer
    assert json.loads(wfctl("run", "input.json", "--workflow", "first.war", cwd=folder)) == answer


def test_a_wrong_input_is_refused_in_words(tmp_path):
    wfctl("new", "first", cwd=tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "wfctl", "run", "-"],
        input='{"celsius": "warm"}',
        cwd=tmp_path / "first",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3
    assert 'send {"celsius": a number}' in done.stderr
