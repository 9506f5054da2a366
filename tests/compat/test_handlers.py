"""Handlers written for TorchServe, packed as archives, answer as TorchServe answers (or better, where that is said)."""

import json
import os
import subprocess
import sys
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from fixtures import Fixture, all_fixtures, workflow_of
from forms import is_same

HERE = Path(__file__).parent
FIXTURES = all_fixtures()


@pytest.fixture(scope="module")
def answered(tmp_path_factory):
    """Pack every fixture and answer all of them, each in a process of its own."""
    root = tmp_path_factory.mktemp("compat")
    jobs = []
    for each in FIXTURES:
        spec = workflow_of(each, root / each.name)
        told = {"envelope": each.told.get("envelope"), "batches": each.told["batches"]}
        jobs.append(told | {"name": each.name, "spec": str(spec), "out": str(root / f"{each.name}.json")})
    (root / "jobs.json").write_text(json.dumps(jobs), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(HERE / "hosted.py"), str(root / "jobs.json")],
        capture_output=True,
        text=True,
        timeout=100,
        env=os.environ | {"WFCTL_MODEL_STORE": ""},
    )
    assert done.returncode == 0, done.stderr
    return lambda name: json.loads((root / f"{name}.json").read_text(encoding="utf-8"))


def _matches(found, stored) -> bool:
    """Compare with what is written down, where ``*`` stands for any words of a failed load."""
    failed = ((stored or {}).get("load") or {}).get("failed")
    if failed is not None and found.keys() == stored.keys():
        return fnmatchcase(found["load"].get("failed", ""), failed.replace("[", "[[]"))
    return is_same(found, stored)


def test_there_are_fixtures_for_the_forms():
    assert len(FIXTURES) >= 40


@pytest.mark.parametrize("fixture", FIXTURES, ids=lambda each: each.name)
def test_a_handler_answers_as_written_down(fixture: Fixture, answered, is_updating):
    found = answered(fixture.name)
    if is_updating and fixture.differs and not _matches(found, fixture.ours):
        text = json.dumps(found, indent=1, ensure_ascii=False) + "\n"
        (fixture.folder / "ours.json").write_text(text, encoding="utf-8")
    assert _matches(found, fixture.ours), f"{fixture.told['about']}\n{json.dumps(found, indent=1)}"


@pytest.mark.parametrize("fixture", FIXTURES, ids=lambda each: each.name)
def test_what_differs_is_explained_and_does_differ(fixture: Fixture):
    assert fixture.told["about"]
    if fixture.differs:
        assert not is_same(fixture.stored("ours.json"), fixture.expected)
    else:
        assert fixture.stored("ours.json") is None
