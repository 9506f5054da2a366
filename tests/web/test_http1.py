"""Requests come out of bytes as they were meant, and what is ambiguous does not come out at all."""

import tracemalloc
from contextlib import suppress
from time import perf_counter

import pytest

from wfctl.web.wire.http1 import RequestReader
from wfctl.web.wire.messages import Head, Limits, RequestError

POST = b"POST /x HTTP/1.1\r\nHost: h\r\n"
GET = b"GET /x HTTP/1.1\r\nHost: h\r\n\r\n"


def read(data: bytes, cuts=(), limits: Limits | None = None) -> list[tuple[Head, bytes]]:
    """Return every request in ``data``, which comes in pieces; all of it must be used up."""
    reader, found, head = RequestReader(limits or Limits()), [], None
    for begin, end in zip((0, *cuts), (*cuts, len(data)), strict=True):
        reader.feed(data[begin:end])
        while (each := reader.next()) is not None:
            if isinstance(each, Head):
                head = each
            else:
                found.append((head, bytes(each)))
    reader.end()
    return found


def refusal(data: bytes, limits: Limits | None = None) -> tuple[int, str]:
    """Return how a request is refused: at once, byte by byte, and for ever."""
    told = []
    for cuts in ((), range(1, len(data))):
        with pytest.raises(RequestError) as caught:
            read(data, cuts, limits)
        told.append((caught.value.status, caught.value.message))
    assert told[0][0] == told[1][0], told
    return told[0]


# What comes out


def test_a_request_comes_out_however_it_is_cut():
    data = POST + b"Content-Length: 5\r\nX-A:  b c \t\r\n\r\nhello" + GET
    for cut in range(1, len(data)):
        (head, body), (after, nothing) = read(data, (cut,))
        assert (head.method, head.target, head.version, body) == ("POST", "/x", 1, b"hello")
        assert head.headers == {"host": "h", "content-length": "5", "x-a": "b c"}
        assert (after.method, nothing) == ("GET", b"")
    assert len(read(data, range(1, len(data)))) == 2


def test_a_body_in_chunks_is_one_piece_of_memory_however_it_is_cut():
    chunks = b'5\r\nhello\r\n0A;name="a b"\r\n, worldly!\r\n000\r\nX-Sum: 1\r\n\r\n'
    data = POST + b"Transfer-Encoding: Chunked\r\n\r\n" + chunks + GET
    for cut in range(1, len(data)):
        assert [body for _, body in read(data, (cut,))] == [b"hello, worldly!", b""]
    assert [body for _, body in read(data, range(1, len(data)))] == [b"hello, worldly!", b""]


def test_the_head_comes_before_its_body_and_says_what_the_client_expects():
    reader = RequestReader(Limits())
    reader.feed(POST + b"Content-Length: 3\r\nExpect: 100-Continue\r\n\r\nab")
    head = reader.next()
    assert (head.length, head.expects_continue) == (3, True)
    assert reader.next() is None
    assert not reader.is_between_requests
    reader.feed(b"c")
    assert reader.next() == b"abc"
    assert reader.is_between_requests


@pytest.mark.parametrize(
    ("version", "connection", "keeps"),
    [
        (b"1.1", b"", True),
        (b"1.1", b"Connection: Close\r\n", False),
        (b"1.1", b"Connection: x, close\r\n", False),
        (b"1.1", b"Connection: x\r\nConnection: close\r\n", False),
        (b"1.0", b"", False),
        (b"1.0", b"Connection: Keep-Alive\r\n", True),
        (b"1.0", b"Connection: keep-alive, close\r\n", False),
    ],
)
def test_a_connection_lives_as_long_as_the_client_says(version, connection, keeps):
    ((head, _),) = read(b"GET / HTTP/" + version + b"\r\nHost: h\r\n" + connection + b"\r\n")
    assert head.keeps_alive is keeps


def test_fields_that_come_twice_are_one_list_and_bytes_are_kept():
    ((head, _),) = read(b"GET /%00?q=\\ HTTP/1.1\r\nHost: h\r\nAccept: a\r\naccept: b\r\nX: caf\xe9\r\n\r\n")
    assert head.headers["accept"] == "a, b"
    assert (head.sent["Accept"], head.sent["accept"]) == ("a", "b")
    assert head.headers["x"].encode("latin-1") == b"caf\xe9"
    assert head.target == "/%00?q=\\"


def test_what_comes_is_the_readers_own_memory():
    reader, sent = RequestReader(Limits()), bytearray(POST + b"Content-Length: 2\r\n\r\nab")
    reader.feed(sent)
    reader.next()
    sent[-2:] = b"zz"
    body = reader.next()
    body += b"c"  # and may be changed
    assert body == b"abc"


# What does not

