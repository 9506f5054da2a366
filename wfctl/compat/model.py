"""What is judged, and what comes out: one archive, and the rows about it.

Invariant: values only. Whatever was read from disk stands here as names, texts and facts.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from wfctl.archive.manifest import MarManifest
from wfctl.compat.python_file import PythonFile
from wfctl.diagnostics.model import Diagnostic, Severity
from wfctl.errors import WfctlError
from wfctl.workflow import Node

HasLibrary = Callable[[str], bool]
"""Says whether a package of this import name is installed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """Further folders in which models are looked for."""

    model_store: Path | None = None
    """As named on the command line."""
    environment_store: Path | None = None
    """The value of ``WFCTL_MODEL_STORE``."""


class Kind(StrEnum):
    """What is judged."""

    SPEC = "spec"
    WORKFLOW = "war"
    MODEL = "mar"


class Verdict(StrEnum):
    """What becomes of an archive here."""

    SAME = "runs as it is"
    DIFFERS = "runs, differs"
    UNSUPPORTED = "not supported"


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """The Python of one model's archive, or of a workflow's functions."""

    name: str
    """The archive, as places name it."""
    files: tuple[PythonFile, ...]
    members: frozenset[str]
    handler: str | None
    """Member that is loaded first."""
    node: Node | None = None
    """The model's node; ``None`` for functions, and for a model on its own, whose place in a workflow is unknown."""
    functions: Mapping[str, Node] = field(default_factory=dict)
    """The workflow's functions."""
    model_file: str | None = None
    is_folder: bool = False
    """Whether the archive is a folder, which is used where it lies."""
    holds_weights_only: bool = False
    """Whether there are files that ``torch.load`` may read, and all of them are weights and no objects."""

    def node_at(self, function: str | None) -> Node | None:
        """Return the node that runs what stands in a function of the top level; ``None`` if that is unknown."""
        return self.node or self.functions.get(function or "")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCode:
    """The archive of one model."""

    code: Code
    manifest: MarManifest | None
    foreign: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Weights that are a pickle -> the names outside of torch and Python that loading them resolves."""
    requirements: str = ""
    """The text of the requirements file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One difference."""

    finding: Diagnostic
    nodes: tuple[str, ...] = ()
    """Where it shows; empty where no node can be named."""
    count: int = 1
    """Places; the finding has the first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One archive and what a person about to move must know of it."""

    path: str
    kind: Kind | None = None
    """``None`` where it could not be read."""
    name: str | None = None
    rows: tuple[Row, ...] = ()
    error: WfctlError | None = None
    """Why it is refused."""

    @property
    def verdict(self) -> Verdict:
        """Return what becomes of it here."""
        if self.error or any(row.finding.severity is Severity.ERROR for row in self.rows):
            return Verdict.UNSUPPORTED
        return Verdict.DIFFERS if self.rows else Verdict.SAME
