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
from wfctl.spec.model_config import ModelConfig
from wfctl.workflow import Workflow


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """The texts of one workflow."""

    spec: SourceText
    handler: SourceText | None = None
    handler_wanted: str | None = None
    """Name of the handler file that was looked for and is not there; ``None`` if none was named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnmetRequirement:
    """One line of a requirements file that this environment does not satisfy, or that cannot be read."""

    file: str
    line: int
    text: str
    """The requirement, without comment and options."""
    installed: str | None = None
    """The version that is there; ``None`` if there is none."""
    lacking: str | None = None
    """What its extras ask for and is not here, where that is all that lacks."""
    fault: str | None = None
    """Why the line cannot be judged; ``None`` where it was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inside:
    """What a model's archive says of itself, as far as that is not the handler's own business."""

    runtime: str = "python"
    config_file: str | None = None
    config: ModelConfig = field(default_factory=ModelConfig)
    config_fault: str | None = None
    """Why the configuration cannot be read; ``None`` where it was, or where there is none."""
    requirements_file: str | None = None
    requirements: int = 0
    """How many requirements there are, satisfied or not."""
    unmet: tuple[UnmetRequirement, ...] = ()
    """Empty, too, where nobody looked at the environment."""
    gpus: int | None = None
    """How many GPUs its workers could have here; ``None`` where nobody counted."""


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
    inside: Inside | None = None
    """``None`` where nobody looked into the archive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Facts from outside the texts."""

    models: Mapping[str, ModelFact] | None = None
    """Model name -> fact, for models with a local ``url``; ``None`` if nobody looked (standard input)."""
    missing_in_manifest: Mapping[str, str] = field(default_factory=dict)
    """Key that the manifest of the workflow's archive lacks -> what TorchServe says to that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """The outcome; parts that could not be built are ``None``."""

    spec: WorkflowSpec | None
    dag: Dag | None
    handler: HandlerFacts | None
    workflow: Workflow | None
    """Set exactly if the report holds no error."""
    report: Report = field(default_factory=Report)
