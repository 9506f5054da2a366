"""``wfctl check-compat``: what becomes of TorchServe's archives here; nothing of them is run."""

import json
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

import click

from wfctl.cli.compat_record import record
from wfctl.cli.compat_table import lines
from wfctl.cli.console import answer, terminal_width
from wfctl.cli.exits import Exit, exit_for
from wfctl.cli.options import complete_workflows, environment_store
from wfctl.compat.judge import judge
from wfctl.compat.kinds import expanded
from wfctl.compat.model import Judged, Stores, Verdict
from wfctl.errors import WfctlError


@click.command("check-compat", short_help="Say what becomes of TorchServe archives here.")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), shell_complete=complete_workflows)
@click.option("--json", "as_json", is_flag=True, help="Print all of it as one JSON object.")
@click.option("--model-store", type=click.Path(path_type=Path), help="A further folder to look for models in.")
def command(*, paths: tuple[Path, ...], as_json: bool, model_store: Path | None) -> int:
    """Say what becomes of TorchServe archives here.

    PATHS are .war and .mar archives, their .tar.gz and folders, specs, and stores: of a folder that holds archives,
    each is looked at. For each is said whether it runs as it is, what behaves differently from TorchServe and what is
    not supported; wfctl rule CODE tells more. Nothing is imported, unpickled or run. Exits with 1 if one of them does
    not run.
    """
    stores = Stores(model_store=model_store, environment_store=environment_store())
    judged = [judge(path, stores, _is_installed) for path in _all(paths)]
    if as_json:
        answer(json.dumps(record(judged), indent=2))
    else:
        answer("\n".join(lines(judged, terminal_width())))
    return _exit(judged)


def _all(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        try:
            found = expanded(path)
        except WfctlError:
            found = [path]  # what is wrong with it is a row
        if not found:
            raise click.UsageError(f'the folder "{path}" holds no archive and no workflow')
        yield from found


def _is_installed(library: str) -> bool:
    """Look for a package by its import name; none is imported for that."""
    try:
        return find_spec(library) is not None
    except (ImportError, ValueError):
        return False


def _exit(judged: Sequence[Judged]) -> int:
    refused = [exit_for(each.error) for each in judged if each.error]
    if refused:
        return max(refused)
    return Exit.FINDINGS if any(each.verdict is Verdict.UNSUPPORTED for each in judged) else Exit.OK
