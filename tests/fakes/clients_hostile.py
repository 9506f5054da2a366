"""What nobody sends who means well: forms, JSON and targets that break readers."""

import json

_LONG = 900_000


def form(*parts: bytes, boundary: bytes = b"B") -> bytes:
    mark = b"--" + boundary
    return b"".join(b"%b\r\n%b\r\n" % (mark, part) for part in parts) + mark + b"--\r\n"


def field(name: bytes, content: bytes = b"x", *, more: bytes = b"", above: bytes = b"") -> bytes:
    return b'%bContent-Disposition: form-data; name="%b"%b\r\n\r\n%b' % (above, name, more, content)


_USUAL = "multipart/form-data; boundary=B"
_NESTED = b"Content-Type: multipart/mixed; boundary=C\r\n"
_ESCAPED = b'Content-Disposition: form-data; name="' + b'\\"' * 8000 + b'"\r\n\r\nx'

FORMS: dict[str, tuple[int, str, bytes]] = {
    "10,000 parts": (413, _USUAL, form(*(field(b"%d" % at) for at in range(10_000)))),
    "10,000 parts without anything": (400, _USUAL, b"--B\r\n\r\n" * 10_000 + b"--B--\r\n"),
    "900 parts of one name": (200, _USUAL, form(*[field(b"same")] * 900)),
    "no boundary": (400, "multipart/form-data", form(field(b"a"))),
    "an empty boundary": (400, "multipart/form-data; boundary=", form(field(b"a"))),
    "a long boundary": (400, f"multipart/form-data; boundary={'x' * 30_000}", form(field(b"a"))),
    "two boundaries": (400, f"{_USUAL}; boundary=C", form(field(b"a"))),
    "a boundary of semicolons": (400, f"multipart/form-data; boundary={';' * 30_000}", form(field(b"a"))),
    "another boundary": (400, _USUAL, form(field(b"a"), boundary=b"C")),
    "nothing": (400, _USUAL, b""),
    "no end": (400, _USUAL, form(field(b"a"))[:-8]),
    "a path as a name": (200, _USUAL, form(field(b"../x", more=b'; filename="../../../etc/passwd"'))),
    "a line end in a name": (200, _USUAL, form(field(b"a%0D%0AX-Evil: 1"))),
    "a NUL in a name": (400, _USUAL, form(field(b"\0"))),
    "no UTF-8 in a name": (400, _USUAL, form(field(b"\xed\xa0\x80"))),
    "a name of Python's": (200, _USUAL, form(field(b"__class__"), field(b"body"), field(b"data"))),
    "a name of 16,000 bytes": (200, _USUAL, form(field(b"n" * 16_000))),
    "a name of escapes": (200, _USUAL, form(_ESCAPED)),
    "a form in a form": (200, _USUAL, form(field(b"a", form(field(b"b"), boundary=b"C"), above=_NESTED))),
    "a huge preamble": (200, _USUAL, b"x" * _LONG + b"\r\n" + form(field(b"a"))),
    "a preamble of almost boundaries": (200, _USUAL, b"\r\n--" * 200_000 + b"x\r\n" + form(field(b"a"))),
    "10,000 fields in a part": (400, _USUAL, form(field(b"a", above=b"X: x\r\n" * 10_000))),
    "a long field in a part": (400, _USUAL, form(field(b"a", above=b"X: " + b"x" * 500_000 + b"\r\n"))),
    "a part in base64": (400, _USUAL, form(field(b"a", above=b"Content-Transfer-Encoding: base64\r\n"))),
    "100,000 fields of a plain form": (413, "application/x-www-form-urlencoded", b"a=1&" * 100_000),
    "a plain form of percent signs": (200, "application/x-www-form-urlencoded", b"%" * _LONG),
    "a plain form in no UTF-8": (400, "application/x-www-form-urlencoded", b"%ff=1"),
}
"""Status, type, body; what is a form all the same reaches the handler."""

