"""What a workflow answers to one input."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from wfctl.engine.engine import NodeTiming


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer, with the times its nodes took."""

    body: bytes
    """The leaf's output as it is; with several leaves a JSON object, leaf name -> output."""
    content_type: str | None
    """As the leaf's handler set it, else ``None``."""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    timings: tuple[NodeTiming, ...] = ()

    @property
    def text(self) -> str:
        """The body as UTF-8 text; raises ``UnicodeDecodeError`` for other bytes."""
        return self.body.decode()

    def json(self) -> Any:
        """Return the body parsed as JSON; raises ``json.JSONDecodeError`` for anything else."""
        return json.loads(self.body)
