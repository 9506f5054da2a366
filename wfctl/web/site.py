"""What all listeners of one server share.

Invariant: data and lookups; it answers nothing itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

from wfctl.engine.running import AnyRun
from wfctl.service.registry import Registry
from wfctl.web.access.auth import Keys
from wfctl.web.asked import Asked
from wfctl.web.request_ids import IdMaker
from wfctl.web.wire.messages import Response

if TYPE_CHECKING:
    import asyncio

_NONE: Mapping[str, str] = MappingProxyType({})


class Witness(Protocol):
    """Who is told of every answer: metrics, logs."""

    def answered(self, asked: Asked, response: Response, took_s: float) -> None:
        """Take note of an answer; ``took_s`` from the head of the request on."""

    def ran(self, asked: Asked, run: AnyRun) -> None:
        """Take note of a run that is settled, before it is answered."""


@dataclass(kw_only=True, slots=True)
class Site:
    """One server as its endpoints see it."""

    registry: Registry
    keys: Keys | None = None
    """``None`` where everybody who gets here is served."""
    standing: Mapping[str, str] = field(default_factory=lambda: _NONE)
    """Fields of every answer: those of CORS, where it is asked for."""
    witnesses: tuple[Witness, ...] = ()
    ids: IdMaker = field(default_factory=IdMaker)
    is_ready: bool = False
    """Whether everything named at the start is loaded."""
    is_draining: bool = False
    tasks: set["asyncio.Task[None]"] = field(default_factory=set)
    """What is being done for management."""
