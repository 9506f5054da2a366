"""What a PATH on the command line means: which workflow, and what to say where there is none.

Invariant: only looks for names; the workflow itself is read by ``wfctl.archive.read_sources``.
"""

import os
from pathlib import Path

import click

from wfctl.archive.read_sources import SPEC_NAMES, find_spec, is_unpacked
from wfctl.errors import UnreadableInputError

HANDLER_RULE = "handler.py, then SPEC_handler.py, then SPEC.py, then the only *.py file beside the spec"
_ENDINGS = (".yaml", ".yml", ".war")


def find_workflow(path: Path | None, store: Path | None = None) -> Path:
    """Return the spec, archive or unpacked archive that ``path`` means; ``None`` means the current folder.

    A name that is not here is looked for in the workflow store, if there is one. A folder without a workflow of its own
    is a wrong use of the command, a file that is not there is not.
    """
    path = _stored(path or Path(), store)
    # Not the methods of Path, which raise for a name that is too long for the disk.
    if os.path.isdir(path):  # noqa: PTH112
        return path if is_unpacked(path) else _own_spec(path)
    if not os.path.exists(path):  # noqa: PTH110
        raise _nothing_at(path, store)
    if path.suffix == ".mar":
        raise UnreadableInputError(
            f'"{path}" is the archive of a model, not of a workflow', hint=f"wfctl inspect {path} shows what is inside"
        )
    return path


def find_archive(path: Path, store: Path | None) -> Path:
    """Return the archive, packed or not, that ``path`` names here or in the workflow store."""
    path = _stored(path, store)
    if not os.path.exists(path):  # noqa: PTH110
        raise _nothing_at(path, store)
    return path


def _stored(path: Path, store: Path | None) -> Path:
    if store is None:
        return path
    from wfctl.store.find import find_workflow_file

    return find_workflow_file(path, store)


def _nothing_at(path: Path, store: Path | None) -> UnreadableInputError:
    if path.parts[0] in {"http:", "https:"}:
        return UnreadableInputError(
            f'"{str(path).replace(":/", "://", 1)}" is a url, and nothing is fetched to be looked at',
            hint="download it, and name the file",
        )
    looked = "" if store is None or len(path.parts) > 1 else f'; looked here and in "{store}"'
    return UnreadableInputError(f'there is no file "{path}"{looked}', hint=_look_alike(path, store))


def _own_spec(folder: Path) -> Path:
    try:
        return find_spec(folder)
    except UnreadableInputError as nothing:
        where = "the current folder" if folder == Path() else f'the folder "{folder}"'
        message = nothing.message.replace(f'the folder "{folder}"', where)
        others = [] if "several" in message else [name for name in _names(folder) if name.endswith(_ENDINGS)]
        seen = f"; there is {', '.join(others)}" if others else ""
        raise click.UsageError(f"{message}{seen}; name the file, or call it {SPEC_NAMES[0]}") from nothing


def _names(folder: Path) -> list[str]:
    try:
        return sorted(path.name for path in folder.iterdir())
    except OSError:
        return []


def _look_alike(path: Path, store: Path | None) -> str | None:
    """Return a question about the name that was meant, if a file beside it has nearly that name."""
    from wfctl.check.closest import closest  # only on the way to an error

    names = [*_names(path.parent), *(_names(store) if store and len(path.parts) == 1 else ())]
    close = closest(path.name, names, count=1)
    return f'did you mean "{path.parent / close[0]}"?' if close else None
