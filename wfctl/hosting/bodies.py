"""What becomes of one item that a handler returned: bytes for the next node, or for a client.

Invariant: who is to get it decides its form, and not what it is.
"""

from collections.abc import Callable
from typing import Any

from wfctl.engine.call import Call, Pieces
from wfctl.hosting.outputs import to_bytes, to_json
from wfctl.hosting.protocols import write_protocol


class BodyMaker:
    """Makes the bodies of one node's answers."""

    def __init__(self, node: str, pack: Callable[[Any], bytes | Pieces] = to_bytes) -> None:
        self._node = node
        self._pack = pack
        """For the next node; a client is always sent bytes."""

    def of(self, call: Call, output: Any) -> bytes | Pieces:
        """Return the body of one answer; raises ``UnsupportedOutputError``."""
        if not call.form:
            return self._pack(output)
        if call.as_json:
            return write_protocol(output, call.face, self._node) if call.face else to_json(output)
        return to_bytes(output) if call.stands_alone else self._pack(output)
