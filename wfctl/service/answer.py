"""What a workflow answers to one input."""

import json
from collections.abc import Mapping
from typing import Any

from wfctl.engine.core.outcome import NodeTiming, RunResult


class Answer:
    """One answer, and the times its nodes took: a view that computes nothing before it is asked."""

    __slots__ = ("_result",)

    def __init__(self, result: RunResult) -> None:
        self._result = result

    def __repr__(self) -> str:
        return f"<Answer {self.status}, {len(self.body)} bytes, {self.content_type!r}>"

    @property
    def body(self) -> bytes:
        """The leaf's output as it is; with several leaves a JSON object, leaf name -> output."""
        return self._result.body

    @property
    def content_type(self) -> str | None:
        """As the leaf's handler set it, else ``None``; ``application/json`` with several leaves."""
        return self._result.content_type

    @property
    def status(self) -> int:
        """HTTP status, below 400."""
        return self._result.status

    @property
    def headers(self) -> Mapping[str, str]:
        """Response headers that the leaf's handler set."""
        return self._result.headers

    @property
    def timings(self) -> tuple[NodeTiming, ...]:
        """Where the time went, one entry per node in order of completion; seconds."""
        return self._result.timings

    @property
    def text(self) -> str:
        """The body as UTF-8 text; raises ``UnicodeDecodeError`` for other bytes."""
        return self.body.decode()

    def json(self) -> Any:
        """Return the body parsed as JSON; raises ``json.JSONDecodeError`` for anything else."""
        return json.loads(self.body)
