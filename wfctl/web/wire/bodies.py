"""The body of a request as the parts that an entry node gets.

Invariant: a body is opened only as far as the limits go; what a handler decodes is left to its worker.
"""

import re
import zlib
from binascii import a2b_qp
from collections.abc import Mapping
from functools import lru_cache

from wfctl.engine.call import Part
from wfctl.web.wire.messages import RequestError
from wfctl.web.wire.multipart import MOST_FIELDS, parameters_of, read_multipart

_FORM = "application/x-www-form-urlencoded"
_MULTIPART = "multipart/form-data"
_FORMS = frozenset({_FORM, _MULTIPART})
_PLAIN = frozenset({"", "identity"})
_GZIP = frozenset({"gzip", "x-gzip"})
_GZIP_BITS = 31
"""What makes zlib read gzip's own head and checksum."""
_MOST_MEMBERS = 16
_PIECE = 16 * 1024
_NO_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_QUICK = 64 * 1024
"""Bytes of a form that is taken apart in a moment."""
_FEW = 32
"""Parts of such a form."""


def parts_of(headers: Mapping[str, str], body: bytearray, *, most: int) -> tuple[Part, ...]:
    """Return one part for each field of a form, else ``body``; ``most`` bytes after decompression.

    ``headers`` have names in lower case. Raises ``RequestError``.
    """
    encoding = headers.get("content-encoding")
    if encoding is not None:
        body = decompressed(body, encoding, most=most)
    content_type = headers.get("content-type", "")
    kind = _kind_of(content_type)
    if kind == _MULTIPART:
        boundary = parameters_of(content_type)[1].get("boundary")
        fields = read_multipart(body, boundary)
        # As in the original: only a file has a type, whatever is said of other fields.
        return tuple(
            Part(each.name, each.content, "" if each.file_name is None else each.content_type) for each in fields
        )
    if kind == _FORM:
        return tuple(Part(name, value, "") for name, value in _form(body))
    return (Part("body", body, content_type),)


def takes_time(headers: Mapping[str, str], body: bytearray) -> bool:
    """Whether ``parts_of`` may take long: a body that is compressed, or a form that is large."""
    if "content-encoding" in headers:
        return headers["content-encoding"].strip(" \t").lower() not in _PLAIN
    kind = _kind_of(headers.get("content-type", ""))
    return kind in _FORMS and (len(body) > _QUICK or body.count(b"\r\n--") > _FEW)


@lru_cache(maxsize=128)
def _kind_of(content_type: str) -> str:
    return content_type.partition(";")[0].strip(" \t").lower()


def decompressed(body: bytearray, encoding: str, *, most: int) -> bytearray:
    """Undo the ``Content-Encoding`` of a body; raises ``RequestError``."""
    name = encoding.strip(" \t").lower()
    if name in _PLAIN:
        return body
    if name not in _GZIP:
        raise RequestError(415, "bodies are taken as they are, or compressed by gzip")
    found, rest, members = bytearray(), bytes(body), 0
    while rest:
        members += 1
        if members > _MOST_MEMBERS:  # each costs a copy of all that follow
            raise RequestError(400, f"the compressed body has more than {_MOST_MEMBERS} parts")
        reader = zlib.decompressobj(_GZIP_BITS)
        try:
            found += reader.decompress(rest, most + 1 - len(found))
        except zlib.error as error:
            raise RequestError(400, "the body is not what gzip makes") from error
        if len(found) > most:
            raise RequestError(413, f"the body is larger than {most} bytes")
        if not reader.eof:
            raise RequestError(400, "the compressed body breaks off")
        rest = reader.unused_data
    return found


def _unescaped(text: bytes) -> bytes:
    """Undo the escapes of a form, a piece at a time, so that other threads have their turn.

    Quoted-printable is the same with another sign, and the one such reader that makes no object of each escape: what
    is none of ours becomes one of an escape's sign, and so does every sign of theirs.
    """
    if b"%" not in text:
        return text
    found, at = bytearray(), 0
    while at < len(text):
        end = at + _PIECE
        if end < len(text):
            end -= 1 if text[end - 1 : end] == b"%" else 2 if text[end - 2 : end - 1] == b"%" else 0
        piece = _NO_ESCAPE.sub(b"%25", text[at:end])
        found += a2b_qp(piece.replace(b"=", b"%3D").replace(b"%", b"="))
        at = end
    return bytes(found)


def _form(body: bytearray) -> list[tuple[str, bytes]]:
    if body.count(b"&") >= MOST_FIELDS:
        raise RequestError(413, f"the form has more than {MOST_FIELDS} fields")
    pairs = [pair.partition(b"=") for pair in bytes(body).replace(b"+", b" ").split(b"&") if pair]
    try:
        return [(_unescaped(name).decode("utf-8"), _unescaped(value)) for name, _, value in pairs]
    except UnicodeDecodeError as error:
        raise RequestError(400, "a name in the form is not UTF-8") from error
