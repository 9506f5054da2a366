"""What the engine and its fork-server say to each other: small JSON messages, with open files beside them.

Invariant: one message per packet; used by both ends, so it knows neither event loop nor processes.
"""

import json
import os
import socket
from collections.abc import Mapping, Sequence
from typing import Any

_LARGEST = 128 * 1024
_MOST_FILES = 8

Message = dict[str, Any]


def open_pair() -> tuple[socket.socket, socket.socket]:
    """Return the two ends of a control line: packets, in order, ending when either side goes away."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def send_message(line: socket.socket, message: Mapping[str, Any], files: Sequence[int] = ()) -> None:
    """Send one message; the open files arrive as new descriptors."""
    packet = json.dumps(message).encode("ascii")
    if files:
        socket.send_fds(line, [packet], list(files))
    else:
        line.send(packet)


def receive_message(line: socket.socket) -> tuple[Message | None, list[int]]:
    """Return the next message and the files that came with it; ``None`` at the end of the line."""
    packet, files, _, _ = socket.recv_fds(line, _LARGEST, _MOST_FILES)
    for each in files:
        os.set_inheritable(each, False)  # noqa: FBT003 - the standard library's signature
    if not packet:
        return None, files
    message: Message = json.loads(packet)
    return message, files
