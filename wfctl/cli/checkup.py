"""One workflow from its path to its verdict: find, read, check, and mend where that is asked for.

Invariant: what cannot be read becomes part of the verdict, so that one bad path hides none of the others.
"""

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from wfctl.archive.digests import digests_in
from wfctl.archive.read_sources import Origin, missing_in, read_sources
from wfctl.check.check import check
from wfctl.check.model import Inside, Sources, Surroundings
from wfctl.cli.discover import find_workflow
from wfctl.cli.fix import choose_edits, edited
from wfctl.cli.reporters.interface import Verdict
from wfctl.cli.selection import Selection
from wfctl.cli.stdin import STDIN, STDIN_NAME, read_stdin_sources
from wfctl.diagnostics.model import SourceText
from wfctl.diagnostics.report import InvalidWorkflowError, Report
from wfctl.errors import WfctlError
from wfctl.spec.model import WorkflowSpec
from wfctl.store.find import Places, facts_for

_MOST_ROUNDS = 10
"""A fix may uncover a finding that can be fixed too; a fix that brings its own finding back must not go on for ever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """How workflows are to be checked."""

    selection: Selection
    handler: Path | None = None
    model_store: Path | None = None
    workflow_store: Path | None = None
    environment_store: Path | None = None
    is_compat: bool = False
    is_mending: bool = False
    """Whether the safe edits are made, in memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A text before and after the safe edits."""

    path: Path
    old: SourceText
    new: SourceText


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """The verdict on one workflow, and what the safe edits changed before it."""

    verdict: Verdict
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """The texts of one workflow; the paths are set where the texts are files of the user's."""

    path: str
    sources: Sources
    places: Places | None = None
    """Where models are looked for; ``None`` if nobody looks."""
    spec_file: Path | None = None
    handler_file: Path | None = None
    missing_in_manifest: Mapping[str, str] = field(default_factory=dict)


def examine(path: Path | None, how: Examination) -> Examined:
    """Check one workflow; ``None`` means that of the current folder."""
    name = str(path or Path())
    try:
        where = path if path == STDIN else find_workflow(path, how.workflow_store)
        name = STDIN_NAME if where == STDIN else str(where)
        read = _read(where, how)
    except InvalidWorkflowError as invalid:  # bytes that are no text
        return Examined(verdict=Verdict(path=name, report=how.selection.of(invalid.report)))
    except WfctlError as error:
        return Examined(verdict=Verdict(path=name, error=error))
    with _without_collector():
        return _mended(read, how) if how.is_mending else Examined(verdict=_verdict(read, how))


@contextmanager
def _without_collector() -> Iterator[None]:
    """Check without looking for circular garbage: a check makes none, and the looking is a quarter of its time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _read(path: Path, how: Examination) -> _Read:
    if path == STDIN:
        # Nobody knows where its models are.
        return _Read(path=STDIN_NAME, sources=read_stdin_sources(how.handler))
    read = read_sources(path, handler=how.handler)
    is_archive = read.origin is Origin.ARCHIVE
    return _Read(
        path=str(path),
        sources=read.sources,
        places=Places(
            members=read.members,
            archive=read.archive or (path if read.members else None),
            beside=read.folder,
            model_store=how.model_store,
            environment_store=how.environment_store,
        ),
        spec_file=None if is_archive else read.spec_path,
        handler_file=None if is_archive else read.handler_path,
        missing_in_manifest=missing_in(read),
    )


def _check(read: _Read, how: Examination) -> Report:
    places = read.places

    def look(spec: WorkflowSpec) -> Surroundings:
        """Look for the archives that the spec names."""
        if places is None:
            return Surroundings()
        digest = digests_in(places.archive)
        facts = facts_for(spec.models, places, digest_of_member=digest, look_inside=_look_inside)
        return Surroundings(models=facts, missing_in_manifest=read.missing_in_manifest)

    return check(read.sources, look=look, compat=how.is_compat).report


def _look_inside(archive: Path) -> Inside | None:
    from wfctl.archive.inside import look_inside  # where no archive is at hand, none of its readers is needed

    return look_inside(archive)


def _verdict(read: _Read, how: Examination) -> Verdict:
    return Verdict(path=read.path, report=how.selection.of(_check(read, how)))


def _mended(read: _Read, how: Examination) -> Examined:
    """Make the safe edits until none is left, and give the verdict on what came out."""
    now, verdict = read, _verdict(read, how)
    for _ in range(_MOST_ROUNDS):
        edits = choose_edits(verdict.report)
        spec, handler = now.sources.spec, now.sources.handler
        sources = replace(
            now.sources, spec=edited(spec, edits), handler=None if handler is None else edited(handler, edits)
        )
        if sources == now.sources:
            break
        now = replace(now, sources=sources)
        verdict = _verdict(now, how)
    return Examined(verdict=verdict, changes=tuple(_changes(read, now)))


def _changes(before: _Read, after: _Read) -> Iterator[Change]:
    texts = (
        (before.spec_file, before.sources.spec, after.sources.spec),
        (before.handler_file, before.sources.handler, after.sources.handler),
    )
    for path, old, new in texts:
        if path and old and new and old != new:
            yield Change(path=path, old=old, new=new)
