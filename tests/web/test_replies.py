"""A response is one response, whatever it holds."""

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wfctl.web.wire.messages import Fields, Head, Response
from wfctl.web.wire.replies import UnsafeFieldError, encode_response


def written(response: Response, method: str = "GET", *, keeps_alive: bool = True) -> bytes:
    return b"".join(encode_response(response, Head(method, "/", 1, Fields({})), keeps_alive=keeps_alive))


def read_by_h11(data: bytes, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method=method, target="/", headers=[("host", "h")]))
    client.send(h11.EndOfMessage())
    client.receive_data(data)
    head, body = client.next_event(), b""
    while isinstance(event := client.next_event(), h11.Data):
        body += bytes(event.data)
    assert isinstance(event, h11.EndOfMessage)
    assert client.trailing_data == (b"", False)
    return head.status_code, {name.decode(): value.decode("latin-1") for name, value in head.headers}, body


@given(st.binary(max_size=200_000), st.sampled_from([200, 299, 404, 507, 999]), st.booleans())
def test_a_client_reads_what_was_said(body, status, keeps_alive):
    data = written(Response(status, body, "a/b; c=d", {"X-A": "\u00e9 \t!"}), keeps_alive=keeps_alive)
    found, fields, read = read_by_h11(data)
    assert (found, read) == (status, body)
    assert fields["content-type"] == "a/b; c=d"
    assert fields["x-a"] == "\u00e9 \t!"
    assert fields["connection"] == ("keep-alive" if keeps_alive else "close")


def test_a_head_has_the_fields_and_not_the_body():
    status, fields, body = read_by_h11(written(Response(200, b"abc"), "HEAD"), "HEAD")
    assert (status, fields["content-length"], body) == (200, "3", b"")


@pytest.mark.parametrize("status", [204, 304])
def test_a_status_without_a_body_has_none(status):
    assert written(Response(status, b"abc")).endswith(b"\r\n\r\n")
    assert b"content-length" not in written(Response(status, b"abc"))


def test_a_large_body_is_not_copied():
    body = bytes(100_000)
    assert encode_response(Response(200, body), None, keeps_alive=True)[1] is body


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X", "a\r\nSet-Cookie: b"),
        ("X", "a\nb"),
        ("X", "a\rb"),
        ("X", "a\0b"),
        ("X", "\u2028"),
        ("X\r\nY", "a"),
        ("X:", "a"),
        ("", "a"),
        ("\u00e9", "a"),
        ("Content-Length", "0"),
        ("transfer-encoding", "chunked"),
        ("Connection", "close"),
    ],
)
def test_a_field_that_would_be_something_else_is_not_written(name, value):
    with pytest.raises(UnsafeFieldError):
        written(Response(200, b"", None, {name: value}))
    with pytest.raises(UnsafeFieldError):
        written(Response(200, b"", "text/plain\r\n\r\n"))
