"""The id of a request, end to end: the client's own where it is one, else one of ours.

Invariant: whatever a client sends, an id can stand in a header, a log line and a trace.
"""

import re
from collections.abc import Mapping

from wfctl.engine.call import REQUEST_ID, Headers, RequestIds, random_digits, with_header, write_headers
from wfctl.web.wire.messages import Head

_OWN = re.compile(r"[A-Za-z0-9._:/+=@\-]{1,128}")


class IdMaker:
    """Gives every request an id."""

    def __init__(self) -> None:
        self._ids = RequestIds(random_digits())
        self._count = 0

    def of(self, head: Head) -> str:
        """Return the id of a request: the client's, if it sent one of at most 128 plain characters."""
        sent = head.headers.get(REQUEST_ID)
        if sent is not None and _OWN.fullmatch(sent):
            return sent
        self._count += 1
        return self._ids.of(self._count)


def headers_with_id(head: Head, request_id: str, more: Mapping[str, str] | None = None) -> Headers:
    """Return what handlers see of a request: its fields, its id in place of what the client sent as one, and more."""
    text = with_header(head.fields.for_handlers(_without_id), REQUEST_ID, request_id)
    for name, value in (more or {}).items():
        text = with_header(text, name, value)
    return Headers(None, text)


def _without_id(sent: dict[str, str]) -> bytes:
    return write_headers({name: value for name, value in sent.items() if name.lower() != REQUEST_ID})
