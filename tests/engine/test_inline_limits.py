"""What one interpreter cannot give is refused with a reason before anything is loaded."""

import pytest
from fakes.plans import plan_of

from wfctl.engine.inline_limits import inline_limits, refuse_impossible
from wfctl.errors import UnsupportedError
from wfctl.spec.model import WorkerSettings


def folders(tmp_path, **members):
    """Return node -> folder that holds the members named."""
    made = {}
    for name, files in members.items():
        made[name] = tmp_path / name
        made[name].mkdir()
        for file in files:
            path = made[name] / file
            path.parent.mkdir(exist_ok=True)
            path.touch()
    return made


def test_two_extension_modules_of_one_name_are_refused(tmp_path) -> None:
    brought = folders(tmp_path, a=["fast.cpython-311-x86_64-linux-gnu.so"], b=["fast.so"])
    with pytest.raises(UnsupportedError) as refused:
        refuse_impossible(plan_of("a > b", folders=brought))
    assert '"a" and "b"' in refused.value.message
    assert '"fast"' in refused.value.message
    assert "--inline" in refused.value.hint


@pytest.mark.parametrize("member", ["numpy.py", "torch/__init__.py"])
def test_a_library_of_its_own_is_refused(tmp_path, member) -> None:
    with pytest.raises(UnsupportedError, match='node "b" brings its own'):
        refuse_impossible(plan_of("a > b", folders=folders(tmp_path, a=["m.py"], b=[member])))


def test_equal_python_modules_and_names_that_are_ours_are_no_reason(tmp_path) -> None:
    brought = folders(tmp_path, a=["tools.py", "fast.so", "ts/__init__.py"], b=["tools.py", "slow.so"])
    refuse_impossible(plan_of("a > b", folders=brought))


def test_workers_that_are_not_started_are_told() -> None:
    plan = plan_of("a > b", {"b": WorkerSettings(max_workers=4)})
    assert inline_limits(plan) == ('node "b" runs with one worker instead of 4',)
