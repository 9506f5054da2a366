"""From a path or a url to a plan: fetch, read, unpack, check, find every model, unpack it too.

Everything here may take long (disks, digests, downloads) and belongs in a thread, never on the event loop.
Invariant: nothing of the user is imported; after a failure no temporary folder is left.
"""

import os
import re
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from wfctl.archive.inside import look_inside
from wfctl.archive.read_sources import Origin, ReadSources, missing_in, read_sources
from wfctl.archive.unpack import unpack
from wfctl.check.check import check
from wfctl.check.closest import closest
from wfctl.check.model import Inside, Sources, Surroundings
from wfctl.check.rules.archives import findings_about
from wfctl.diagnostics.model import SourceText
from wfctl.diagnostics.report import InvalidWorkflowError, Report
from wfctl.errors import ArchiveError, WfctlError
from wfctl.gpus import count_gpus
from wfctl.hosting.real_ts import require_real_ts
from wfctl.plan import CodeUnit, ExecutionPlan, Processors, make_plan
from wfctl.service.code_units import code_of
from wfctl.service.origins import Acquired, Terms, acquire_models, acquire_workflow
from wfctl.service.stamps import Stamp, python_files, stamp_of
from wfctl.spec.model import WorkerSettings, WorkflowSpec
from wfctl.spec.model_config import ModelConfig
from wfctl.store.find import Places, facts_for
from wfctl.store.stop import Stop
from wfctl.workflow import NodeKind, Workflow, up_to
from wfctl.workplace import Workplace, open_workplace


class UnknownNodeError(WfctlError):
    """A node is asked for that the workflow does not have."""

    code = "unknown-node"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is to be opened."""

    path: Path | str
    """A spec, a folder, or a ``.war``; a text is the url of a ``.war``."""
    name: str | None = None
    """Beats the name that the manifest, the folder or the spec gives the workflow."""
    handler: Path | None = None
    model_store: Path | None = None
    until: str | None = None
    """The node whose output is the answer; ``None`` for the leaves."""
    uses_real_ts: bool = False
    """Whether ``import ts`` in handlers finds an installed TorchServe."""
    startup_timeout_s: float = 120.0
    response_timeout_s: float | None = None
    """For one batch, where an archive does not say it; ``None`` for as long as the node's own time-outs allow."""
    queue_size: int | None = None
    """Calls that may wait for a node, where the spec does not say it."""
    install_requirements: bool = False
    """Whether what models require and this environment lacks is installed into the workplace."""
    terms: Terms = field(default_factory=Terms)
    """What may be fetched, and what of it may run."""
    service_envelope: str | None = None
    """The envelope around every model; functions get none."""
    limit_max_image_pixels: bool = True
    """Whether handlers of pictures refuse one of very many pixels."""
    hidden_variables: re.Pattern[str] | None = None
    """Environment variables whose whole name matches are not in the environment of workers.

    Inline runs have none of their own: their handlers see the environment of this process.
    """
    count_gpus: Callable[[], int] = count_gpus
    """Asked once, and only where a node may compute on one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A plan whose files are all on this machine."""

    plan: ExecutionPlan
    report: Report
    """What the check found short of errors."""
    workplace: Workplace
    """What was unpacked lies here."""
    defaults: WorkerSettings = field(default_factory=WorkerSettings)
    """The global settings of the spec."""
    made_from: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)
    """Node name -> the files and folders on this machine that it was made from, the spec aside."""
    spec_paths: tuple[Path, ...] = ()
    """The spec or the archive on this machine that the workflow was read from."""
    stamps: Mapping[str, Stamp] = field(default_factory=dict)
    """What the files in ``made_from`` looked like when they were read."""
    spec_stamp: Stamp = ()

    def with_nodes_of(self, other: "Prepared", names: Collection[str], plan: ExecutionPlan) -> "Prepared":
        """Return this with some nodes of another, which is of the same graph."""
        made_from = {name: (other if name in names else self).made_from[name] for name in self.made_from}
        stamps = {name: (other if name in names else self).stamps[name] for name in self.stamps}
        return replace(self, plan=plan, made_from=made_from, stamps=stamps, defaults=other.defaults)

    def remove(self) -> None:
        """Delete what was unpacked; harmless if it is gone already."""
        self.workplace.remove()


