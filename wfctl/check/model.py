"""What a check gets and gives.

Invariant: values only. Whatever a rule must know of disks, archives and stores was gathered before and stands here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from wfctl.dag.graph import Dag
from wfctl.diagnostics.model import SourceText
from wfctl.diagnostics.report import Report
from wfctl.handler_facts import HandlerFacts
from wfctl.spec.model import WorkflowSpec
from wfctl.workflow import Workflow


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """The texts of one workflow."""

    spec: SourceText
    handler: SourceText | None = None
    handler_wanted: str | None = None
    """Name of the handler file that was looked for and is not there; ``None`` if none was named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFact:
    """What was found for one model's ``url``."""

    found: str | None
    """Where the archive is; ``None`` if it is nowhere."""
    places: tuple[str, ...] = ()
    """Where it was looked for."""
    leads_out: str | None = None
    """The link that was found, where it leads out of the places."""
    sha256: str | None = None
    """Digest of what was found; ``None`` where it was not needed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Facts from outside the texts."""

    models: Mapping[str, ModelFact] | None = None
    """Model name -> fact, for models with a local ``url``; ``None`` if nobody looked (standard input)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """The outcome; parts that could not be built are ``None``."""

    spec: WorkflowSpec | None
    dag: Dag | None
    handler: HandlerFacts | None
    workflow: Workflow | None
    """Set exactly if the report holds no error."""
    report: Report = field(default_factory=Report)
