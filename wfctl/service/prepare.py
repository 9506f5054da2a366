"""From a path to a plan: read, unpack, check, find every model, unpack it too.

Everything here may take long (disks, digests) and belongs in a thread, never on the event loop.
Invariant: nothing of the user is imported; after a failure no temporary folder is left.
"""

from dataclasses import dataclass, replace
from pathlib import Path

from wfctl.archive.budgets import DEFAULT_BUDGETS
from wfctl.archive.manifest import MAR_MANIFEST, MarManifest, parse_mar_manifest
from wfctl.archive.read_sources import Origin, ReadSources, read_sources
from wfctl.archive.unpack import read_member, unpack
from wfctl.check.check import check
from wfctl.check.closest import closest
from wfctl.check.model import Sources, Surroundings
from wfctl.diagnostics.model import SourceText
from wfctl.diagnostics.report import InvalidWorkflowError, Report
from wfctl.errors import ArchiveError, WfctlError
from wfctl.hosting.real_ts import require_real_ts
from wfctl.plan import CodeUnit, ExecutionPlan, make_plan
from wfctl.service.workplace import Workplace, open_workplace
from wfctl.spec.model import WorkflowSpec
from wfctl.store.find import Places, facts_for, require_model
from wfctl.workflow import Node, NodeKind, Workflow, up_to


class UnknownNodeError(WfctlError):
    """A node is asked for that the workflow does not have."""

    code = "unknown-node"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is to be opened."""

    path: Path
    """A spec, a folder, or a ``.war``."""
    handler: Path | None = None
    model_store: Path | None = None
    until: str | None = None
    """The node whose output is the answer; ``None`` for the leaves."""
    uses_real_ts: bool = False
    """Whether ``import ts`` in handlers finds an installed TorchServe."""
    startup_timeout_s: float = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A plan whose files are all on this machine."""

    plan: ExecutionPlan
    report: Report
    """What the check found short of errors."""
    workplace: Workplace
    """What was unpacked lies here."""

    def remove(self) -> None:
        """Delete what was unpacked; harmless if it is gone already."""
        self.workplace.remove()


def prepare(request: Request) -> Prepared:
    """Make a plan of the workflow at ``request.path``.

    What TorchServe tolerates is tolerated here: findings that are no errors stand in the report. Raises
    ``InvalidWorkflowError``, ``ArchiveError``, ``StoreError``, ``UnreadableInputError``, ``UnsupportedError``.
    """
    if request.uses_real_ts:
        require_real_ts()
    workplace = open_workplace()
    folder = workplace.folder
    try:
        (folder / "models").mkdir()
        read = _unpacked(read_sources(request.path, handler=request.handler), folder / "workflow")
        places = _places(read, request)
        whole, report = _checked(read, places)
        workflow = whole if request.until is None else _cut(whole, request.until)
        code = {node.name: _code(node, read, places, folder) for node in workflow}
        code = {name: replace(unit, uses_real_ts=request.uses_real_ts) for name, unit in code.items()}
        plan = make_plan(workflow, name=read.name, code=code, startup_timeout_s=request.startup_timeout_s)
        return Prepared(plan=plan, report=report, workplace=workplace)
    except BaseException:
        workplace.remove()
        raise


def _cut(workflow: Workflow, until: str) -> Workflow:
    try:
        return up_to(workflow, until)
    except KeyError:
        names = [node.name for node in workflow]
        close = closest(until, names)
        hint = f'did you mean "{close[0]}"?' if close else f"the nodes are {', '.join(names[:20])}"
        raise UnknownNodeError(f'there is no node "{until}" in the workflow', hint=hint) from None


def _unpacked(read: ReadSources, target: Path) -> ReadSources:
    """Unpack the archive that was read; what is checked from here on is the private copy that will run."""
    if read.archive is None:
        return read
    unpack(read.archive, target)
    inside = read_sources(target)
    handler = read.handler_path or inside.handler_path
    sources = _named_as(read.sources, inside.sources)
    if read.handler_path is not None:  # the user's own, in place of the one inside
        sources = replace(sources, handler=read.sources.handler)
    return replace(inside, archive=read.archive, folder=read.folder, handler_path=handler, sources=sources)


def _named_as(given: Sources, copies: Sources) -> Sources:
    """Return the copied texts under the names that the user knows, not those of a temporary folder."""
    handler = copies.handler
    if handler is not None and given.handler is not None:
        handler = SourceText(given.handler.name, handler.text)
    return replace(copies, spec=SourceText(given.spec.name, copies.spec.text), handler=handler)


def _places(read: ReadSources, request: Request) -> Places:
    root = _root(read)
    return Places(
        members=read.members,
        archive=read.archive or (root if read.origin is Origin.UNPACKED else None),
        unpacked=root if read.members else None,
        beside=read.folder,
        model_store=request.model_store,
    )


def _root(read: ReadSources) -> Path:
    """Return the folder that the functions' files lie in."""
    return read.folder.absolute() if read.spec_path is None else read.spec_path.absolute().parent


def _checked(read: ReadSources, places: Places) -> tuple[Workflow, Report]:
    def look(spec: WorkflowSpec) -> Surroundings:
        """Look for the archives that the spec names."""
        return Surroundings(models=facts_for(spec.models, places))

    checked = check(read.sources, look=look, compat=True)
    if checked.workflow is None:
        raise InvalidWorkflowError(checked.report)
    return checked.workflow, checked.report


def _code(node: Node, read: ReadSources, places: Places, folder: Path) -> CodeUnit:
    if node.kind is NodeKind.FUNCTION:
        return _function_code(read)
    if node.model is None or node.model.url is None:
        raise ArchiveError(f'model "{node.name}" has no url')
    found = require_model(node.model.url, places)
    root = unpack(found, folder / "models" / node.name, sha256=node.model.sha256).root
    return _model_code(node, found, root)


def _function_code(read: ReadSources) -> CodeUnit:
    handler = read.handler_path
    if handler is None:
        raise ArchiveError("the workflow has functions and no handler")
    return CodeUnit(model_dir=str(handler.absolute().parent), handler=handler.name, manifest=None)


def _model_code(node: Node, archive: Path, root: Path) -> CodeUnit:
    manifest = _manifest(root)
    if manifest.handler is None:
        raise ArchiveError(
            f'the archive "{archive.name}" of node "{node.name}" names no handler',
            member=MAR_MANIFEST,
            hint="pack it again and name the handler",
        )
    if manifest.runtime == "LSP":
        raise ArchiveError(f'the archive "{archive.name}" of node "{node.name}" is for the C++ runtime, not for Python')
    return CodeUnit(
        model_dir=str(root),
        handler=manifest.handler,
        manifest=manifest.raw,
        version=manifest.model_version,
        config_file=manifest.config_file,
    )


def _manifest(root: Path) -> MarManifest:
    raw = read_member(root, MAR_MANIFEST, limit=DEFAULT_BUDGETS.manifest_bytes)
    if raw is None:
        raise ArchiveError(f'the archive has no "{MAR_MANIFEST}"', member=MAR_MANIFEST)
    return parse_mar_manifest(raw)