def prepare(request: Request, stop: Stop | None = None, workplace: Workplace | None = None) -> Prepared:
    """Make a plan of the workflow at ``request.path``, unpacked into ``workplace``; ``stop`` ends its downloads.

    What TorchServe tolerates is tolerated here: findings that are no errors stand in the report. Raises
    ``InvalidWorkflowError``, ``ArchiveError``, ``StoreError``, ``UnreadableInputError``, ``UnsupportedError``.
    """
    stop, began_ns = stop or Stop(), time.time_ns()
    if request.uses_real_ts:
        require_real_ts()
    workplace = workplace or open_workplace()
    folder = workplace.folder
    try:
        origin = acquire_workflow(request.path, request.terms, folder / "fetched", stop)
        with origin.named():
            read = _unpacked(origin, request.handler, folder / "workflow")
        places = _places(read, request, origin)
        whole, report = _checked(read, places)
        workflow = whole if request.until is None else _cut(whole, request.until)
        models = acquire_models(workflow, places, request.terms, folder / "fetched", stop)
        code = code_of(workflow, read, models, folder / "models", envelope=request.service_envelope)
        code = {name: _told(unit, request) for name, unit in code.items()}
        processors = _processors(request, workflow, read)
        insides = {
            node.name: replace(_inside(code[node.name]), gpus=processors.gpus)
            for node in workflow
            if node.kind is NodeKind.MODEL
        }
        report = _with_archives(report, workflow, _to_tell(code, insides) if request.install_requirements else insides)
        if request.install_requirements:
            # Imported here: it starts processes, and is wanted seldom.
            from wfctl.service.install import with_requirements

            code |= with_requirements(code, insides, folder / "requirements", stop)
        configs = {name: inside.config for name, inside in insides.items()}
        return Prepared(
            plan=_plan(request, workflow, name=request.name or read.name, code=code, configs=configs, on=processors),
            report=report,
            workplace=workplace,
            defaults=workflow.defaults,
            made_from=(made_from := _made_from(workflow, read, models)),
            spec_paths=(spec_paths := tuple(filter(None, (read.archive or read.spec_path,)))),
            stamps={name: stamp_of(paths, read_from_ns=began_ns) for name, paths in made_from.items()},
            spec_stamp=stamp_of(spec_paths, read_from_ns=began_ns),
        )
    except BaseException:
        workplace.remove()
        raise


def _told(unit: CodeUnit, request: Request) -> CodeUnit:
    """Return a unit with what the request says of all of them."""
    return replace(unit, uses_real_ts=request.uses_real_ts, limit_max_image_pixels=request.limit_max_image_pixels)


def _plan(
    request: Request,
    workflow: Workflow,
    *,
    name: str,
    code: Mapping[str, CodeUnit],
    configs: Mapping[str, ModelConfig],
    on: Processors,
) -> ExecutionPlan:
    return make_plan(
        workflow,
        name=name,
        code=code,
        startup_timeout_s=request.startup_timeout_s,
        response_timeout_s=request.response_timeout_s,
        queue_size=request.queue_size,
        configs=configs,
        processors=on,
    )


def _made_from(workflow: Workflow, read: ReadSources, models: Mapping[str, Acquired]) -> dict[str, tuple[Path, ...]]:
    handler = read.handler_path
    if read.archive is not None:
        functions: tuple[Path, ...] = (read.archive,)
    else:
        functions = python_files(handler.parent) if handler else ()
    return {node.name: (models[node.name].path,) if node.name in models else functions for node in workflow}


_WORDS_OF_GPUS = ("torch", "gpu", "cuda")


