"""The graph as the painters see it.

Invariant: values only, and any graph can stand here, unsound and cyclic ones too.
"""

from dataclasses import dataclass
from enum import StrEnum


class Shape(StrEnum):
    """How a node is told apart, by form and not only by colour."""

    MODEL = "model"
    FUNCTION = "function"
    UNKNOWN = "unknown"
    """Neither a model nor a function of the handler."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnNode:
    """One box."""

    name: str
    shape: Shape
    detail: str = ""
    """Second line: worker settings that differ from the defaults."""
    fault: str | None = None
    """Why the node is marked, such as ``WF304 unknown-node``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnEdge:
    """One arrow between two nodes of the drawing (by name); ``source`` may equal ``target``."""

    source: str
    target: str
    fault: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """What is to be drawn; nodes in the order of the text, each edge once."""

    title: str
    nodes: tuple[DrawnNode, ...]
    edges: tuple[DrawnEdge, ...]
