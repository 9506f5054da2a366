"""Why runs failed, for whoever runs the server: with the handler's traceback, which no client is shown.

Invariant: what fails a thousand times a second is told once a second, and with it how often.
"""

import time
from collections.abc import Callable

from wfctl.engine.running import AnyRun
from wfctl.errors import RunError
from wfctl.web.asked import Asked
from wfctl.web.watch.logs import ServerLog
from wfctl.web.wire.messages import Response

_AGAIN_AFTER_S = 1.0
_MOST = 256
"""Kinds of failure that are told apart."""
_FIRST_OF_OURS = 500


class _Kind:
    """One way to fail, and when it was told."""

    __slots__ = ("told_at", "untold")

    def __init__(self, told_at: float) -> None:
        self.told_at = told_at
        self.untold = 0


class FailureLog:
    """Writes what failed; a ``Witness``. A refusal of a handler's own (4xx) is an answer, and no failure."""

    def __init__(self, log: ServerLog, clock: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._clock = clock
        self._kinds: dict[tuple[str, str, str], _Kind] = {}

    def answered(self, asked: Asked, response: Response, took_s: float) -> None:
        """Write nothing: why is known by the run."""

    def ran(self, asked: Asked, run: AnyRun) -> None:
        """Write why a run failed."""
        error = run.error
        if not isinstance(error, RunError) or error.status < _FIRST_OF_OURS:
            return
        key = (asked.workflow, error.node, str(error)[-200:])
        now, kind = self._clock(), self._kinds.get(key)
        if kind is None:
            if len(self._kinds) >= _MOST:
                self._kinds.clear()
            kind = self._kinds[key] = _Kind(now)
        elif now - kind.told_at < _AGAIN_AFTER_S:
            kind.untold += 1
            return
        untold, kind.untold, kind.told_at = kind.untold, 0, now
        self._log.run_failed(asked.workflow, asked.request_id, error, untold)
