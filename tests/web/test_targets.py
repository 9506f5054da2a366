"""Targets of requests: what they name, and which of them are none."""

import pytest

from wfctl.web.wire.messages import RequestError
from wfctl.web.wire.targets import read_target


@pytest.mark.parametrize(
    ("target", "segments", "query"),
    [
        ("http://h", (), {}),
        ("http://h/a/b?c=d", ("a", "b"), {"c": "d"}),
        ("https://h:1?x=/workflows", (), {"x": "/workflows"}),
        ("http://h/a?b=http://i/c", ("a",), {"b": "http://i/c"}),
        ("/http:/h", ("http:", "h"), {}),
    ],
)
def test_an_authority_ends_where_anything_else_begins(target, segments, query):
    found = read_target(target)
    assert (found.segments, dict(found.query)) == (segments, query)


@pytest.mark.parametrize("target", ["http://h#/workflows", "http://h#x?/workflows"])
def test_a_fragment_is_no_path(target):
    with pytest.raises(RequestError, match="no path"):
        read_target(target)
