"""Bodies of requests as parts: forms, files, compressed ones, and what only looks like them."""

import email.policy
import gzip
import tracemalloc
from email.parser import BytesParser
from urllib.parse import unquote_to_bytes, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wfctl.web.wire.bodies import parts_of, takes_time
from wfctl.web.wire.messages import RequestError
from wfctl.web.wire.multipart import MOST_FIELDS, FormField, parameters_of, read_multipart


def parts(body: bytes, content_type: str = "", encoding: str = "", *, most: int = 10**6) -> list[tuple]:
    headers = {"content-type": content_type, "content-encoding": encoding}
    return [(each.name, bytes(each.body), each.content_type) for each in parts_of(headers, bytearray(body), most=most)]


def refusal(*args, **kwargs) -> tuple[int, str]:
    with pytest.raises(RequestError) as caught:
        parts(*args, **kwargs)
    return caught.value.status, caught.value.message


def zipped(body: bytes) -> bytes:
    """Compress without the time: processes that collect these tests beside one another must find the same."""
    return gzip.compress(body, mtime=0)


@pytest.mark.parametrize("content_type", ["", "application/json", "text/plain; charset=utf-8", "multipart/mixed"])
def test_a_plain_body_is_one_part_with_its_type(content_type):
    assert parts(b'{"a": 1}', content_type) == [("body", b'{"a": 1}', content_type)]


def test_a_body_is_handed_on_without_a_copy():
    body = bytearray(b"x" * 1000)
    (part,) = parts_of({}, body, most=10)
    assert part.body is body


# Forms


@given(st.lists(st.tuples(st.text(min_size=1, max_size=8), st.binary(max_size=8)), max_size=5))
def test_fields_of_a_form_come_out_as_they_went_in(fields):
    body = urlencode([(name.encode("utf-8", "replace"), value) for name, value in fields]).encode()
    expected = [(name.encode("utf-8", "replace").decode(), value, "") for name, value in fields]
    assert parts(body, "application/x-www-form-urlencoded; charset=UTF-8") == expected


@given(st.lists(st.sampled_from([b"%", b"%4", b"%41", b"%3D", b"%25", b"=", b"\r\n", b"_", b"a" * 16_000, b"\xff"])))
def test_escapes_of_a_form_are_read_as_the_standard_library_reads_them(pieces):
    value = b"".join(pieces)
    (found,) = parts(b"a=" + value, "application/x-www-form-urlencoded")
    assert found == ("a", unquote_to_bytes(value), "")


def test_a_body_that_takes_time_is_told_from_one_that_does_not():
    form, files = "application/x-www-form-urlencoded", "multipart/form-data; boundary=b"
    assert takes_time({"content-encoding": "gzip"}, bytearray(b"x"))
    assert not takes_time({"content-encoding": "identity"}, bytearray(b"x"))
    for kind in (form, files):
        assert takes_time({"content-type": kind}, bytearray(65_537))
        assert not takes_time({"content-type": kind}, bytearray(65_536))
    assert takes_time({"content-type": files}, bytearray(b"\r\n--b" * 33))
    assert not takes_time({"content-type": "image/png"}, bytearray(10_000_000))


def test_odd_fields_of_a_form():
    form = "application/x-www-form-urlencoded"
    assert parts(b"a&b=&=c&&d=e=f&g=1+2%2B3%zz", form) == [
        ("a", b"", ""),
        ("b", b"", ""),
        ("", b"c", ""),
        ("d", b"e=f", ""),
        ("g", b"1 2+3%zz", ""),
    ]
    assert refusal(b"%ff=1", form)[0] == 400
    assert refusal(b"&".join([b"a=1"] * (MOST_FIELDS + 1)), form)[0] == 413
    assert refusal(b"&" * MOST_FIELDS + b"a=1&b=2", form)[0] == 413


@pytest.mark.parametrize("piece", [b"%", b"%41", b"%4", b"a", b"+", b"%zz"])
def test_a_form_takes_no_more_memory_than_a_few_times_its_size(piece):
    times = 3_000_000 // len(piece)
    body = b"a=" + piece * times
    tracemalloc.start()
    ((_, value, _),) = parts(body, "application/x-www-form-urlencoded", most=10**7)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 6 * len(body)
    assert value == piece.replace(b"+", b" ").replace(b"%41", b"A") * times


# Forms with files

TYPE = 'multipart/form-data; boundary="b 1"'


def form(*fields: bytes) -> bytes:
    return b"".join(b"--b 1\r\nContent-Disposition: form-data; " + each + b"\r\n" for each in fields) + b"--b 1--\r\n"


def test_only_a_file_keeps_its_type():
    body = form(
        b'name="data"; filename="a.json"\r\nContent-Type: application/json\r\n\r\n{}',
        b'name="note"\r\nContent-Type: text/plain\r\n\r\nwords',
        b"name=bare\r\n\r\n",
        b'name="file"; filename=""\r\n\r\n\x00\xff\r\n--b 2\r\n',
    )
    assert parts(body, TYPE) == [
        ("data", b"{}", "application/json"),
        ("note", b"words", ""),
        ("bare", b"", ""),
        ("file", b"\x00\xff\r\n--b 2\r\n", ""),
    ]


