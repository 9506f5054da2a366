"""What a manifest names, and whether it is there."""

from pathlib import Path

import pytest
from judging import NOOP, codes, judged, pack_model

from wfctl.compat.model import Verdict


@pytest.mark.parametrize(
    ("handler", "member"),
    [
        ("handler", "handler.py"),
        ("handler.py:handle", "handler.py"),
        ("some/where/handler.py", "handler.py"),
        ("serving.entry:handle", "serving/entry.py"),
        ("serving", "serving/__init__.py"),
        ("my-handler", "my-handler.py"),
        ("handler", "handler.cpython-311-x86_64-linux-gnu.so"),
        ("handler", "handler.pyc"),
    ],
)
def test_a_handler_is_found_as_python_finds_it(tmp_path: Path, handler: str, member: str) -> None:
    found = judged(pack_model(tmp_path / "m1.mar", {member: NOOP}, handler=handler))
    assert (found.verdict, found.rows) == (Verdict.SAME, ())


@pytest.mark.parametrize(
    ("handler", "member"),
    [("some/where/handler.py", "some/where/handler.py"), ("handler", "other.py"), ("serving.entry", "entry.py")],
)
def test_a_handler_that_python_does_not_find_is_told(tmp_path: Path, handler: str, member: str) -> None:
    assert codes(judged(pack_model(tmp_path / "m1.mar", {member: NOOP}, handler=handler))) == ["WF937"]
