"""The archive of one model, read for judgement: manifest, Python files, what its weights would resolve.

Invariant: nothing is imported, unpickled or run; what is damaged raises ``ArchiveError``.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from wfctl.archive.handler_member import handler_member, usual_handler
from wfctl.archive.manifest import MAR_MANIFEST, MarManifest, parse_mar_manifest
from wfctl.archive.pickled_names import PICKLE_HEAD, pickled_names
from wfctl.archive.unpack import Archive, open_archive
from wfctl.compat.model import Code, ModelCode
from wfctl.compat.python_file import PythonFile, read_python
from wfctl.diagnostics.model import SourceText
from wfctl.workflow import Node

_MOST_FILES = 2000
"""Python files that are looked at; an archive with more carries a library, not a handler."""
_TORCHSCRIPT = "__torch__"
_KNOWN = ("torch._utils.", "torch.storage.", "torch._tensor.", "torch.nn.parameter.", "torch.serialization.")
_LOADABLE = (".pt", ".pth", ".bin", ".ckpt", ".pkl", ".pickle", ".model")
"""Endings of what handlers give to ``torch.load``."""
_KNOWN_ROOTS = frozenset({"collections", "_codecs", "builtins", "__builtin__", "copyreg", "copy_reg", "numpy"})


def read_model(path: Path, name: str, node: Node | None) -> ModelCode:
    """Read the archive at ``path``, which places call ``name``."""
    with open_archive(path) as archive:
        raw = archive.read(MAR_MANIFEST, archive.budgets.manifest_bytes)
        manifest = None if raw is None else parse_mar_manifest(raw)
        members = archive.names()
        files = read_files(archive, name)
        wanted = manifest.serialized_file if manifest else None
        foreign = _foreign(archive, wanted)
        listed = manifest.requirements_file if manifest else None
        requirements = (archive.read(listed, archive.budgets.spec_bytes) or b"") if listed else b""
    return ModelCode(
        code=Code(
            name=name,
            files=files,
            members=members,
            handler=_handler(manifest, members),
            node=node,
            model_file=manifest.model_file if manifest else None,
            is_folder=path.is_dir(),
            holds_weights_only=bool(foreign) and not any(foreign.values()),
        ),
        manifest=manifest,
        foreign={wanted: foreign[wanted]} if wanted is not None and foreign.get(wanted) else {},
        requirements=requirements.decode("utf-8", "replace"),
    )


def read_files(archive: Archive, name: str) -> tuple[PythonFile, ...]:
    """Take apart every Python file of an archive, in the order of their names."""
    limit = _limit_for(archive)
    found: dict[str, PythonFile] = {}
    for member, raw in archive.beginnings(limit):
        source = SourceText(f"{name}/{member.name}" if name else member.name, raw.decode("utf-8", "replace"))
        found[member.name] = read_python(member.name, source)
    return tuple(found[member] for member in sorted(found))


def _limit_for(archive: Archive) -> Callable[[str], int]:
    chosen = frozenset(sorted(name for name in archive.names() if name.endswith(".py"))[:_MOST_FILES])
    return lambda name: archive.budgets.handler_bytes if name in chosen else 0


def _handler(manifest: MarManifest | None, members: frozenset[str]) -> str | None:
    if manifest is None:
        return usual_handler(members)
    return None if manifest.handler is None else handler_member(manifest.handler, members)


def _foreign(archive: Archive, weights: str | None) -> Mapping[str, tuple[str, ...]]:
    """Return, for each file that may be loaded, the names by which it holds more than weights."""
    found: dict[str, tuple[str, ...]] = {}
    for member, head in archive.beginnings(lambda name: PICKLE_HEAD if _may_be_loaded(name, weights) else 0):
        names = pickled_names(head)
        is_script = any(name.startswith(_TORCHSCRIPT) for name in names)
        found[member.name] = () if is_script else tuple(name for name in names if _is_foreign(name))
    return found


def _may_be_loaded(member: str, weights: str | None) -> bool:
    return member == weights or member.endswith(_LOADABLE)


def _is_foreign(name: str) -> bool:
    """Whether a name is surely none of those that weights alone are made of."""
    module = name.rpartition(".")[0]
    if module == "torch" or name.startswith(_KNOWN):
        return False
    return module.partition(".")[0] not in _KNOWN_ROOTS