def test_names_are_read_as_browsers_and_programs_write_them():
    body = form(
        b'name="a%22b%0D%0Ac%41"\r\n\r\n1',
        b'name="a\\"b\\\\"\r\n\r\n2',
        'name="größe"; filename="..\\x"\r\n\r\n3'.encode(),
        b"NAME=x\r\n\r\n4",
    )
    assert [name for name, _, _ in parts(body, TYPE)] == ['a"b\r\nc%41', 'a"b\\', "größe", "x"]


def test_what_stands_before_and_behind_a_form_is_nothing():
    assert parts(b"preamble\r\n" + form(b"name=a\r\n\r\n1") + b"epilogue", TYPE) == [("a", b"1", "")]
    assert parts(b"--b 1--", TYPE) == []


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (form(b"name=a\r\n\r\n1"), "multipart/form-data"),
        (form(b"name=a\r\n\r\n1"), "multipart/form-data; boundary="),
        (form(b"name=a\r\n\r\n1"), "multipart/form-data; boundary=other"),
        (form(b"name=a\r\n\r\n1"), "multipart/form-data; boundary=a; boundary=b"),
        (form(b"name=a\r\n\r\n1"), 'multipart/form-data; boundary="' + "b" * 71 + '"'),
        (form(b"name=a\r\n\r\n1"), 'multipart/form-data; boundary="b '),
        (form(b"name=a\r\n\r\n1")[:-6], TYPE),
        (form(b"filename=a\r\n\r\n1"), TYPE),
        (form(b"name=a; name=b\r\n\r\n1"), TYPE),
        (form(b"name=a\r\nContent-Disposition: form-data; name=b\r\n\r\n1"), TYPE),
        (form(b"name=a\r\n folded\r\n\r\n1"), TYPE),
        (form(b"name=a\r\nContent-Transfer-Encoding: base64\r\n\r\nMQ=="), TYPE),
        (form(b"name=a\r\n1"), TYPE),
        (form(b"name=\xff\r\n\r\n1"), TYPE),
        (b"--b 1 x\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--b 1--", TYPE),
        (b"--b 1\r\n\r\n1\r\n--b 1--", TYPE),
        (b"--b 1\r\n--b 1--", TYPE),
        (b"", TYPE),
    ],
)
def test_a_form_that_is_none_is_refused(body, content_type):
    assert refusal(body, content_type)[0] == 400


def test_a_form_has_an_end():
    assert refusal(form(*[b"name=a\r\n\r\n1"] * (MOST_FIELDS + 1)), TYPE)[0] == 413
    assert refusal(form(b"name=" + b"a" * 20_000 + b"\r\n\r\n1"), TYPE)[0] == 400


NAMES = st.text(
    st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"], exclude_characters='%"\\'), min_size=1, max_size=8
)


@given(st.lists(st.tuples(NAMES, st.none() | NAMES, st.binary(max_size=40)), max_size=4))
def test_what_we_read_of_a_form_the_standard_library_reads_too(fields):
    body = b""
    for name, file_name, content in fields:
        more = f'; filename="{file_name}"' if file_name is not None else ""
        body += f'--xyz\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'.encode() + content + b"\r\n"
    body += b"--xyz--\r\n"
    found = read_multipart(body, "xyz")
    assert found == [FormField(name, content, file_name) for name, file_name, content in fields]
    if fields and all(content.isascii() and b"\r" not in content and b"\n" not in content for *_, content in fields):
        message = BytesParser(policy=email.policy.HTTP).parsebytes(
            b"Content-Type: multipart/form-data; boundary=xyz\r\n\r\n" + body
        )
        assert [part.get_payload(decode=True) for part in message.iter_parts()] == [each.content for each in found]


def test_parameters_of_a_value():
    assert parameters_of('Form-Data ; A=b;c="d;e" ') == ("form-data", {"a": "b", "c": "d;e"})
    for wrong in ("a;", "a; b", 'a; b="', "a; b=c d", "a; b==c;;"):
        with pytest.raises(RequestError):
            parameters_of(wrong)


# Compressed bodies


@given(st.lists(st.binary(max_size=3000), min_size=1, max_size=3))
def test_a_compressed_body_is_read_in_all_its_pieces(pieces):
    assert parts(b"".join(map(zipped, pieces)), "", "GZip") == [("body", b"".join(pieces), "")]


def test_a_compressed_body_has_a_limit_and_takes_no_more_memory():
    bomb = zipped(bytes(50_000_000))
    tracemalloc.start()
    assert refusal(bomb, "", "gzip", most=100_000)[0] == 413
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2_000_000
    assert parts(zipped(b"x" * 100), "", "gzip", most=100) == [("body", b"x" * 100, "")]
    assert refusal(zipped(b"x" * 101), "", "gzip", most=100)[0] == 413


@pytest.mark.parametrize(
    ("body", "encoding", "status"),
    [
        (b"plain", "gzip", 400),
        (zipped(b"x" * 100)[:-1], "gzip", 400),
        (zipped(b"x" * 100)[:-5] + b"12345", "gzip", 400),
        (zipped(b"x") + b"rubbish", "gzip", 400),
        (zipped(b"") * 17, "gzip", 400),
        (b"x", "br", 415),
        (zipped(zipped(b"x")), "gzip, gzip", 415),
    ],
)
def test_a_body_that_was_not_compressed_as_it_says_is_refused(body, encoding, status):
    assert refusal(body, "", encoding)[0] == status
