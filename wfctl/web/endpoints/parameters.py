"""What a management request asks for: parameters of its query, or of a JSON body.

Pure. Invariant: an unknown parameter is left alone, as in the original, and one that cannot be read is an error that
names it, where the original takes the default in silence.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from wfctl.web.answers import JSON
from wfctl.web.asked import Asked
from wfctl.web.wire.bodies import decompressed
from wfctl.web.wire.messages import RequestError

_LONGEST = 64 * 1024
_PAGE = 100
_NUMBER = re.compile(r"-?[0-9]{1,9}", re.ASCII)
_TRUE, _FALSE = frozenset({"true", "1", "yes", "on"}), frozenset({"false", "0", "no", "off"})


class Parameters:
    """Names and values, which may be text or what JSON has."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def text(self, name: str) -> str | None:
        """Return a text, ``None`` where there is none."""
        value = self._values.get(name)
        if value is None or value == "":
            return None
        if isinstance(value, bool | list | dict):
            raise RequestError(400, f"Parameter {name} is a text, and not {json.dumps(value)}")
        return str(value)

    def number(self, name: str, usual: int | None, *, least: int = 0, most: int = 10**9) -> int | None:
        """Return a whole number from ``least`` to ``most``; ``usual`` where there is none."""
        value = self._values.get(name)
        if value is None or value == "":
            return usual
        if not _NUMBER.fullmatch(str(value)):  # neither text nor a boolean nor a fraction
            raise RequestError(400, f"Parameter {name} is a whole number, and not {value!r}")
        if not least <= int(value) <= most:
            raise RequestError(400, f"Parameter {name} is from {least} to {most}, and not {value}")
        return int(value)

    def switch(self, name: str, *, usual: bool) -> bool:
        """Return whether something is wished."""
        value = self._values.get(name)
        if value is None or value == "":
            return usual
        word = str(value).lower()
        if word in _TRUE:
            return True
        if word in _FALSE:
            return False
        raise RequestError(400, f"Parameter {name} is true or false, and not {value!r}")


def parameters_of(asked: Asked) -> Parameters:
    """Return the parameters of a request; those of a JSON body beat those of the query. Raises ``RequestError``."""
    kind = asked.head.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != JSON or not asked.body:
        return Parameters(asked.query)
    if len(asked.body) > _LONGEST:
        raise RequestError(413, "the parameters are too long")
    body = decompressed(asked.body, asked.head.headers.get("content-encoding", ""), most=_LONGEST)
    try:
        told = json.loads(bytes(body))
    except (ValueError, RecursionError) as error:
        raise RequestError(400, f"the body is no JSON: {error}") from None
    if not isinstance(told, dict):
        raise RequestError(400, "the body is no JSON object")
    return Parameters({**asked.query, **told})


def page_of(asked: Asked) -> tuple[int, int]:
    """Return where a page of a list begins and how long it is: ``next_page_token`` and ``limit``."""
    parameters = Parameters(asked.query)
    limit = _lenient(parameters, "limit", _PAGE)
    return _lenient(parameters, "next_page_token", 0), limit if 0 < limit <= _PAGE else _PAGE


def _lenient(parameters: Parameters, name: str, usual: int) -> int:
    # As in the original: a list is given, whatever was meant.
    try:
        return parameters.number(name, usual) or 0
    except RequestError:
        return usual
