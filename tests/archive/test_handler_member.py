"""Which member of a model's archive is its handler."""

import pytest

from wfctl.archive.handler_member import handler_member, usual_handler


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
def test_a_handler_is_found_as_python_finds_it(handler: str, member: str) -> None:
    assert handler_member(handler, {member, "other.py"}) == member


@pytest.mark.parametrize(
    ("handler", "member"),
    [("some/where/handler.py", "some/where/handler.py"), ("handler", "handler.txt"), ("serving.entry", "entry.py")],
)
def test_a_handler_that_python_does_not_find_is_none(handler: str, member: str) -> None:
    assert handler_member(handler, {member, "other.py"}) is None


@pytest.mark.parametrize(
    ("members", "usual"),
    [
        ({"a.py"}, "a.py"),
        ({"a.py", "handler.py"}, "handler.py"),
        ({"a.py", "lib/b.py"}, "a.py"),
        ({"a.py", "b.py"}, None),
        ({"lib/handler.py"}, None),
        ((), None),
    ],
)
def test_without_a_manifest_the_usual_name_counts_or_the_only_file(members: set[str], usual: str | None) -> None:
    assert usual_handler(members) == usual
