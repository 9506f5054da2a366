"""Which code each node loads: its archive unpacked, and the handler that its manifest names.

Invariant: only what is trusted comes this far; nothing of it is imported here.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from wfctl.archive.budgets import DEFAULT_BUDGETS
from wfctl.archive.handler_member import USUAL_HANDLER, usual_handler
from wfctl.archive.manifest import MAR_MANIFEST, MarManifest, parse_mar_manifest
from wfctl.archive.read_sources import ReadSources
from wfctl.archive.unpack import read_member, unpack
from wfctl.errors import ArchiveError
from wfctl.plan import CodeUnit
from wfctl.service.origins import Acquired
from wfctl.workflow import Node, NodeKind, Workflow


def code_of(
    workflow: Workflow, read: ReadSources, models: Mapping[str, Acquired], into: Path, *, envelope: str | None
) -> dict[str, CodeUnit]:
    """Unpack the archives of all models below ``into`` and return what each node loads.

    ``envelope`` goes around every model. What a manifest says of one is overruled by it, also by none at all.
    """
    into.mkdir()
    functions = [node for node in workflow if node.kind is NodeKind.FUNCTION]
    units = {node.name: _function_code(read, into.parent) for node in functions}
    for node in workflow:
        if node.kind is NodeKind.MODEL:
            units[node.name] = replace(_unpacked_code(node, models[node.name], into), envelope=envelope)
    return units


def _unpacked_code(node: Node, found: Acquired, into: Path) -> CodeUnit:
    with found.named():
        root = unpack(found.path, into / node.name, sha256=found.sha256).root
        return _model_code(node, found.path, root)


def _function_code(read: ReadSources, unpacked: Path) -> CodeUnit:
    handler = read.handler_path
    if handler is None:
        raise ArchiveError("the workflow has functions and no handler")
    folder = handler.absolute().parent
    is_private = folder.is_relative_to(unpacked)
    return CodeUnit(model_dir=str(folder), handler=handler.name, manifest=None, is_private=is_private)


def _model_code(node: Node, archive: Path, root: Path) -> CodeUnit:
    try:
        manifest = _manifest(root)
    except ArchiveError as error:
        # Said of a folder of ours, and there may be many models.
        message = f'the archive "{archive.name}" of node "{node.name}" is refused: {error.message}'
        raise ArchiveError(message, member=error.member, hint=error.hint) from error
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
    files = sorted(path.name for path in root.glob("*.py") if path.is_file())
    usual = usual_handler(files)
    if usual is not None:
        return usual
    found = f"holds {', '.join(files)}" if files else "holds no Python file"
    raise ArchiveError(
        f'the archive "{archive.name}" of node "{node.name}" has no "{MAR_MANIFEST}" to name its handler, and {found}',
        member=MAR_MANIFEST,
        hint=f'call the handler "{USUAL_HANDLER}", or pack the archive again and name it',
    )


def _manifest(root: Path) -> MarManifest | None:
    raw = read_member(root, MAR_MANIFEST, limit=DEFAULT_BUDGETS.manifest_bytes)
    return None if raw is None else parse_mar_manifest(raw)
