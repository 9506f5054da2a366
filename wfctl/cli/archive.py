"""``wfctl archive``: a workflow becomes a ``.war``, the same one on every machine.

The options of the original archiver have its names, so that a script moves by replacing the command.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click

from wfctl.archive.embed import Embedded
from wfctl.archive.names import is_archive_name
from wfctl.archive.pack import write_archive
from wfctl.archive.plan import ArchivePlan, PlannedMember
from wfctl.archive.read_sources import Origin, ReadSources, read_sources
from wfctl.archive.war import created_on, extra_members, folder_members, plan_workflow
from wfctl.check.check import check
from wfctl.check.model import Surroundings
from wfctl.cli.abbreviated import AbbreviatedCommand
from wfctl.cli.console import answer, say, say_styled
from wfctl.cli.discover import find_workflow
from wfctl.cli.options import complete_workflows, model_store_option
from wfctl.cli.printable import printable
from wfctl.cli.reporters.interface import Verdict
from wfctl.cli.reporters.summary import counted
from wfctl.cli.reporters.table import reporter_for
from wfctl.cli.sizes import columns, human_size
from wfctl.diagnostics.model import Severity
from wfctl.diagnostics.report import InvalidWorkflowError, Report
from wfctl.errors import ArchiveError, StoreError, UnreadableInputError, UnsupportedError
from wfctl.spec.model import ModelSpec, WorkflowSpec
from wfctl.spec.parse import parse_spec
from wfctl.store.digest import sha256_of
from wfctl.store.find import Places, facts_for, find_model, require_model

_PATH: Final = click.Path(path_type=Path)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wishes:
    """What was asked for."""

    folder: Path | None
    spec_file: Path | None
    handler: Path | None
    name: str | None
    export_path: Path
    extra_files: tuple[Path, ...]
    excluded: tuple[str, ...]
    model_store: Path | None
    source_date_epoch: int | None
    overwrites: bool
    checks: bool
    compresses: bool
    embeds: bool
    is_dry: bool
    is_compat: bool


@click.command(
    cls=AbbreviatedCommand,
    short_help="Pack a workflow into a .war archive.",
    epilog="The same files give the same bytes on any day and machine; SOURCE_DATE_EPOCH sets the date inside.",
)
@click.argument("folder", required=False, type=_PATH, shell_complete=complete_workflows)
@click.option("--workflow-name", "name", metavar="NAME", help="Name of the workflow; the archive is NAME.war.")
@click.option("--spec-file", type=_PATH, metavar="FILE", help="Pack this spec and what is named, not a whole folder.")
@click.option("--handler", type=_PATH, metavar="FILE", help="The handler, where it is not beside the spec.")
@click.option(
    "--export-path", type=_PATH, default=Path(), metavar="FOLDER", help="Where to write.  [default: current folder]"
)
@click.option("--extra-files", metavar="A,B", help="Further files and folders, with commas between.")
@click.option(
    "--exclude",
    multiple=True,
    metavar="PATTERN",
    help="Leave out of a folder what matches: *.csv, train/*; repeatable.",
)
@click.option("-f", "--force", "overwrites", is_flag=True, help="Overwrite an archive that is there.")
@click.option("--no-check", is_flag=True, help="Pack without looking whether the workflow is sound.")
@click.option("--compat", "is_compat", is_flag=True, help="Warn where TorchServe tolerates what is an error here.")
@click.option(
    "--compress", "compresses", is_flag=True, help="Smaller, but the bytes may depend on the version of zlib."
)
@click.option("--embed-models", "embeds", is_flag=True, help="Put the models inside and pin their digests.")
@model_store_option
@click.option("--source-date-epoch", type=click.IntRange(0, 253402300799), envvar="SOURCE_DATE_EPOCH", hidden=True)
@click.option("-n", "--dry-run", "is_dry", is_flag=True, help="List the members and write nothing.")
def command(*, extra_files: str | None, no_check: bool, exclude: tuple[str, ...], **options: Any) -> None:
    """Pack a workflow into a .war archive.

    FOLDER (the current one by default) is packed with everything in it but models, archives and hidden files; with
    --spec-file only the spec, its handler and the extra files are. The workflow is checked first, and not packed if
    it has errors.
    """
    paths = tuple(Path(name.strip()) for name in (extra_files or "").split(",") if name.strip())
    _archive(_Wishes(extra_files=paths, checks=not no_check, excluded=exclude, **options))


def _archive(wishes: _Wishes) -> None:
    target_folder = _export_folder(wishes.export_path)
    read = _read(wishes)
    name = _name(wishes.name or read.name)
    target = target_folder / f"{name}.war"
    # Not Path.exists, which raises for a name that is too long for the disk.
    if os.path.exists(target) and not (wishes.overwrites or wishes.is_dry):  # noqa: PTH110
        raise ArchiveError(f'"{target}" already exists', hint="overwrite it with --force/-f, or see --help")
    places = Places(beside=read.folder, model_store=wishes.model_store)
    models = _checked_models(read, places, wishes) if wishes.checks else _models(read)
    plan = plan_workflow(
        read,
        name=name,
        extra=[*extra_members(_extra_files(read, wishes)), *_rest_of_folder(read, wishes, models, places)],
        embedded=[_embedded(model, places) for model in models.values()] if wishes.embeds else (),
        created_on=created_on(wishes.source_date_epoch),
    )
    left_out = [] if wishes.embeds else [model.url for model in models.values() if model.url]
    _show(target, plan) if wishes.is_dry else _write(target, plan, wishes, left_out)


def _show(target: Path, plan: ArchivePlan) -> None:
    rows = [(human_size(member.size), printable(member.name, keep="")) for member in plan.members]
    answer("\n".join(columns(rows)))
    say(f"would write {target}: {_summary(plan)}")


def _write(target: Path, plan: ArchivePlan, wishes: _Wishes, left_out: Sequence[str]) -> None:
    if os.path.exists(target):  # noqa: PTH110
        say(f"overwriting {target}")
    write_archive(target, plan, compress=wishes.compresses, overwrite=wishes.overwrites)
    say(f"wrote {target}: {_summary(plan)}")
    say(f"sha256 {sha256_of(target)}")
    if left_out:
        say(f"not inside: {', '.join(left_out)}; take them along, or put them inside with --embed-models")
    if wishes.compresses:
        say("compressed: another version of zlib may give other bytes")


def _summary(plan: ArchivePlan) -> str:
    return f"{counted(len(plan.members), 'member')}, {human_size(plan.size)}"


def _export_folder(path: Path) -> Path:
    if not os.path.isdir(path):  # noqa: PTH112
        raise UnreadableInputError(
            f'the export path "{path}" is not a folder', hint="make it first, or name another with --export-path"
        )
    return path


def _name(name: str) -> str:
    if not is_archive_name(name):
        raise ArchiveError(
            f'the workflow name "{name}" contains special characters',
            hint="a name begins with a letter or a digit, and letters, digits, _, - and . may follow",
        )
    return name


def _read(wishes: _Wishes) -> ReadSources:
    if wishes.folder is not None and wishes.spec_file is not None:
        raise click.UsageError("give a FOLDER or --spec-file, not both")
    if wishes.spec_file is None:
        find_workflow(wishes.folder)  # complains as all commands do where there is none
    read = read_sources(wishes.spec_file or wishes.folder or Path(), handler=wishes.handler)
    if read.origin is Origin.ARCHIVE:
        raise UnsupportedError(f'"{read.archive}" is an archive already', hint="wfctl inspect shows what is inside")
    return read


def _models(read: ReadSources) -> Mapping[str, ModelSpec]:
    spec, _ = parse_spec(read.sources.spec)
    return {} if spec is None else spec.models


def _checked_models(read: ReadSources, places: Places, wishes: _Wishes) -> Mapping[str, ModelSpec]:
    """Print what is wrong, notes left out, and refuse a workflow with errors; return the models of a sound one."""
    # Models are looked for where the archive will run; here only if they go inside, or their folder was named.
    looks = wishes.embeds or wishes.model_store is not None

    def look(spec: WorkflowSpec) -> Surroundings:
        """Look for the archives that the spec names, where that is wanted."""
        return Surroundings(models=facts_for(spec.models, places)) if looks else Surroundings()

    checked = check(read.sources, look=look, compat=wishes.is_compat)
    report = checked.report
    shown = Report(tuple(found for found in report if found.severity is not Severity.NOTE))
    if report.has_errors:
        raise InvalidWorkflowError(shown)
    if shown:
        verdict = Verdict(path=str(read.spec_path or read.folder), report=shown)
        say_styled(reporter_for("full").render([verdict]).rstrip("\n"))
    return {} if checked.spec is None else checked.spec.models


def _extra_files(read: ReadSources, wishes: _Wishes) -> Iterator[Path]:
    """Yield the extra files; scripts name the spec or the handler among them too."""
    # Not Path.resolve, which raises for links that go in circles.
    own = {os.path.realpath(path) for path in (read.spec_path, read.handler_path) if path is not None}
    yield from (path for path in wishes.extra_files if os.path.realpath(path) not in own)


def _rest_of_folder(
    read: ReadSources, wishes: _Wishes, models: Mapping[str, ModelSpec], places: Places
) -> Iterator[PlannedMember]:
    """Yield what a whole folder holds beside the spec, the handler, the models and the extra files."""
    if wishes.spec_file is not None:
        return
    found = (find_model(model.url, places).path for model in models.values() if model.url)
    known = [read.spec_path, read.handler_path, *found, *wishes.extra_files]
    but = [path for path in known if path is not None]
    yield from folder_members(read.folder, but=but, patterns=wishes.excluded)


def _embedded(model: ModelSpec, places: Places) -> Embedded:
    if model.url is None:
        raise StoreError(f'the model "{model.name}" has no url')
    path = require_model(model.url, places)
    if path.is_dir():
        raise ArchiveError(
            f'the model "{model.name}" is the folder "{path}"', hint="only a .mar or .tar.gz can be embedded"
        )
    return Embedded(model=model, path=path, sha256=sha256_of(path))
