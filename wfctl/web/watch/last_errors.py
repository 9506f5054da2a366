"""The last failures of a server, for people: when, where, and what a client was told.

Invariant: so many and no more, each of bounded size; what a client may not read is not here either: no payloads, no
tracebacks.
"""

import json
import re
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from wfctl.engine.running import AnyRun
from wfctl.errors import RunError
from wfctl.render.text import clip, harmless
from wfctl.web.answers import JSON
from wfctl.web.asked import Asked
from wfctl.web.wire.messages import Response

MOST = 50
_FIRST_FAILURE = 500
_LONGEST_BODY = 16 * 1024
_LONGEST_TEXT = 300
_OF_A_NODE = re.compile(r"Error executing ([^:]{1,200})(?::|\Z)")
"""How a client is told of a handler that failed."""

_Key = tuple[str, str, int, str]


@dataclass(slots=True, kw_only=True)
class LastError:
    """What failed, as often as it failed so."""

    workflow: str
    """"" for what management was asked."""
    node: str
    """"" where it is not known."""
    status: int
    message: str
    at: float
    """Seconds since the epoch, of the last time."""
    count: int = 1


class LastErrors:
    """Keeps the failures that came last; a ``Witness``."""

    def __init__(self) -> None:
        self._found: OrderedDict[_Key, LastError] = OrderedDict()
        self._failed = ("", "")
        """Id of the request whose run failed last, and the node that failed it."""

    def ran(self, asked: Asked, run: AnyRun) -> None:
        """Take the name of the node that failed a run, before the answer is written."""
        if isinstance(run.error, RunError):
            self._failed = (asked.request_id, run.error.node)

    def answered(self, asked: Asked, response: Response, wall: float) -> None:
        """Take note of an answer that is a failure of the server; ``wall`` in seconds since the epoch."""
        if response.status < _FIRST_FAILURE:
            return
        message = _message_of(response)
        if message is None and not asked.workflow:  # health that is asked for and is bad: no failure of its own
            return
        told = clip(harmless(message or "its handler answered so"), _LONGEST_TEXT)
        node = clip(harmless(self._node_of(asked, message or "")), _LONGEST_TEXT)
        key = (asked.workflow, node, response.status, told)
        found = self._found.get(key)
        if found is None:
            self._found[key] = LastError(
                workflow=asked.workflow, node=node, status=response.status, message=told, at=wall
            )
            if len(self._found) > MOST:
                self._found.popitem(last=False)
        else:
            # The same again stands once, or an overloaded server would tell of nothing else.
            found.at, found.count = wall, found.count + 1
            self._found.move_to_end(key)

    def newest_first(self) -> list[dict[str, Any]]:
        """Return them as JSON has them."""
        return [
            {
                "at": round(each.at, 3),
                "workflow": each.workflow,
                "node": each.node,
                "status": each.status,
                "message": each.message,
                "count": each.count,
            }
            for each in reversed(self._found.values())
        ]

    def _node_of(self, asked: Asked, message: str) -> str:
        if self._failed[0] == asked.request_id:
            return self._failed[1]
        found = _OF_A_NODE.match(message)
        return found[1] if found and asked.workflow else ""


def _message_of(response: Response) -> str | None:
    """Return the message of an answer in the form of ``answers.error_response``, ``None`` for any other body."""
    if response.content_type != JSON or len(response.body) > _LONGEST_BODY:
        return None
    try:
        told = json.loads(bytes(response.body))
    except (ValueError, RecursionError):
        return None
    message = told.get("message") if isinstance(told, dict) else None
    return message if isinstance(message, str) else None
