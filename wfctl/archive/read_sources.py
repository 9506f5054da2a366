"""The texts of one workflow, from a spec file, a folder, or an archive; nothing is written and nothing is run.

Invariant: an archive is read member by member from one handle; no more is read than the budgets allow.
"""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wfctl.archive.text_file import read_text_file
from wfctl.check.model import Sources
from wfctl.diagnostics.model import SourceText
from wfctl.diagnostics.report import InvalidWorkflowError, Report
from wfctl.errors import ArchiveError, UnreadableInputError
from wfctl.plain_file import only_plain
from wfctl.spec.text import read_spec_text

if TYPE_CHECKING:
    from wfctl.archive.manifest import WarManifest
    from wfctl.archive.unpack import Archive

_UNPACKED: Final = Path("WAR-INF", "MANIFEST.json")
"""As in ``manifest``, which a plain spec does not need."""
SPEC_NAMES: Final = ("workflow.yaml", "workflow.yml")
_ENDINGS: Final = (".yaml", ".yml")
_MAGICS: Final = (b"PK\x03\x04", b"\x1f\x8b")
ARCHIVES: Final = (".war", ".tar.gz", ".tgz", ".zip", ".tar")
# At the left margin, or anywhere in a text in flow style; a dag deeper in a block is another file's business.
_DAG: Final = re.compile(r"""^["']?dag["']?[ \t]*:|\A\s*\{(?:.|\n)*?["']?dag["']?[ \t]*:""", re.MULTILINE)
_HEAD: Final = 1 << 16
_NOT_IN_NAME: Final = re.compile(r"[^A-Za-z0-9_\-.]+")


class Origin(StrEnum):
    """Where the texts came from."""

    SPEC = "spec"
    """A spec file, named or found in a folder."""
    ARCHIVE = "archive"
    UNPACKED = "unpacked"
    """A folder that was an archive: its manifest names the files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadSources:
    """The texts of one workflow and what is known of their surroundings."""

    origin: Origin
    sources: Sources
    name: str
    """Name of the workflow: the manifest's, or made from the name of the folder or the spec."""
    folder: Path
    """Folder of the spec or of the archive: where models lie beside them."""
    archive: Path | None = None
    """The archive's file; ``None`` for a spec and for an unpacked archive."""
    manifest: "WarManifest | None" = None
    members: frozenset[str] = frozenset()
    """Files inside the archive, packed or unpacked; empty for a spec."""
    spec_path: Path | None = None
    """The spec on disk; ``None`` inside an archive."""
    handler_path: Path | None = None
    """The handler on disk; ``None`` inside an archive, or where there is none."""


def read_sources(path: Path, *, handler: Path | None = None) -> ReadSources:
    """Read the workflow that ``path`` means; ``handler`` beats the one that would be found.

    Raises ``InvalidWorkflowError`` for bytes that are no text, ``ArchiveError`` for a bad archive, and
    ``UnreadableInputError`` for what is not there.
    """
    if os.path.isdir(path):  # noqa: PTH112 - not Path.is_dir, which raises for a name that is too long
        if is_unpacked(path):
            return _from_archive(path, handler)
        return _from_spec(find_spec(path), handler, folder=path)
    if path.name.endswith(ARCHIVES) or (not path.name.endswith((*_ENDINGS, ".mar")) and is_packed(path)):
        return _from_archive(path, handler)
    if path.suffix == ".mar":
        raise ArchiveError(f'"{path.name}" is the archive of a model, not of a workflow')
    return _from_spec(path, handler, folder=None)


def is_unpacked(folder: Path, manifests: Iterable[Path | str] = (_UNPACKED,)) -> bool:
    """Whether a folder is an archive that was unpacked, a workflow's by default, or holds one and nothing else."""
    if _has_any(folder, manifests):
        return True
    try:
        with os.scandir(folder) as entries:
            first, *more = islice(entries, 2)
            return not more and first.is_dir(follow_symlinks=False) and _has_any(Path(first), manifests)
    except (OSError, ValueError):  # it cannot be listed, or holds nothing
        return False


def _has_any(folder: Path, manifests: Iterable[Path | str]) -> bool:
    return any((folder / name).is_file() for name in manifests)


def is_packed(path: Path) -> bool:
    """Whether the first bytes of a file are those of a zip or a gzip, whatever its name says."""
    try:
        with open(path, "rb", opener=only_plain) as stream:
            return stream.read(4).startswith(_MAGICS)
    except (OSError, UnreadableInputError):
        return False


def find_spec(folder: Path) -> Path:
    """Return the folder's own spec: ``workflow.yaml``, ``workflow.yml``, else the only YAML file with a dag."""
    for name in SPEC_NAMES:
        if (folder / name).is_file():
            return folder / name
    found = [path for path in _entries(folder, _ENDINGS) if _has_dag(path)]
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(f'"{path.name}"' for path in found)
        raise UnreadableInputError(
            f'the folder "{folder}" holds several workflows: {names}', hint="name the file, not the folder"
        )
    raise UnreadableInputError(
        f'the folder "{folder}" holds no workflow: neither {SPEC_NAMES[0]} nor another YAML file with a dag'
    )