def _processors(request: Request, workflow: Workflow, read: ReadSources) -> Processors:
    """Return what there is to compute on; a workflow that surely has no use for GPUs asks for none."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    functions = read.sources.handler.text.lower() if read.sources.handler else ""
    may_use_gpus = any(node.kind is NodeKind.MODEL for node in workflow) or any(
        word in functions for word in _WORDS_OF_GPUS
    )
    return Processors(cores=cores, gpus=request.count_gpus() if may_use_gpus else 0)


def _cut(workflow: Workflow, until: str) -> Workflow:
    try:
        return up_to(workflow, until)
    except KeyError:
        names = [node.name for node in workflow]
        close = closest(until, names)
        hint = f'did you mean "{close[0]}"?' if close else f"the nodes are {', '.join(names[:20])}"
        raise UnknownNodeError(f'there is no node "{until}" in the workflow', hint=hint) from None


def _unpacked(origin: Acquired, own_handler: Path | None, target: Path) -> ReadSources:
    """Read a workflow, and unpack its archive; what is checked from here on is the private copy that will run."""
    read = read_sources(origin.path, handler=own_handler)
    if read.archive is None:
        if origin.sha256 is not None:
            raise ArchiveError(f'"{origin.path}" is no packed archive, and sha256 pins a file')
        return read
    unpack(read.archive, target, sha256=origin.sha256)
    inside = read_sources(target)
    handler = read.handler_path or inside.handler_path
    sources = _named_as(read.sources, inside.sources, origin)
    if read.handler_path is not None:  # the user's own, in place of the one inside
        sources = replace(sources, handler=read.sources.handler)
    return replace(
        inside, name=read.name, archive=read.archive, folder=read.folder, handler_path=handler, sources=sources
    )


def _named_as(given: Sources, copies: Sources, origin: Acquired) -> Sources:
    """Return the copied texts under the names that the user knows, not those of a temporary folder."""
    handler = copies.handler
    if handler is not None and given.handler is not None:
        handler = SourceText(origin.known_as(given.handler.name), handler.text)
    return replace(copies, spec=SourceText(origin.known_as(given.spec.name), copies.spec.text), handler=handler)


def _places(read: ReadSources, request: Request, origin: Acquired) -> Places:
    root = _root(read)
    return Places(
        members=read.members,
        archive=read.archive or (root if read.origin is Origin.UNPACKED else None),
        archive_name=origin.address.shown if origin.address else None,
        unpacked=root if read.members else None,
        # Nothing of the user's lies beside what was fetched.
        beside=None if origin.is_fetched else read.folder,
        model_store=request.model_store,
        allowed=request.terms.policy.allowed,
    )


def _root(read: ReadSources) -> Path:
    """Return the folder that the functions' files lie in."""
    return read.folder.absolute() if read.spec_path is None else read.spec_path.absolute().parent


def _checked(read: ReadSources, places: Places) -> tuple[Workflow, Report]:
    def look(spec: WorkflowSpec) -> Surroundings:
        """Look for the archives that the spec names."""
        return Surroundings(models=facts_for(spec.models, places), missing_in_manifest=missing_in(read))

    checked = check(read.sources, look=look, compat=True)
    if checked.workflow is None:
        raise InvalidWorkflowError(checked.report)
    return checked.workflow, checked.report


def _inside(unit: CodeUnit) -> Inside:
    """Return what an archive says of itself, by the copy that will run."""
    return look_inside(Path(unit.model_dir), judges_requirements=True) or Inside()


def _to_tell(code: Mapping[str, CodeUnit], insides: Mapping[str, Inside]) -> dict[str, Inside]:
    """Return what is worth telling of archives whose requirements are going to be installed."""
    from wfctl.service.install import without_installed

    return {name: without_installed(code[name], inside) for name, inside in insides.items()}


def _with_archives(report: Report, workflow: Workflow, insides: Mapping[str, Inside]) -> Report:
    models = ((node.model, insides[node.name]) for node in workflow if node.model is not None)
    found = [finding for model, inside in models for finding in findings_about(model, inside)]
    whole = Report.of([*report, *found])
    if whole.has_errors:
        raise InvalidWorkflowError(whole)
    return whole
