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
from wfctl.plan import CodeUnit, ExecutionPlan, make_plan
from wfctl.service.workplace import Workplace, open_workplace
from wfctl.spec.model import WorkflowSpec
from wfctl.store.find import Places, facts_for, require_model
from wfctl.workflow import Node, NodeKind, Workflow, up_to

_USUAL_HANDLER = "handler.py"


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
    startup_timeout_s: float = 120.0
    service_envelope: str | None = None
    """The envelope around every model; functions get none."""


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
    ``InvalidWorkflowError``, ``ArchiveError``, ``StoreError``, ``UnreadableInputError``.
    """
    workplace = open_workplace()
    folder = workplace.folder
    try:
        (folder / "models").mkdir()
        read = _unpacked(read_sources(request.path, handler=request.handler), folder / "workflow")
        places = _places(read, request)
        whole, report = _checked(read, places)
        workflow = whole if request.until is None else _cut(whole, request.until)
        envelope = request.service_envelope
        code = {node.name: _enveloped(node, _code(node, read, places, folder), envelope) for node in workflow}
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


def _enveloped(node: Node, code: CodeUnit, envelope: str | None) -> CodeUnit:
    """Say which envelope is around a model; what a manifest names is overruled by the setting, also by none at all."""
    return code if node.kind is NodeKind.FUNCTION else replace(code, envelope=envelope)


def _function_code(read: ReadSources) -> CodeUnit:
    handler = read.handler_path
    if handler is None:
        raise ArchiveError("the workflow has functions and no handler")
    return CodeUnit(model_dir=str(handler.absolute().parent), handler=handler.name, manifest=None)


def _model_code(node: Node, archive: Path, root: Path) -> CodeUnit:
    manifest = _manifest(root)
    if manifest is None:
        return CodeUnit(model_dir=str(root), handler=_handler_of_none(node, archive, root), manifest=None)
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


def _handler_of_none(node: Node, archive: Path, root: Path) -> str:
    """Return the handler of an archive without a manifest: ``handler.py``, or the only Python file there is."""
    if (root / _USUAL_HANDLER).is_file():
        return _USUAL_HANDLER
    files = sorted(path.name for path in root.glob("*.py") if path.is_file())
    if len(files) == 1:
        return files[0]
    found = f"holds {', '.join(files)}" if files else "holds no Python file"
    raise ArchiveError(
        f'the archive "{archive.name}" of node "{node.name}" has no "{MAR_MANIFEST}" to name its handler, and {found}',
        member=MAR_MANIFEST,
        hint=f'call the handler "{_USUAL_HANDLER}", or pack the archive again and name it',
    )


def _manifest(root: Path) -> MarManifest | None:
    raw = read_member(root, MAR_MANIFEST, limit=DEFAULT_BUDGETS.manifest_bytes)
    return None if raw is None else parse_mar_manifest(raw)
