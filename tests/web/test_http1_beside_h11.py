"""Whatever our reader takes, h11 takes for the same requests; what it refuses, h11 may take or refuse."""

import os
from itertools import pairwise

import h11
from hypothesis import event, given, settings
from hypothesis import strategies as st

from wfctl.web.wire.http1 import RequestReader
from wfctl.web.wire.messages import Head, Limits, RequestError

EXAMPLES = int(os.environ.get("WFCTL_FUZZ_EXAMPLES", "400"))


def by_us(data: bytes, cuts) -> list[tuple] | None:
    """Return the requests in ``data``, up to one that ends the connection; ``None`` if anything is refused."""
    reader, found, head = RequestReader(Limits()), [], None
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    try:
        for begin, end in pairwise(edges):
            reader.feed(data[begin:end])
            while (each := reader.next()) is not None:
                if isinstance(each, Head):
                    head = each
                    continue
                keeps = head.keeps_alive and head.version > 0  # h11 keeps no connection of HTTP/1.0
                fields = {name: _as_h11_has_it(name, value) for name, value in head.headers.items()}
                found.append((head.method, head.target, head.version, sorted(fields.items()), bytes(each), keeps))
                if not keeps:
                    return found
        reader.end()
    except RequestError:
        return None
    return found


def _as_h11_has_it(name: str, value: str) -> str:
    return value.lower() if name == "transfer-encoding" else value


def by_h11(data: bytes) -> list[tuple]:
    """Return the same as h11 sees it; raises ``h11.RemoteProtocolError``."""
    connection, found = h11.Connection(h11.SERVER, max_incomplete_event_size=200_000), []
    connection.receive_data(data)
    connection.receive_data(b"")
    head, body = None, b""
    while True:
        event = connection.next_event()
        if isinstance(event, h11.Request):
            head, body = event, b""
        elif isinstance(event, h11.Data):
            body += bytes(event.data)
        elif isinstance(event, h11.EndOfMessage):
            connection.send(h11.Response(status_code=200, headers=[("content-length", "0")]))
            connection.send(h11.EndOfMessage())
            keeps = connection.our_state is h11.DONE
            found.append((*_told(head), body, keeps))
            if not keeps:
                return found
            connection.start_next_cycle()
        else:
            assert isinstance(event, h11.ConnectionClosed), event
            return found


def _told(head: h11.Request) -> tuple:
    fields: dict[str, str] = {}
    for raw_name, raw_value in head.headers:
        name, value = raw_name.decode(), raw_value.decode("latin-1")
        fields[name] = f"{fields[name]}, {value}" if name in fields else value
    return head.method.decode(), head.target.decode(), int(head.http_version[-1:]), sorted(fields.items())


# Requests, good and a little wrong

TOKENS = st.text("abcXYZ019!#$%&'*+-.^_`|~", min_size=1, max_size=8).map(str.encode)
VALUES = st.text('ab 1\t,;:="()\u00e9', max_size=12).map(lambda text: text.strip(" \t").encode("latin-1"))
TARGETS = st.sampled_from([b"/", b"*", b"/a?b=%20", b"http://h/a", b"/\\#"])
LENGTHS = st.sampled_from([b"0", b"1", b"3", b"03", b"3 ", b"+3", b"3,3", b"", b"1e1"])
FRAMING = st.lists(
    st.one_of(
        LENGTHS.map(lambda length: b"Content-Length: " + length),
        st.sampled_from([b"chunked", b"Chunked", b"identity", b"gzip, chunked", b" chunked "]).map(
            lambda name: b"Transfer-Encoding: " + name
        ),
        st.sampled_from([b"close", b"keep-alive", b"x, Close", b"Keep-Alive, x"]).map(
            lambda name: b"Connection: " + name
        ),
        st.just(b"Expect: 100-continue"),
    ),
    max_size=2,
)
CHUNKS = st.lists(
    st.sampled_from([b"3\r\nabc\r\n", b"01;a=b\r\nx\r\n", b"2\r\nab\r\n", b"a\r\n0123456789\r\n"]), max_size=3
)
BODIES = st.one_of(
    st.just(b""),
    st.binary(max_size=4),
    st.builds(
        lambda chunks, end: b"".join(chunks) + end, CHUNKS, st.sampled_from([b"0\r\n\r\n", b"0\r\nA: b\r\n\r\n"])
    ),
)


@st.composite
def requests(draw):
    fields = draw(st.lists(st.builds(lambda name, value: name + b": " + value, TOKENS, VALUES), max_size=3))
    lines = [
        b"%b %b HTTP/1.%b" % (draw(TOKENS), draw(TARGETS), draw(st.sampled_from([b"1", b"1", b"0"]))),
        *draw(st.permutations([*draw(st.sampled_from([[b"Host: h"], [b"Host: h"], []])), *fields, *draw(FRAMING)])),
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n" + draw(BODIES)


@st.composite
def well_framed(draw):
    body, is_chunked = draw(st.binary(max_size=20)), draw(st.booleans())
    if is_chunked:
        framing = b"Transfer-Encoding: chunked"
        sent = (b"%x\r\n%b\r\n" % (len(body), body) if body else b"") + b"0\r\n\r\n"
    else:
        framing, sent = b"Content-Length: %d" % len(body), body
    fields = draw(st.lists(st.builds(lambda name, value: b"X-" + name + b": " + value, TOKENS, VALUES), max_size=3))
    head = b"\r\n".join([b"%b %b HTTP/1.1" % (draw(TOKENS), draw(TARGETS)), b"Host: h", framing, *fields])
    return head + b"\r\n\r\n" + sent


WRONG = st.sampled_from(
    [b"\r", b"\n", b"\r\n", b" ", b"\t", b":", b",", b"0", b"a", b"\x00", b"\x0b", b"\xff", b";", b""]
)
CUTS = st.lists(st.integers(0, 400), max_size=3)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(well_framed(), min_size=1, max_size=3), CUTS)
def test_good_requests_are_taken_by_both_alike(sent, cuts):
    data = b"".join(sent)
    assert by_us(data, cuts) == by_h11(data)
    assert len(by_h11(data)) == len(sent)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(requests(), min_size=1, max_size=2), CUTS, st.data())
def test_what_we_take_h11_takes_alike(sent, cuts, data):
    text = bytearray(b"".join(sent))
    for _ in range(data.draw(st.integers(0, 3))):
        at = data.draw(st.integers(0, len(text)))
        text[at : at + data.draw(st.integers(0, 2))] = data.draw(WRONG)
    found = by_us(bytes(text), cuts)
    event("taken" if found else "refused")
    if found is not None:
        assert found == by_h11(bytes(text))
    assert found == by_us(bytes(text), ())
