"""What a line of a log looks like, as text or as JSON.

Pure but for the clock that is handed in. Invariant: what a client or a handler says never ends a line and never begins
one: what cannot be printed is escaped, and text of several lines has each of them behind a mark.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from json.encoder import encode_basestring_ascii as quoted
from time import gmtime, strftime

from wfctl.render.text import harmless

Value = str | int | float | Sequence[str]

LONGEST_PATH = 200
"""Characters of a path."""
LONGEST_LINE = 8192
"""Characters of one line that user code printed."""
LONGEST_BLOCK = 32_768
"""Characters of text of several lines, of which the end is kept."""
_CUT = "..."
_BETWEEN = 7
"""Spaces in the line of a request."""
_MARK = "  | "


class Form(StrEnum):
    """How a log is written."""

    TEXT = "text"
    JSON = "json"


class Level(StrEnum):
    """How much an event matters."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Stamp:
    """Tells the time as a log does: ISO 8601, UTC, milliseconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        """Seconds since the epoch."""
        self._second = -1
        self._begin = ""
        """The last second as text, for making it is most of the work."""

    def now(self) -> str:
        """Return the time of this moment."""
        now = self._clock()
        second = int(now)
        if second != self._second:
            self._second = second
            self._begin = strftime("%Y-%m-%dT%H:%M:%S.", gmtime(second))
        return f"{self._begin}{int((now - second) * 1000):03d}Z"


def text_request(  # noqa: PLR0917 - keywords cost time on the hottest path
    time: str, method: str, path: str, status: int, size: int, took_s: float, request_id: str, workflow: str
) -> str:
    """Return the line of a request: eight words, ``-`` for what there is not; milliseconds have three decimals."""
    path = path if len(path) <= LONGEST_PATH else _cut(path, LONGEST_PATH)
    milliseconds = f"{took_s * 1000:.3f}"
    line = f"{time} {method or '-'} {path or '-'} {status} {size} {milliseconds} {request_id or '-'} {workflow or '-'}"
    if line.isascii() and line.isprintable() and line.count(" ") == _BETWEEN:
        return line + "\n"
    words = [_word(each) for each in (method, path, request_id, workflow)]
    return f"{time} {words[0]} {words[1]} {status} {size} {milliseconds} {words[2]} {words[3]}\n"


def json_request(  # noqa: PLR0917 - keywords cost time on the hottest path
    time: str, method: str, path: str, status: int, size: int, took_s: float, request_id: str, workflow: str
) -> str:
    """Return the line of a request as one object; ``null`` for what there is not."""
    path = path if len(path) <= LONGEST_PATH else _cut(path, LONGEST_PATH)
    return (
        f'{{"time":"{time}","method":{quoted(method) if method else "null"},"path":{quoted(path) if path else "null"},'
        f'"status":{status},"bytes":{size},"ms":{took_s * 1000:.3f},"request_id":{quoted(request_id)},'
        f'"workflow":{quoted(workflow) if workflow else "null"}}}\n'
    )


def event_line(
    form: Form,
    time: str,
    level: Level,
    event: str,
    fields: Mapping[str, Value],
    *,
    block: tuple[str, str] | None = None,
) -> str:
    """Return what is written of an event; ``block`` is the name and the text of something that has several lines."""
    name, text = block or ("", "")
    text = text if len(text) <= LONGEST_BLOCK else _CUT + text[-LONGEST_BLOCK:]
    if form is Form.JSON:
        more = {name: text} if name else {}
        whole = {"time": time, "level": level, "event": event, **fields, **more}
        return json.dumps(whole, separators=(",", ":")) + "\n"
    pairs = "".join(f" {key}={_value(value)}" for key, value in fields.items())
    rest = "".join(f"{_MARK}{printable(line)}\n" for line in text.splitlines())
    return f"{time} {level} {event}{pairs}\n{rest}"


def output_line(form: Form, time: str, node: str, stream: str, line: str) -> str:
    """Return a line that user code printed."""
    line = _cut(line, LONGEST_LINE)
    if form is Form.JSON:
        return event_line(form, time, Level.INFO, "output", {"node": node, "stream": stream, "line": line})
    return f"{time} output {_word(node)} {_word(stream)} | {printable(line)}\n"


def printable(text: str) -> str:
    r"""Return text with everything escaped that is neither printable nor a space: ``\n``, ``\x1b``, ``\u202e``."""
    return text if text.isprintable() else harmless(text)


def _word(text: str) -> str:
    """Return text as one word of ASCII."""
    return text.encode("unicode_escape").decode("ascii").replace(" ", "\\x20") or "-"


def _value(value: Value) -> str:
    """Return a value of a field; in quotes what would not be one word."""
    if isinstance(value, int | float):
        return f"{value:.3f}" if isinstance(value, float) else str(value)
    text = value if isinstance(value, str) else ",".join(value)
    is_word = text.isprintable() and text and not any(each in text for each in ' "=\\')
    return text if is_word else printable(json.dumps(text, ensure_ascii=False))


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - len(_CUT)] + _CUT
