"""An answer or a failure as one line of JSON.

A JSON answer stands in the line as it is, byte for byte but for line ends and indentation; text becomes a JSON string;
anything else stands under ``answer_b64``. Invariant: every line is strict JSON, and says its number and status first.
"""

import json
import re
from base64 import b64encode
from typing import NamedTuple

from wfctl.bulk.item import Item
from wfctl.engine.core.outcome import RunResult
from wfctl.errors import RunError, WfctlError

NUMBERED = re.compile(rb'\{"number": (\d+), "status": (\d+), ')
"""How every line begins."""
FIRST_ERROR = 400
"""The lowest status of a failure."""
_TRACEBACK = 4000
"""Characters; the end of a traceback says what happened."""
_LINE_ENDS = re.compile(rb"[\r\n]\s*")


class _NotStrictError(Exception):
    """``NaN`` or an infinity."""


def _refuse(_constant: str) -> None:
    raise _NotStrictError


def _nothing(_constant: str) -> None:
    """Read ``NaN`` and the infinities as ``null``: JSON has no other word for them."""


_strict = json.JSONDecoder(parse_constant=_refuse).raw_decode


class Told(NamedTuple):
    """What a body is: ``json`` and ``text`` are JSON texts on one line."""

    kind: str
    body: bytes


def told(body: bytes, content_type: str | None) -> Told:
    """Return an answer's body as it is written: ``json``, ``text`` or, as it was, ``bytes``."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return Told("bytes", body)
    if content_type is None or "json" in content_type or not content_type.startswith("text/"):
        found = _as_json(text, body)
        if found is not None:
            return Told("json", found)
    return Told("text", json.dumps(text, ensure_ascii=False).encode())


def _as_json(text: str, body: bytes) -> bytes | None:
    try:
        _, end = _strict(text, 0)
        if end != len(text):
            return _as_json_anyhow(text)
    except _NotStrictError:
        return _as_json_anyhow(text)
    except (ValueError, RecursionError):
        return _as_json_anyhow(text) if text[:1].isspace() else None
    if b"\n" not in body and b"\r" not in body:
        return body
    # No string of JSON holds a line end as it is, so every one of them is only space.
    return _LINE_ENDS.sub(b"", body.replace(b",\n", b", \n"))


def _as_json_anyhow(text: str) -> bytes | None:
    """Return JSON with space around it, or with numbers that JSON does not have."""
    try:
        return json.dumps(json.loads(text, parse_constant=_nothing), ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None


def answer_line(item: Item, result: RunResult) -> bytes:
    """Return the line of an input that was answered."""
    head = _head(item, result.status)
    kind, body = told(result.body, result.content_type)
    if kind == "bytes":
        # Types are harmless text, but written by a handler.
        of_type = b', "content_type": %b' % json.dumps(result.content_type).encode() if result.content_type else b""
        return b'%b"answer_b64": "%b"%b}\n' % (head, b64encode(body), of_type)
    return b'%b"answer": %b}\n' % (head, body)


def error_line(item: Item, status: int, told_error: dict[str, object]) -> bytes:
    """Return the line of an input that failed."""
    return b'%b"error": %b}\n' % (_head(item, status), json.dumps(told_error).encode())


def _head(item: Item, status: int) -> bytes:
    if item.name is None:
        return b'{"number": %d, "status": %d, ' % (item.number, status)
    # A name that is no UTF-8 is written as the escapes that lead back to it.
    return b'{"number": %d, "status": %d, "input": %b, ' % (item.number, status, json.dumps(item.name).encode())


def told_fault(fault: str) -> tuple[int, dict[str, object]]:
    """Return status and words for an input that could not be sent."""
    return FIRST_ERROR, {"code": "bad-input", "message": fault}


def told_error(error: WfctlError) -> tuple[int, dict[str, object]]:
    """Return status and words for an input that a node failed."""
    words: dict[str, object] = {"code": error.code, "message": error.message}
    if not isinstance(error, RunError):
        return 500, words
    words |= {"node": error.node, "attempts": error.attempts}
    if error.traceback_text and "\n" in error.traceback_text.strip():
        words["traceback"] = error.traceback_text[-_TRACEBACK:]
    return max(error.status, FIRST_ERROR), words
