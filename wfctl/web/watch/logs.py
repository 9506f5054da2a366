"""The two logs of a server: what it was asked, and what happened to it.

Invariant: no payloads, no fields of requests, no queries; what handlers print is theirs and is marked so.
"""

import asyncio
from collections.abc import Mapping, Sequence
from traceback import format_exception
from typing import Any

from wfctl.engine.backend import WorkerReport
from wfctl.engine.running import AnyRun
from wfctl.errors import RunError
from wfctl.service.registry import RegistryWatcher, Served
from wfctl.web.asked import Asked
from wfctl.web.watch.log_lines import Form, Level, Value, event_line, json_request, output_line, text_request
from wfctl.web.watch.log_writer import LogWriter
from wfctl.web.wire.messages import Response


class AccessLog:
    """Writes one line for each request; a ``Witness``.

    As text: time, method, path, status, bytes of the answer's body, milliseconds, id, workflow. As JSON: an object with
    ``time``, ``method``, ``path``, ``status``, ``bytes``, ``ms``, ``request_id`` and ``workflow``.
    """

    def __init__(self, writer: LogWriter) -> None:
        self._writer = writer
        self._line = json_request if writer.form is Form.JSON else text_request

    def answered(self, asked: Asked, response: Response, took_s: float) -> None:
        """Write the line of a request; ``took_s`` from its head on."""
        writer, head = self._writer, asked.head
        path = head.target.partition("?")[0]
        if path[:1] != "/":
            path = path_in(path)
        size = 0 if head.method == "HEAD" else len(response.body)
        writer.add(
            self._line(
                writer.stamp.now(), head.method, path, response.status, size, took_s, asked.request_id, asked.workflow
            )
        )

    def ran(self, asked: Asked, run: AnyRun) -> None:
        """Write nothing: the answer follows."""


def path_in(target: str) -> str:
    """Return the path in a target that has more, without its query; its authority may hold a password."""
    if target == "*":
        return target
    _, scheme_end, rest = target.partition("://")
    _, slash, path = rest.partition("/")
    return slash + path if scheme_end else ""


class ServerLog(RegistryWatcher):
    """Writes what happens to a server, and to what it serves."""

    def __init__(self, writer: LogWriter) -> None:
        self._writer = writer

    def started(self, version: str, addresses: Sequence[str]) -> None:
        """Tell that the server listens, and where."""
        self._tell(Level.INFO, "started", {"version": version, "addresses": addresses})

    def note(self, text: str) -> None:
        """Tell something that is worth knowing."""
        self._tell(Level.INFO, "note", {"message": text})

    def ready(self, after_s: float) -> None:
        """Tell that everything named at the start is loaded."""
        self._tell(Level.INFO, "ready", {"after_s": after_s})

    def registered(self, served: Served) -> None:
        """Tell that a version of a workflow can be found."""
        self._tell(Level.INFO, "workflow-registered", {"workflow": served.name, "version": served.version})

    def removed(self, served: Served) -> None:
        """Tell that it can be found no more."""
        self._tell(Level.INFO, "workflow-removed", {"workflow": served.name, "version": served.version})

    def worker_ready(self, workflow: str, report: WorkerReport) -> None:
        """Tell that a worker takes calls."""
        seconds: dict[str, Value] = {"pid": report.pid, "after_s": report.load_s}
        self._tell(Level.INFO, "worker-ready", {"workflow": workflow, "node": report.node, **seconds})

    def worker_lost(self, workflow: str, node: str, pid: int, reason: str) -> None:
        """Tell that a worker ended without being told to."""
        fields: dict[str, Value] = {"workflow": workflow, "node": node, "pid": pid, "reason": reason}
        self._tell(Level.WARNING, "worker-lost", fields)

    def draining(self, within_s: float) -> None:
        """Tell that the server ends, and how long requests have."""
        self._tell(Level.INFO, "draining", {"within_s": within_s})

    def ended(self, cut: int) -> None:
        """Tell that the server has ended, and how many connections were cut."""
        self._tell(Level.INFO, "ended", {"cut": cut})

    def error(self, message: str, error: BaseException | None = None) -> None:
        """Tell what went wrong, with the traceback if there is one."""
        block = None if error is None else ("traceback", "".join(format_exception(error)))
        self._tell(Level.ERROR, "error", {"message": message}, block)

    def run_failed(self, workflow: str, request_id: str, error: RunError, untold: int) -> None:
        """Tell why a run failed, with the handler's traceback; ``untold`` like it were not told since the last."""
        fields: dict[str, Value] = {"workflow": workflow, "node": error.node, "request_id": request_id}
        more: dict[str, Value] = {"untold": untold} if untold else {}
        trace = (error.traceback_text or "").strip()
        block = ("traceback", trace) if "\n" in trace else None
        self._tell(Level.ERROR, "run-failed", {**fields, "message": str(error), **more}, block)

    def on_unhandled(self, loop: asyncio.AbstractEventLoop, context: Mapping[str, Any]) -> None:
        """Tell of an exception that nobody took; the handler of an event loop."""
        del loop
        error = context.get("exception")
        self.error(str(context.get("message", "")), error if isinstance(error, BaseException) else None)

    def on_output(self, node: str, stream: str, line: str) -> None:
        """Write a line that user code printed; an ``OutputSink``."""
        writer = self._writer
        writer.add(output_line(writer.form, writer.stamp.now(), node, stream, line))

    def _tell(
        self, level: Level, event: str, fields: Mapping[str, Value], block: tuple[str, str] | None = None
    ) -> None:
        writer = self._writer
        writer.add(event_line(writer.form, writer.stamp.now(), level, event, fields, block=block))