JSONS: dict[str, bytes] = {
    "brackets, 400,000 deep": b"[" * 400_000 + b"]" * 400_000,
    "braces, 100,000 deep": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "brackets that stay open": b"[" * _LONG,
    "a number of 900,000 digits": b"1" * _LONG,
    "such a number in a list": b"[%b]" % (b"9" * _LONG),
    "such a fraction": b"0." + b"3" * _LONG,
    "an endless number": b"1e999999",
    "no number": b"NaN",
    "no numbers": b"[Infinity, -Infinity, NaN]",
    "half a character": b'"\\ud800"',
    "half a character as a key": b'{"\\udfff": 1}',
    "half a character, raw": b'"\xed\xa0\x80"',
    "a key twice": b'{"a": 1, "a": 2}',
    "keys that collide": json.dumps({str(2**61 * at): at for at in range(20_000)}).encode(),
    "an order mark": b"\xef\xbb\xbf{}",
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "two values": b"{} {}",
    "nothing": b"",
    "a NUL": b"\0",
    "150,000 escapes": b'"' + b"\\u0000" * 150_000 + b'"',
}

TENSORS = [
    b'{"inputs": [{"name": "x", "shape": [1], "datatype": "INT64", "data": [%b]}]}',
    b'{"inputs": [{"name": "x", "shape": [1], "datatype": "FP64", "data": %b}]}',
    b'{"inputs": [{"name": "x", "shape": [1], "datatype": "BYTES", "data": [%b]}]}',
    b'{"inputs": [{"name": "x", "shape": [%b], "datatype": "FP32", "data": [1]}]}',
    b'{"inputs": [{"name": %b, "shape": [1], "datatype": "FP32", "data": [1]}]}',
    b'{"id": %b, "inputs": [{"name": "x", "shape": [1], "datatype": "FP32", "data": [1]}]}',
    b'{"parameters": %b, "inputs": [{"name": "x", "shape": [1], "datatype": "FP32", "data": [1]}]}',
]
"""Where the strange may stand in a request of the second protocol."""

SPLITTING = [
    "/wfpredict/a%0d%0aX-Evil:%201",
    "/wfpredict/a%0aX-Evil:%201",
    "/wfpredict/a%00",
    "/wfpredict/echo/%0d%0aX-Evil:%201",
    "/wfpredict/echo?a=%0d%0aX-Evil:%201",
    "/wfpredict/%E5%98%8A%E5%98%8DX-Evil:%201",  # whose low bytes are a line end
    "/predictions/echo__echo/1.0/%0d%0aX-Evil:%201",
    "/v2/models/%0d%0aX-Evil:%201/infer",
    "/%0d%0aX-Evil:%201",
    "/workflows/%0d%0aX-Evil:%201",
    "/workflows?url=%0d%0aX-Evil:%201",
    "/workflows?url=echo.war&workflow_name=%0d%0aX-Evil:%201",
]
"""Targets that would end a field of the answer if they were written into one."""

MANAGEMENT = [
    *("/workflows", "/workflows/", "//workflows", "/%77orkflows", "/./workflows", "/workflows/.", "/x/../workflows"),
    *("/%2e/workflows", "/workflows%2f", "/workflows%00", "/WORKFLOWS", "/workflows;a", "/workflows?limit=1"),
    *("/workflows/token", "/workflows?/token", "/workflows/{name}/", "/workflows/{name}", "/workflows/%65cho"),
    *("/workflows/{name}/1.0", "/workflows/{name}/all", "/workflows/{name}/nodes/echo", "/models/{name}__echo"),
    *(
        "/workflows/{name}/1.0/set-default",
        "/models",
        "http://localhost/workflows",
        "http://localhost//workflows/{name}",
    ),
    *("/token", "/token?type=management", "/nowhere", "/%2f"),
]
"""Ways to the management of workflows, and such as look like some."""