SMUGGLED = [
    (b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    (b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n", 400),
    (b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 400),
    (b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400),
    (b"Content-Length: 3, 3\r\n\r\nabc", 400),
    (b"Content-Length: +3\r\n\r\nabc", 400),
    (b"Content-Length: -3\r\n\r\nabc", 400),
    (b"Content-Length: 0x3\r\n\r\nabc", 400),
    (b"Content-Length: 3_0\r\n\r\nabc", 400),
    (b"Content-Length: 3.0\r\n\r\nabc", 400),
    (b"Content-Length: \xb3\r\n\r\nabc", 400),
    (b"Content-Length:\r\n\r\n", 400),
    (b"Content-Length: 1 1\r\n\r\n", 400),
    (b"Content-Length: " + b"9" * 30 + b"\r\n\r\n", 400),
    (b"Content-Length : 3\r\n\r\nabc", 400),
    (b" Content-Length: 3\r\n\r\nabc", 400),
    (b"X: a\r\n Content-Length: 3\r\n\r\nabc", 400),
    (b"X: a\r\n\tb\r\n\r\n", 400),
    (b"Content-Length: 3\n\r\nabc", 400),
    (b"X: a\rContent-Length: 3\r\n\r\nabc", 400),
    (b"X: a\r\rContent-Length: 3\r\n\r\nabc", 400),
    (b"X: a\x00b\r\n\r\n", 400),
    (b"X: a\x0bContent-Length: 3\r\n\r\n", 400),
    (b": a\r\n\r\n", 400),
    (b"no colon\r\n\r\n", 400),
    (b"Content\xadLength: 3\r\n\r\nabc", 400),
    (b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    (b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n", 400),
    (b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
    (b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501),
    (b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", 400),
    (b"Transfer-Encoding: identity\r\n\r\n", 501),
    (b"Host: other\r\n\r\n", 400),
    (b"Expect: 200-ok\r\n\r\n", 417),
]


@pytest.mark.parametrize(("rest", "status"), SMUGGLED)
def test_what_two_readers_could_take_for_different_requests_is_refused(rest, status):
    assert refusal(POST + rest)[0] == status


CHUNKS = [
    b"5\nhello\r\n0\r\n\r\n",
    b"5 \r\nhello\r\n0\r\n\r\n",
    b" 5\r\nhello\r\n0\r\n\r\n",
    b"+5\r\nhello\r\n0\r\n\r\n",
    b"0x5\r\nhello\r\n0\r\n\r\n",
    b"5_0\r\nhello\r\n0\r\n\r\n",
    b"-5\r\nhello\r\n0\r\n\r\n",
    b"g\r\nhello\r\n0\r\n\r\n",
    b"\r\nhello\r\n0\r\n\r\n",
    b"5\r\nhelloo\r\n0\r\n\r\n",
    b"5\r\nhello0\r\n\r\n",
    b"5\r\nhello\n0\r\n\r\n",
    b"5\r\nhello\r0\r\n\r\n",
    b"5;a\x00\r\nhello\r\n0\r\n\r\n",
    b"5;" + b"a" * 1_000_000 + b"\r\nhello\r\n0\r\n\r\n",
    b"0\r\nno field\r\n\r\n",
    b"0\r\nX: a\n\r\n",
    b"1" * 16 + b"\r\n",
]


@pytest.mark.parametrize("chunks", CHUNKS, ids=lambda chunks: ascii(chunks[:40]))
def test_chunks_that_are_none_are_refused(chunks):
    data = POST + b"Transfer-Encoding: chunked\r\n\r\n" + chunks
    with pytest.raises(RequestError) as caught:
        read(data)
    assert caught.value.status == 400
    if len(data) < 1000:
        refusal(data)


LINES = [
    (b"", 400),
    (b"GET", 400),
    (b"GET /", 400),
    (b"GET  / HTTP/1.1", 400),
    (b"GET / HTTP/1.1 ", 400),
    (b" GET / HTTP/1.1", 400),
    (b"GET\t/ HTTP/1.1", 400),
    (b"GET / HTTP/1.12", 400),
    (b"GET / http/1.1", 400),
    (b"GET / HTTP/2.0", 505),
    (b"GET / HTTP/1.2", 505),
    (b"GET / HTTP/0.9", 505),
    (b"G(T / HTTP/1.1", 400),
    (b"GET /\x7f HTTP/1.1", 400),
    (b"GET /\xc3\xbc HTTP/1.1", 400),
    (b"GET /a b HTTP/1.1", 400),
    (b"\x16\x03\x01\x02\x00\x01", 400),
]


@pytest.mark.parametrize(("line", "status"), LINES)
def test_a_first_line_that_is_none_is_refused(line, status):
    assert refusal(line + b"\r\nHost: h\r\n\r\n")[0] == status


@pytest.mark.parametrize("fields", [b"", b"Host: a b\r\n", b"Host: a/b\r\n", b'Host: "\r\n', b"Host: a\r\nHost: a\r\n"])
def test_a_request_names_its_host_once(fields):
    assert refusal(b"GET / HTTP/1.1\r\n" + fields + b"\r\n")[0] == 400
    assert read(b"GET / HTTP/1.0\r\n\r\n")


def test_http_1_0_has_no_chunks():
    assert refusal(b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")[0] == 400


def test_which_line_is_no_field_is_said():
    assert (
        refusal(POST + b"A: b\r\nno colon\r\nC: d\r\n\r\n")[1] == "line 4 is no field: a name, a colon, printable text"
    )


# How much

SMALL = Limits(line=40, head=120, fields=4, body=10)


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET /" + b"x" * 40 + b" HTTP/1.1\r\nHost: h\r\n\r\n", 414),
        (b"GET /" + b"x" * 1_000_000, 414),
        (POST + b"X: " + b"x" * 120 + b"\r\n\r\n", 431),
        (POST + b"X: " + b"x" * 1_000_000, 431),
        (POST + b"A: 1\r\nB: 1\r\nC: 1\r\nD: 1\r\n\r\n", 431),
        (POST + b"Content-Length: 11\r\n\r\n", 413),
        (POST + b"Content-Length: 11\r\n\r\n" + b"x" * 11, 413),
        (POST + b"Transfer-Encoding: chunked\r\n\r\nb\r\n", 413),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n6\r\nabcdef\r\n5\r\n", 413),
        (POST + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffff\r\n", 413),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"A: b\r\n" * 100, 431),
    ],
    ids=lambda value: ascii(value[:60]) if isinstance(value, bytes) else None,
)
def test_what_is_too_much_is_refused(data, status):
    with pytest.raises(RequestError) as caught:
        read(data, (), SMALL)
    assert caught.value.status == status
    if len(data) < 1000:
        assert refusal(data, SMALL)[0] == status


@pytest.mark.parametrize("size", range(37, 44))
def test_a_first_line_is_as_long_however_it_comes(size):
    data = b"GET /" + b"x" * (size - 14) + b" HTTP/1.1\r\nHost: h\r\n\r\n"
    if size <= SMALL.line:
        assert len(read(data, range(1, len(data)), SMALL)) == len(read(data, (), SMALL)) == 1
    else:
        assert refusal(data, SMALL)[0] == 414


def test_a_body_that_is_too_large_is_refused_after_its_head_and_before_it_comes():
    reader = RequestReader(SMALL)
    reader.feed(POST + b"Content-Length: 11\r\nExpect: 100-continue\r\n\r\n")
    assert isinstance(reader.next(), Head)
    for _ in range(2):
        with pytest.raises(RequestError):
            reader.next()


@pytest.mark.parametrize("data", [GET[:-1], b"G", POST + b"Content-Length: 2\r\n\r\na", GET + b"x"])
def test_an_end_inside_a_request_is_said(data):
    with pytest.raises(RequestError, match="ended inside a request"):
        read(data)


def time_of(data: bytes, piece: int) -> float:
    """Return the least seconds of three that it takes to read so much, in pieces of a size."""

    def once() -> float:
        begun = perf_counter()
        reader = RequestReader(Limits(head=10**7, body=10**7))
        with suppress(RequestError):
            for at in range(0, len(data), piece):
                reader.feed(data[at : at + piece])
                while reader.next() is not None:
                    pass
        return perf_counter() - begun

    return min(once() for _ in range(3))


CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize("piece", [100, 10**7])
@pytest.mark.parametrize(
    ("begin", "more", "end"),
    [
        (POST + b"X:", b" ", b"\x01\r\n\r\n"),
        (POST + b"X: a", b" \t", b"b\r\n\r\n"),
        (POST, b"a", b""),
        (POST, b"a: b\r\n", b""),
        (CHUNKED, b"1\r\nx\r\n", b"0\r\n\r\n"),
        (CHUNKED + b"0\r\n", b"a: b\r\n", b"\r\n"),
    ],
)
def test_twice_the_bytes_take_twice_the_time(begin, more, end, piece):
    small, large = (begin + more * (size // len(more)) + end for size in (20_000, 160_000))
    # Eight times the bytes; a quadratic step would give sixty-four.
    assert time_of(large, piece) < 24 * time_of(small, piece) + 0.002


def test_memory_is_that_of_the_body():
    reader = RequestReader(Limits(body=10_000_000))
    reader.feed(POST + b"Transfer-Encoding: chunked\r\n\r\n")
    reader.next()
    tracemalloc.start()
    for _ in range(1000):
        reader.feed(b"1000\r\n" + b"x" * 4096 + b"\r\n")
        assert reader.next() is None
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2.5 * 4_096_000
