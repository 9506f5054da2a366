"""Finds the workflow that a PATH means, and the handler that belongs to a spec.

Invariant: looks at names, and at the first lines where a folder names no workflow; nothing is parsed or imported.
"""

import re
from collections.abc import Sequence
from pathlib import Path

import click

from wfctl.errors import UnreadableInputError

SPEC_NAMES = ("workflow.yaml", "workflow.yml")
SPEC_ENDINGS = (".yaml", ".yml")
UNPACKED_MANIFEST = Path("WAR-INF", "MANIFEST.json")
HANDLER_RULE = "handler.py, then <spec>_handler.py, then <spec>.py, then the only *.py file beside the spec"
_DAG_KEY = re.compile(r"""(^|[{,])[ \t]*["']?dag["']?[ \t]*:""", re.MULTILINE)
_HEAD_BYTES = 65_536


def find_workflow(path: Path | None) -> Path:
    """Return the spec, archive or unpacked archive that ``path`` means; ``None`` means the current folder."""
    path = path or Path()
    if path.is_dir():
        return path if (path / UNPACKED_MANIFEST).is_file() else _own_spec(path)
    if not path.exists():
        raise UnreadableInputError(f'there is no file "{path}"', hint=_look_alike(path))
    if path.suffix == ".mar":
        raise UnreadableInputError(
            f'"{path}" is the archive of a model, not of a workflow', hint=f"wfctl inspect {path} shows what is inside"
        )
    return path


def find_handler(spec: Path) -> Path | None:
    """Return the handler that belongs to a spec by the rule of ``HANDLER_RULE``, or ``None``."""
    folder = spec.parent
    for name in ("handler.py", f"{spec.stem}_handler.py", f"{spec.stem}.py"):
        if (folder / name).is_file():
            return folder / name
    others = [path for path in folder.glob("*.py") if path.is_file()] if folder.is_dir() else []
    return others[0] if len(others) == 1 else None


def _own_spec(folder: Path) -> Path:
    for name in SPEC_NAMES:
        if (folder / name).is_file():
            return folder / name
    named = [path for path in _files(folder) if path.suffix in SPEC_ENDINGS]
    specs = [path for path in named if _looks_like_spec(path)]
    if len(specs) == 1:
        return specs[0]
    raise click.UsageError(_undecided(folder, specs, named))


def _undecided(folder: Path, specs: Sequence[Path], named: Sequence[Path]) -> str:
    where = "the current folder" if folder == Path() else f'"{folder}"'
    if specs:
        names = ", ".join(f'"{path}"' for path in specs)
        return f"{where} holds several workflows, and none is called {SPEC_NAMES[0]}: name one of {names}"
    archives = [path for path in _files(folder) if path.suffix == ".war"]
    others = ", ".join(f'"{path}"' for path in [*named, *archives])
    seen = f"; there are {others}" if others else ""
    return f"no workflow in {where}: no {SPEC_NAMES[0]}, and no YAML file with a dag{seen}"


def _files(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.is_file())
    except OSError as failure:
        raise UnreadableInputError(f'cannot read the folder "{folder}": {failure.strerror}') from failure


def _looks_like_spec(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError:
        return False
    return _DAG_KEY.search(head.decode("utf-8-sig", errors="replace")) is not None


def _look_alike(path: Path) -> str | None:
    """Return a question about the name that was meant, if a file beside it has nearly that name."""
    from difflib import get_close_matches  # only on the way to an error

    folder = path.parent
    names = [each.name for each in folder.iterdir()] if folder.is_dir() else []
    close = get_close_matches(path.name, names, n=1)
    return f'did you mean "{folder / close[0]}"?' if close else None
