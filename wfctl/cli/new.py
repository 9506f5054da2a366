"""``wfctl new``: a small workflow that already works, to be changed into one's own.

Invariant: writes into a new or empty folder only.
"""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from wfctl.cli.console import say
from wfctl.errors import UnreadableInputError, WorkerError

TEMPLATES = Path(__file__).with_name("templates")
# Every file has one more ending there: Python files of a template are text to us, not modules of ours.
_ENDING = ".txt"
_PLACEHOLDER = "NAME_OF_WORKFLOW"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_NEXT = (
    ("validate", "is it sound?"),
    ("render", "a picture of it"),
    ("run input.json", "an answer"),
    ("archive --embed-models", "a .war to take elsewhere"),
)


@click.command(short_help="Write a small working workflow to start from.")
@click.argument("folder", metavar="NAME", type=click.Path(path_type=Path))
@click.option(
    "--template",
    type=click.Choice(["chain", "parallel"]),
    default="chain",
    show_default=True,
    help="One model between two functions, or two models side by side.",
)
def command(*, folder: Path, template: str) -> None:
    """Write a small working workflow to start from.

    NAME is a new folder; its last part is the name of the workflow. It holds a spec, a handler, a tiny model of your
    own to replace, and the script that packs it.
    """
    name = folder.resolve().name
    if not _NAME.fullmatch(name):
        raise click.BadParameter(
            f'"{name}" cannot name a workflow: use letters, digits, "_", "-" and "."', param_hint="NAME"
        )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise click.BadParameter(f'"{folder}" is there already, and not empty', param_hint="NAME")
    written = _write(folder, template, name)
    _build(folder)
    _tell(folder, written)


def _write(folder: Path, template: str, name: str) -> list[str]:
    """Write the files of a template and return their names."""
    written = []
    try:
        for path, text in _files_of(template):
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text.replace(_PLACEHOLDER, name), encoding="utf-8")
            written.append(path)
    except OSError as reason:
        raise UnreadableInputError(f'cannot write to "{folder}": {reason.strerror}') from reason
    return written


def _files_of(template: str) -> Iterator[tuple[str, str]]:
    for part in ("shared", template):
        root = TEMPLATES / part
        for path in sorted(root.rglob(f"*{_ENDING}")):
            yield path.relative_to(root).as_posix().removesuffix(_ENDING), path.read_text(encoding="utf-8")
    yield ".schema/workflow-spec.json", _schema()


def _schema() -> str:
    """Return the schema that the first line of the spec names, so that editors explain and complete its keys."""
    import json

    from wfctl.spec.schema import load_schema

    return json.dumps(load_schema("workflow-spec"), indent=2, ensure_ascii=False) + "\n"


def _build(folder: Path) -> None:
    """Run the new folder's own script: what it says in its README has been done once."""
    done = subprocess.run(
        [sys.executable, "build.py"], cwd=folder, check=False, capture_output=True, text=True, errors="replace"
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise WorkerError(f'"{folder / "build.py"}" could not pack the model: {lines[-1]}')


def _tell(folder: Path, written: list[str]) -> None:
    say(f'wrote {len(written)} files to "{folder}" and packed its models')
    say("next:")
    if folder.resolve() != Path.cwd():
        say(f"  cd {shlex.quote(str(folder))}")
    for arguments, purpose in _NEXT:
        say(f"  {f'wfctl {arguments}':<28}  # {purpose}")
