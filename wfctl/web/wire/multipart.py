"""Bodies of forms with files (RFC 7578, ``multipart/form-data``) as fields.

Pure and strict, as ``http1`` is. Invariant: time is linear in the body, and memory is twice the body at most.
"""

import re
from dataclasses import dataclass

from wfctl.web.wire.grammar import NAME
from wfctl.web.wire.messages import RequestError

MOST_FIELDS = 1000
"""Fields of one form."""
_LONGEST_HEAD = 16 * 1024
"""Bytes of what stands above the content of a part."""

_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]")
_PARAMETER = re.compile(rf";[ \t]*+({NAME})[ \t]*+=[ \t]*+(?:\"((?:[^\"\\]|\\.)*+)\"|([^\s;\"]++))[ \t]*+")
_FIELD = re.compile(rf"({NAME}):([^\x00-\x08\x0a-\x1f\x7f]*+)")
_BROWSERS = {"%22": '"', "%0D": "\r", "%0A": "\n"}
_AS_IT_IS = frozenset({"binary", "8bit", "7bit"})


@dataclass(frozen=True, slots=True)
class FormField:
    """One field of a form."""

    name: str
    content: bytes
    file_name: str | None = None
    content_type: str = ""
    """As the client said; empty if it did not."""


def parameters_of(value: str) -> tuple[str, dict[str, str]]:
    """Return what stands before the parameters of a field's value, in lower case, and these by their names.

    Raises ``RequestError`` for anything else, and for a name that stands twice.
    """
    begin, _, _ = value.partition(";")
    at, found = len(begin), {}
    while at < len(value):
        match = _PARAMETER.match(value, at)
        if match is None or match[1].lower() in found:
            raise RequestError(400, f"{value[:100]!r} cannot be read")
        quoted = match[2]
        found[match[1].lower()] = match[3] if quoted is None else re.sub(r"\\([\"\\])", r"\1", quoted)
        at = match.end()
    return begin.strip(" \t").lower(), found


def read_multipart(body: bytes | bytearray, boundary: str | None) -> list[FormField]:
    """Return the fields of a form in their order; raises ``RequestError``."""
    if boundary is None or not _BOUNDARY.fullmatch(boundary):
        raise RequestError(400, "the form names no boundary of its parts")
    mark = b"--" + boundary.encode("ascii")
    at = 0 if body.startswith(mark) else body.find(b"\r\n" + mark) + 2
    if at == 1:
        raise RequestError(400, "the form does not begin with its boundary")
    fields: list[FormField] = []
    while True:
        at += len(mark)
        if body.startswith(b"--", at):
            return fields
        if len(fields) == MOST_FIELDS:
            raise RequestError(413, f"the form has more than {MOST_FIELDS} fields")
        begin = _behind_line(body, at)
        end = body.find(b"\r\n" + mark, begin - 2)  # a part may have neither fields nor content
        if end < 0:
            raise RequestError(400, "the form breaks off")
        fields.append(_field(bytes(body[begin : max(begin, end)])))
        at = end + 2


def _behind_line(body: bytes | bytearray, at: int) -> int:
    end = body.find(b"\r\n", at, at + 1000)
    if end < 0 or body[at:end].strip(b" \t"):
        raise RequestError(400, "something stands behind a boundary of the form")
    return end + 2


def _field(part: bytes) -> FormField:
    end = 0 if part.startswith(b"\r\n") else part.find(b"\r\n\r\n", 0, _LONGEST_HEAD) + 2
    if end == 1:
        raise RequestError(400, "a part of the form has no end of its head")
    told = _told(part[:end])
    kind, names = parameters_of(told.get("content-disposition", ""))
    name = names.get("name")
    if kind != "form-data" or name is None:
        raise RequestError(400, "a part of the form has no name")
    if told.get("content-transfer-encoding", "binary").lower() not in _AS_IT_IS:
        raise RequestError(400, "a part of the form is encoded, which forms are not any more")
    file_name = names.get("filename")
    return FormField(
        _unescaped(name),
        part[end + 2 :],
        None if file_name is None else _unescaped(file_name),
        told.get("content-type", ""),
    )


def _told(head: bytes) -> dict[str, str]:
    try:
        lines = head.decode("utf-8").split("\r\n")[:-1]
    except UnicodeDecodeError as error:
        raise RequestError(400, "a name in the form is not UTF-8") from error
    told: dict[str, str] = {}
    for line in lines:
        match = _FIELD.fullmatch(line)
        if match is None or match[1].lower() in told:
            raise RequestError(400, "a part of the form has a line that is no field, or one twice")
        told[match[1].lower()] = match[2].strip(" \t")
    return told


def _unescaped(name: str) -> str:
    """Undo what browsers do to names: these three and nothing else."""
    return re.sub("%22|%0D|%0A", lambda found: _BROWSERS[found[0]], name)
