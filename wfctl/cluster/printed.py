"""What handlers print on Ray: taken from Ray, which would print it on the streams of this process."""

from collections.abc import Callable
from typing import Any, Final

from ray._private.ray_logging import global_worker_stdstream_dispatcher as streams

OnLine = Callable[[str, str, str], None]
"""Takes the name of a node, ``stdout`` or ``stderr``, and a line that one of its processes printed."""
_REPLICA: Final = "ServeReplica:"
_MARK: Final = "\x1fwfctl\x1f"


def marked(application: str, node: str, line: str) -> str:
    """Return a line as an actor prints it that is not known by the name of its node."""
    return f"{_MARK}{application}\x1f{node}\x1f{line}"


class Printed:
    """Sends lines to those who have the applications that they come from."""

    def __init__(self) -> None:
        self._sinks: dict[str, OnLine] = {}
        """Application -> who takes its lines."""

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

    def give_back(self) -> None:
        """Take no lines any more."""
        streams.remove_handler("wfctl")

    def _take(self, told: dict[str, Any]) -> None:
        stream = "stderr" if told.get("is_err") else "stdout"
        actor = str(told.get("actor_name") or "")
        for line in told.get("lines") or ():
            if str(line).startswith(_MARK):
                application, node, text = str(line).removeprefix(_MARK).split("\x1f", 2)
            elif actor.startswith(_REPLICA):
                application, _, node = actor.removeprefix(_REPLICA).partition(":")
                text = str(line)
            else:
                continue  # Ray's own, of which its logs have more
            sink = self._sinks.get(application)
            if sink is not None:
                sink(node, stream, text)