def find_handler(spec: Path) -> Path | None:
    """Return the handler beside a spec: its usual names first, then the only Python file there."""
    folder = spec.parent
    for name in ("handler.py", f"{spec.stem}_handler.py", f"{spec.stem}.py"):
        if (folder / name).is_file():
            return folder / name
    others = _entries(folder, (".py",))
    return others[0] if len(others) == 1 else None


def workflow_name(text: str) -> str:
    """Make a name that a workflow may have."""
    return _NOT_IN_NAME.sub("_", text).lstrip("_-.") or "workflow"


def missing_in(read: ReadSources) -> Mapping[str, str]:
    """Return what TorchServe misses in the manifest of what was read, with its words; nothing where there is none."""
    return {} if read.manifest is None else read.manifest.missing


def sources_of(raw: bytes, name: str, handler: Path | None) -> Sources:
    """Return the texts of a spec whose bytes were read, and of its handler; ``None`` where there is no handler."""
    return Sources(
        spec=_text(raw, name),
        handler=None if handler is None else _text(read_text_file(handler), str(handler)),
        handler_wanted="handler.py" if handler is None else None,
    )


def _from_spec(spec: Path, handler: Path | None, *, folder: Path | None) -> ReadSources:
    raw = read_text_file(spec)
    found = handler or find_handler(spec)
    is_usual = spec.name in SPEC_NAMES
    name = (folder or spec.parent).absolute().resolve().name if folder or is_usual else spec.stem
    return ReadSources(
        origin=Origin.SPEC,
        sources=sources_of(raw, str(spec), found),
        name=workflow_name(name),
        folder=spec.parent,
        spec_path=spec,
        handler_path=found,
    )


def _from_archive(path: Path, handler: Path | None) -> ReadSources:
    # Imported here: a spec alone needs none of the archive readers.
    from wfctl.archive.manifest import WAR_MANIFEST, parse_war_manifest
    from wfctl.archive.unpack import open_archive

    with open_archive(path) as archive:
        raw = archive.read(WAR_MANIFEST, archive.budgets.manifest_bytes)
        names = archive.names()
        if raw is None:
            raise _no_manifest(names)
        manifest = parse_war_manifest(raw)
        spec = archive.read(manifest.spec_file, archive.budgets.spec_bytes)
        if spec is None:
            raise ArchiveError(f'the manifest names the spec "{manifest.spec_file}", which is not in the archive')
        member = handler_member(manifest, names)
        text = _handler_text(archive, member, handler)
        root = archive.root
    inside = "" if root is None else f"{root}/"
    return ReadSources(
        origin=Origin.ARCHIVE if root is None else Origin.UNPACKED,
        sources=Sources(
            spec=_text(spec, f"{inside or f'{path}/'}{manifest.spec_file}"),
            handler=text,
            handler_wanted=None if text is not None else manifest.handler,
        ),
        name=manifest.workflow_name or workflow_name(path.name.partition(".")[0]),
        folder=path.parent if root is None else root,
        archive=path if root is None else None,
        manifest=manifest,
        members=names,
        spec_path=None if root is None else root / manifest.spec_file,
        handler_path=handler or (root / member if root and member else None),
    )


def handler_member(manifest: "WarManifest", names: frozenset[str]) -> str | None:
    """Return the member with the functions: as the manifest writes it, or with ``.py`` behind."""
    if manifest.handler is None:
        return None
    return next((name for name in (manifest.handler, f"{manifest.handler}.py") if name in names), None)


def _handler_text(archive: "Archive", member: str | None, handler: Path | None) -> SourceText | None:
    if handler is not None:
        return _text(read_text_file(handler), str(handler))
    raw = None if member is None else archive.read(member, archive.budgets.handler_bytes)
    return None if raw is None else _text(raw, f"{archive.root or archive.path}/{member}")


def _no_manifest(names: frozenset[str]) -> ArchiveError:
    from wfctl.archive.manifest import MAR_MANIFEST, WAR_MANIFEST

    if MAR_MANIFEST in names:
        return ArchiveError("it is the archive of a model, not of a workflow")
    return ArchiveError(f"it has no {WAR_MANIFEST}")


def _text(raw: bytes, name: str) -> SourceText:
    text = read_spec_text(raw, name)
    if isinstance(text, SourceText):
        return text
    raise InvalidWorkflowError(Report.of([text]))


def _entries(folder: Path, endings: tuple[str, ...]) -> list[Path]:
    """Return the files with these endings, sorted; thousands of models may lie beside them."""

    def files() -> Iterator[Path]:
        for name in os.listdir(folder):  # noqa: PTH208 - a path for each model would take longer than the check
            if name.endswith(endings) and not name.startswith(".") and (folder / name).is_file():
                yield folder / name

    try:
        return sorted(files())
    except OSError as error:
        raise UnreadableInputError(f'cannot read "{folder}": {error.strerror}') from error


def _has_dag(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            return _DAG.search(stream.read(_HEAD).decode("utf-8-sig", "replace")) is not None
    except OSError:
        return False
