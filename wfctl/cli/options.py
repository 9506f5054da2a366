"""What the commands share about their surroundings: environment variables, and what a shell may complete.

Invariant: the only place of the command line that reads the environment; it imports nothing heavy.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

_WORKFLOW_ENDINGS = (".yaml", ".yml", ".war")


Command = Callable[..., Any]


def gathered(name: str, kind: type, *options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Add options to a command, which gets all of them as one value called ``name``.

    ``kind`` is a dataclass; each of its fields is called like the parameter of one option.
    """
    names = [field.name for field in fields(kind)]

    def decorate(command: Command) -> Command:
        @wraps(command)
        def with_one_value(**words: Any) -> Any:
            value = kind(**{each: words.pop(each) for each in names})
            return command(**words, **{name: value})

        decorated: Command = with_one_value
        for option in reversed(options):
            decorated = option(decorated)
        return decorated

    return decorate


def colour_choice(environ: Mapping[str, str] = os.environ) -> bool | None:
    """Return ``False`` where the user wants no colour, else ``None``: colour on terminals only."""
    return False if environ.get("NO_COLOR") else None


def is_dumb_terminal(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether the terminal, if there is one, can only write line below line."""
    return environ.get("TERM", "dumb") == "dumb"


def is_github_actions(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether this is a job of GitHub Actions, which reads findings from workflow commands."""
    return environ.get("GITHUB_ACTIONS") == "true"


def environment_store(environ: Mapping[str, str] = os.environ) -> Path | None:
    """Return the folder that ``WFCTL_MODEL_STORE`` names."""
    value = environ.get("WFCTL_MODEL_STORE")
    return Path(value) if value else None


def environment_allowed(environ: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """Return what ``WFCTL_ALLOWED_URLS`` allows to be fetched: patterns with commas between them."""
    listed = environ.get("WFCTL_ALLOWED_URLS", "").split(",")
    return tuple(pattern.strip() for pattern in listed if pattern.strip())


def cache_folder(environ: Mapping[str, str] = os.environ) -> Path | None:
    """Return where pinned downloads are kept: ``WFCTL_CACHE``, else ``wfctl`` in the user's cache folder."""
    if own := environ.get("WFCTL_CACHE"):
        return Path(own)
    for base in (environ.get("XDG_CACHE_HOME", ""), os.path.join(environ.get("HOME", ""), ".cache")):  # noqa: PTH118
        if os.path.isabs(base):  # noqa: PTH117
            return Path(base, "wfctl")
    return None


model_store_option = click.option(
    "--model-store",
    type=click.Path(path_type=Path),
    envvar="WFCTL_MODEL_STORE",
    show_envvar=True,
    help="A further folder to look for models in.",
)

workflow_store_option = click.option(
    "--workflow-store",
    type=click.Path(path_type=Path),
    envvar="WFCTL_WORKFLOW_STORE",
    show_envvar=True,
    help="A folder to look for a .war in that is named and not here.",
)


def complete_workflows(ctx: click.Context, param: click.Parameter, incomplete: str) -> list["CompletionItem"]:
    """Complete a PATH: specs, archives, and folders that may hold one."""
    del ctx, param
    from click.shell_completion import CompletionItem

    folder, _, start = incomplete.rpartition("/")
    names = _entries(f"{folder}/" if folder or incomplete.startswith("/") else ".")
    lead = incomplete.removesuffix(start)
    files = [lead + name for name in names if name.startswith(start) and name.endswith(_WORKFLOW_ENDINGS)]
    # The shell itself offers the folders: it knows to put a slash after them and no space.
    return [CompletionItem(incomplete, type="dir"), *map(CompletionItem, files)]


def _entries(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))  # noqa: PTH208 - names are wanted, as the user began to write them
    except OSError:
        return []


def complete_rules(ctx: click.Context, param: click.Parameter, incomplete: str) -> list["CompletionItem"]:
    """Complete a rule's code or name; after a comma the next one."""
    del ctx, param
    from click.shell_completion import CompletionItem

    from wfctl.diagnostics.catalog import RULES

    lead, comma, start = incomplete.rpartition(",")
    codes = [
        CompletionItem(lead + comma + code, help=rule.name)
        for code, rule in RULES.items()
        if code.startswith(start.upper())
    ]
    names = [
        CompletionItem(lead + comma + rule.name, help=rule.code)
        for rule in RULES.values()
        if start and rule.name.startswith(start.lower())
    ]
    return [*codes, *names]


def complete_nodes(ctx: click.Context, param: click.Parameter, incomplete: str) -> list["CompletionItem"]:
    """Complete the name of a node of the workflow that is named on the line, or else of the current folder."""
    del param
    from click.shell_completion import CompletionItem

    return [CompletionItem(name) for name in _nodes(_workflow_on_line(ctx)) if name.startswith(incomplete)]


def _workflow_on_line(ctx: click.Context) -> Path:
    values = (ctx.params.get(name) for name in ("workflow", "path"))
    return next((Path(value) for value in values if isinstance(value, str | Path)), Path())


def _nodes(workflow: Path) -> list[str]:
    """Return the nodes in the order of the text; nothing where the workflow cannot be read."""
    from wfctl.archive.read_sources import read_sources
    from wfctl.errors import WfctlError
    from wfctl.spec.parse import parse_spec

    try:
        spec, _ = parse_spec(read_sources(workflow).sources.spec)
    except WfctlError:
        return []
    names = [entry.name for entry in spec.dag] + [to.name for entry in spec.dag for to in entry.targets] if spec else []
    return list(dict.fromkeys(names))
