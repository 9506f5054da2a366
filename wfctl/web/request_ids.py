"""The id of a request, end to end: the client's own where it is one, else one of ours.

Invariant: whatever a client sends, an id can stand in a header, a log line and a trace.
"""

import re

from wfctl.engine.call import REQUEST_ID, RequestIds, random_digits
from wfctl.web.messages import Head

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


def with_id(sent: dict[str, str], request_id: str) -> dict[str, str]:
    """Return the headers of a request with its id among them, in place of what the client sent in its place."""
    for name in [name for name in sent if name.lower() == REQUEST_ID]:
        del sent[name]
    sent[REQUEST_ID] = request_id
    return sent
