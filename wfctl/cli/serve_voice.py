"""How ``wfctl serve`` talks on standard error: lines for people, or one JSON object a line for programs.

Invariant: what comes from users and handlers is stripped of control characters; nothing of a request's payload is said.
"""

import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wfctl import __version__
from wfctl.cli.console import complain, say
from wfctl.engine.backend import WorkerReport
from wfctl.errors import WfctlError
from wfctl.service.deployment import write_output
from wfctl.service.registry import RegistryWatcher, Served
from wfctl.web.front_end import Listening
from wfctl.web.watch.failure_log import FailureLog
from wfctl.web.watch.log_lines import Form
from wfctl.web.watch.log_writer import LogWriter
from wfctl.web.watch.logs import ServerLog


class Unhandled:
    """Tells of exceptions that nobody took: the first at once, and those like it together, at most once a second.

    Where a process may open no more files, for one, the loop complains hundreds of times a second.
    """

    def __init__(self, log: ServerLog, every_s: float = 1.0) -> None:
        self._log = log
        self._every_s = every_s
        self._untold: dict[str, int] = {}
        """What was told less than a moment ago -> how often it came since."""

    def take(self, loop: asyncio.AbstractEventLoop, context: Mapping[str, Any]) -> None:
        """Take note of one; the handler of an event loop."""
        error = context.get("exception")
        what = str(context.get("message", "")) + ("" if error is None else f" ({type(error).__name__})")
        if what in self._untold:
            self._untold[what] += 1
            return
        self._untold[what] = 0
        self._log.on_unhandled(loop, context)
        loop.call_later(self._every_s, self._tell_rest, loop, what)

    def _tell_rest(self, loop: asyncio.AbstractEventLoop, what: str) -> None:
        count = self._untold.pop(what)
        if count:
            self._untold[what] = 0
            self._log.error(f"{what}: {count} times more")
            loop.call_later(self._every_s, self._tell_rest, loop, what)


class Voice(RegistryWatcher):
    """Talks to people; made and ended with the server."""

    def __init__(self, writer: LogWriter) -> None:
        self._writer = writer
        self._log = ServerLog(writer)
        self.failures = FailureLog(self._log)
        self._unhandled = Unhandled(self._log)

    def note(self, text: str) -> None:
        """Say something that is worth knowing."""
        say(text)

    def listening(self, where: list[Listening]) -> None:
        """Nothing: it stands on standard output."""

    def loading(self, url: str) -> None:
        """Say what is going to be loaded."""
        say(f"loading {url}")

    def ready(self, count: int, after_s: float) -> None:
        """Say that all that was named is warm."""
        say(f"ready: {count} {'workflow' if count == 1 else 'workflows'} in {after_s:.1f} s")

    def draining(self, within_s: float) -> None:
        """Say that it ends."""
        del within_s
        say("draining: what has come is answered; a second signal ends at once")

    def ended(self, cut: int, within_s: float) -> None:
        """Say who was not answered."""
        if cut:
            say(f"{cut} connections were cut after {within_s:g} s")

    def failed(self, error: WfctlError) -> None:
        """Say what could not be loaded again."""
        complain(error)

    def registered(self, served: Served) -> None:
        """Say what is served now."""
        say(f"loaded {served.name}: {len(served.deployment.nodes)} nodes")

    def removed(self, served: Served) -> None:
        """Say what is served no more."""
        say(f"removed {served.name} {served.version}")

    def worker_ready(self, workflow: str, report: WorkerReport) -> None:
        """Tell of progress, node by node."""
        say(f"  {workflow} {report.node}: worker {report.pid} ready after {report.load_s:.2f} s")

    def worker_lost(self, workflow: str, node: str, pid: int, reason: str) -> None:
        """Tell of what nobody asked for."""
        say(f"  {workflow} {node}: worker {pid} was lost: {reason}")

    def printed(self, node: str, stream: str, line: str) -> None:
        """Pass on what a handler printed."""
        write_output(node, stream, line)

    def unhandled(self, loop: asyncio.AbstractEventLoop, context: Mapping[str, Any]) -> None:
        """Tell of an exception that nobody took."""
        self._unhandled.take(loop, context)


class JsonVoice(Voice):
    """Talks to programs."""

    def note(self, text: str) -> None:
        """Log something that is worth knowing."""
        self._log.note(text)

    def listening(self, where: list[Listening]) -> None:
        """Log where it listens."""
        self._log.started(__version__, [str(each.address) for each in where])

    def loading(self, url: str) -> None:
        """Log what is going to be loaded."""
        self._log.note(f"loading {url}")

    def ready(self, count: int, after_s: float) -> None:
        """Log that all that was named is warm."""
        del count
        self._log.ready(after_s)

    def draining(self, within_s: float) -> None:
        """Log that it ends."""
        self._log.draining(within_s)

    def ended(self, cut: int, within_s: float) -> None:
        """Log that it has ended."""
        del within_s
        self._log.ended(cut)

    def failed(self, error: WfctlError) -> None:
        """Log what could not be loaded again."""
        self._log.error(str(error))

    def registered(self, served: Served) -> None:
        """Log what is served now."""
        self._log.registered(served)

    def removed(self, served: Served) -> None:
        """Log what is served no more."""
        self._log.removed(served)

    def worker_ready(self, workflow: str, report: WorkerReport) -> None:
        """Log a worker that takes calls."""
        self._log.worker_ready(workflow, report)

    def worker_lost(self, workflow: str, node: str, pid: int, reason: str) -> None:
        """Log a worker that is gone."""
        self._log.worker_lost(workflow, node, pid, reason)

    def printed(self, node: str, stream: str, line: str) -> None:
        """Log what a handler printed."""
        self._log.on_output(node, stream, line)


def voice_for(form: str) -> tuple[Voice, LogWriter]:
    """Return who talks in a form, ``text`` or ``json``, and the writer that is closed after all has been said."""
    writer = LogWriter(sys.stderr, Form(form))
    return (JsonVoice if form == Form.JSON.value else Voice)(writer), writer


def open_access_log(path: Path, form: str, talk: LogWriter) -> LogWriter:
    """Return the writer of the access log: ``-`` is standard error."""
    if str(path) == "-":
        return talk
    # Appended to, and made readable as umask says: whoever rotates logs renames them.
    return LogWriter(path.open("a", encoding="utf-8"), Form(form))
