"""What handlers print on Ray: taken from Ray, which would print it on the streams of this process."""

import sys
import threading
from collections.abc import Callable
from typing import Any, Final

from ray._private import worker as ray_worker
from ray._private.ray_logging import global_worker_stdstream_dispatcher as streams

OnLine = Callable[[str, str, str], None]
"""Takes the name of a node, ``stdout`` or ``stderr``, and a line that one of its processes printed."""
_REPLICA: Final = "ServeReplica:"
_END: Final = "\x1fwfctl-end:"


def _print_nothing(data: dict[str, Any], **_: object) -> None:
    """Take what Ray would print of itself."""


def _say(data: dict[str, Any], **_: object) -> None:
    """Say on standard error what Ray says of machines and resources; it would take the standard output.

    What it says of its own calls is left out: it does them again, or whoever waits for one is told.
    """
    for text in map(str, data.get("lines") or ()):
        if not text.startswith("Task "):
            sys.stderr.write(f"ray: {text.splitlines()[0]}\n")


def say_end(token: str) -> None:
    """Print what tells that nothing printed before is still on its way; in a replica."""
    for stream in (sys.stdout, sys.stderr):
        print(f"{_END}{token}", file=stream, flush=True)


class Printed:
    """Sends lines to those who have the applications that they come from."""

    def __init__(self) -> None:
        self._sinks: dict[str, OnLine] = {}
        """Application -> who takes its lines."""
        self._ends: dict[str, Ends] = {}

    def send(self, application: str, sink: OnLine | None) -> None:
        """Send the lines of one application there, or nowhere any more; ``sink`` is called in a thread of Ray's."""
        if sink is None:
            self._sinks.pop(application, None)
        else:
            self._sinks[application] = sink

    def take_over(self) -> None:
        """Have Ray's lines come here."""
        streams.remove_handler("ray_print_logs")
        streams.add_handler("wfctl", self._take)
        ray_worker.print_to_stdstream = _say

    def give_back(self) -> None:
        """Take no lines any more, and let Ray complain to nobody that what is ended here is there no more."""
        streams.remove_handler("wfctl")
        ray_worker.print_to_stdstream = _print_nothing

    def expect_end(self, token: str, count: int) -> "Ends":
        """Return what is set when so many streams have said that they are at their end."""
        self._ends[token] = ends = Ends(count)
        return ends

    def forget_end(self, token: str) -> None:
        """Wait for it no longer."""
        self._ends.pop(token, None)

    def _take(self, told: dict[str, Any]) -> None:
        stream = "stderr" if told.get("is_err") else "stdout"
        actor = str(told.get("actor_name") or "")
        if not actor.startswith(_REPLICA):
            return  # Ray's own, of which its logs have more
        application, _, node = actor.removeprefix(_REPLICA).partition(":")
        sink = self._sinks.get(application)
        for line in map(str, told.get("lines") or ()):
            if line.startswith(_END):
                ends = self._ends.get(line.removeprefix(_END))
                if ends is not None:
                    ends.count_down()
            elif sink is not None:
                sink(node, stream, line)


class Ends:
    """Counts streams that have come to their end."""

    def __init__(self, count: int) -> None:
        self._left = count
        self._all = threading.Event()

    def count_down(self) -> None:
        """Count one; only Ray's one thread does."""
        self._left -= 1
        if not self._left:
            self._all.set()

    def wait(self, seconds: float) -> None:
        """Wait for all of them, for so long at most."""
        self._all.wait(seconds)
