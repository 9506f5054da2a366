"""``wfctl archive-model``: a model becomes a ``.mar``, the same one on every machine.

Options, exit codes and the first lines of refusals are those of the original archiver, so that scripts move by
replacing the command.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn

import click

from wfctl.archive.manifest import RUNTIMES
from wfctl.archive.mar import ArchiveFormat, expand_patterns, plan_model, write_model
from wfctl.archive.model_advice import advice_on
from wfctl.archive.names import is_archive_name
from wfctl.archive.plan import ArchivePlan
from wfctl.archive.war import created_on
from wfctl.cli.abbreviated import AbbreviatedCommand
from wfctl.cli.console import say
from wfctl.cli.exits import Exit
from wfctl.cli.reporters.summary import counted
from wfctl.cli.sizes import human_size
from wfctl.errors import ArchiveError
from wfctl.store.digest import sha256_of

_DEMANDED: Final = {"model_name": "--model-name", "handler": "--handler", "version": "-v/--version"}


class _File(click.Path):
    """A path as the original takes it: an empty one, as of a variable that is not set, is none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return a path or ``None``."""
        del param, ctx
        text = _behind_equals(value)
        return Path(text) if text else None


_PATH: Final = _File()


def _behind_equals(text: str) -> str:
    """Return the value of ``-r=FILE``, which the original reads like ``-r FILE``."""
    return text.removeprefix("=")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wishes:
    """What was asked for."""

    model_name: str
    handler: str
    version: str
    serialized_file: Path | None
    model_file: Path | None
    extra_files: tuple[str, ...]
    runtime: str
    export_path: str
    form: ArchiveFormat
    overwrites: bool
    requirements_file: Path | None
    config_file: Path | None
    source_date_epoch: int | None


@click.command(
    cls=AbbreviatedCommand,
    short_help="Pack a model into a .mar archive.",
    epilog="The same files give the same bytes on any day; SOURCE_DATE_EPOCH sets the date inside.",
)
@click.option("--model-name", metavar="NAME", help="Name of the model; the archive is NAME.mar.  [required]")
@click.option(
    "--handler",
    metavar="FILE[:FUNCTION]|NAME",
    help="The handler's file, with or without .py, or the name of a built-in one.  [required]",
)
@click.option("-v", "--version", metavar="TEXT", help="Version of the model.  [required]")
@click.option("--serialized-file", type=_PATH, metavar="FILE", help="The weights.")
@click.option("--model-file", type=_PATH, metavar="FILE", help="The file with the one class of an eager model.")
@click.option(
    "--extra-files",
    metavar="A,B",
    help="Further files, with commas between; patterns are expanded, and of folders the content is packed.",
)
@click.option("--runtime", type=click.Choice(RUNTIMES), default=RUNTIMES[0], show_default=True)
@click.option("--export-path", metavar="FOLDER", help="Where to write; made if need be.  [default: current folder]")
@click.option(
    "--archive-format",
    "form",
    type=click.Choice([form.value for form in ArchiveFormat]),
    default=ArchiveFormat.DEFAULT.value,
    show_default=True,
    help="default: a .mar; zip-store: one that is not compressed; tgz: a .tar.gz; no-archive: a folder.",
)
@click.option("-f", "--force", "overwrites", is_flag=True, help="Overwrite an archive that is there.")
@click.option("-r", "--requirements-file", type=_PATH, metavar="FILE", help="What pip is to install for the model.")
@click.option("-c", "--config-file", type=_PATH, metavar="FILE", help="The model's configuration (model-config.yaml).")
@click.option("--source-date-epoch", type=click.IntRange(0, 253402300799), envvar="SOURCE_DATE_EPOCH", hidden=True)
def command(*, extra_files: str | None, form: str, export_path: str | None, **options: Any) -> None:
    """Pack a model into a .mar archive.

    Takes the options of torch-model-archiver. What looks wrong to a worker is told as a warning; nothing is refused
    that the original takes, but two files of one name and links that lead out of a folder.
    """
    missing = [option for key, option in _DEMANDED.items() if options[key] is None]
    if missing:
        raise click.UsageError(f"the following arguments are required: {', '.join(missing)}")
    options["version"] = _behind_equals(options["version"]) or "1.0"  # what its absence means
    words = tuple(word.strip() for word in (extra_files or "").split(",") if word.strip())
    where = str(Path.cwd()) if export_path is None else export_path
    _archive(_Wishes(extra_files=words, form=ArchiveFormat(form), export_path=where, **options))


def _archive(wishes: _Wishes) -> None:
    # A path of text, not a Path: the messages show what was typed, as the original does.
    target = os.path.join(wishes.export_path, wishes.model_name + wishes.form.ending)  # noqa: PTH118
    _judge(wishes, target)
    plan = _plan(wishes)
    for sentence in advice_on(
        plan, handler=wishes.handler, runtime=wishes.runtime, model_file=_name(wishes.model_file)
    ):
        say(f"warning: {sentence}")
    if os.path.lexists(target):
        say(f"WARNING - Overwriting {target} ...")
    _make_folder(wishes.export_path)
    write_model(Path(target), plan, wishes.form, model_name=wishes.model_name, overwrite=wishes.overwrites)
    say(f"wrote {target}: {counted(len(plan.members), 'member')}, {human_size(plan.size)}")
    if wishes.form is not ArchiveFormat.NO_ARCHIVE:
        say(f"sha256 {sha256_of(Path(target))}")
    if wishes.form in {ArchiveFormat.DEFAULT, ArchiveFormat.TGZ}:
        say("compressed: another version of zlib may give other bytes; --archive-format zip-store does not")


def _judge(wishes: _Wishes, target: str) -> None:
    """Refuse in the words of the original, which scripts may look for."""
    if not is_archive_name(wishes.model_name):
        _refuse(
            "Model name contains special characters.",
            r"The allowed regular expression filter for model name is: ^[A-Za-z0-9][A-Za-z0-9_\-.]*$",
        )
    if not wishes.handler:
        raise click.UsageError("--handler names nothing")
    if os.path.exists(wishes.export_path) and not os.path.isdir(wishes.export_path):  # noqa: PTH110, PTH112
        _refuse(f"Given export-path {wishes.export_path} is not a directory. Point to a valid export-path directory.")
    if os.path.lexists(target) and not wishes.overwrites:
        _refuse(
            f"{target} already exists.",
            "Please specify --force/-f option to overwrite the model archive output file.",
            "See -h/--help for more details.",
        )


def _refuse(*lines: str) -> NoReturn:
    say(f"ERROR - {lines[0]}")
    for line in lines[1:]:
        say(line)
    raise click.exceptions.Exit(Exit.FINDINGS)


def _plan(wishes: _Wishes) -> ArchivePlan:
    return plan_model(
        model_name=wishes.model_name,
        handler=wishes.handler,
        version=wishes.version,
        serialized_file=wishes.serialized_file,
        model_file=wishes.model_file,
        extra_files=list(_extra_files(wishes.extra_files)),
        config_file=wishes.config_file,
        requirements_file=wishes.requirements_file,
        runtime=wishes.runtime,
        created_on=created_on(wishes.source_date_epoch),
    )


def _extra_files(words: tuple[str, ...]) -> Iterator[Path]:
    for word, paths in expand_patterns(words):
        if not paths:
            say(f'warning: no file matches "{word}"')
        yield from paths


def _make_folder(path: str) -> None:
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ArchiveError(f'cannot make the folder "{path}": {error.strerror or error}') from error


def _name(path: Path | None) -> str | None:
    return None if path is None else path.name
