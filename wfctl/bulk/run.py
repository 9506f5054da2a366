"""One bulk run, from what it was told to its end: the one door of this room.

``begin`` looks at inputs and output and refuses what cannot go well; ``examine`` sees the workflow before anything
of it runs; ``drive`` does the work; ``end`` derives the failures. Invariant: an output is begun only when all else
is settled, and before its first answer a side-car says what it is about.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TYPE_CHECKING, Any

from wfctl.bulk.answer_folder import AnswerFolder
from wfctl.bulk.drive import Drive, Outcome, Terms
from wfctl.bulk.flow import Flow
from wfctl.bulk.inputs import Inputs
from wfctl.bulk.item import Item
from wfctl.bulk.ledger import Charter, read_charter, refuse_other_inputs, refuse_other_workflow, write_charter
from wfctl.bulk.line_file import LineFile, TakenOutputError
from wfctl.bulk.pace import Pace, usual_window
from wfctl.bulk.progress import Extent, Progress, progress_of
from wfctl.bulk.reading import Reading
from wfctl.bulk.sink import Sink
from wfctl.bulk.stream_output import StreamOutput
from wfctl.bulk.survey import Survey, survey
from wfctl.bulk.workflow_digest import digest_of_workflow
from wfctl.engine.running import RunningEngine, StreamingEngine
from wfctl.errors import InternalError, UnsupportedError
from wfctl.service.prepare import Prepared

if TYPE_CHECKING:
    from wfctl.plan import ExecutionPlan

Output = LineFile | AnswerFolder | StreamOutput
BUDGET = 64 * 2**20
"""Bytes of inputs, and as many of answers, that may be in memory."""
_TICK_S = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What a bulk run was told."""

    inputs: Inputs
    output: Output
    options: Mapping[str, Any] = field(default_factory=dict)
    """What decides the answers besides inputs and workflow."""
    resumes: bool = False
    overwrites: bool = False
    window: int | None = None
    budget: int = BUDGET
    limit: int | None = None
    """Inputs after which the run ends; those that are done already count."""
    max_errors: int | None = None


class BulkRun:
    """One run; ``close`` it whatever happened."""

    def __init__(self, job: Job) -> None:
        self._job = replace(job, inputs=job.inputs.without(job.output.own_paths))
        self._output = job.output
        self._survey: Survey | None = None
        self._before: Charter | None = None
        self._workflow = ""
        self._plan: ExecutionPlan | None = None
        self._drive: Drive | Flow | None = None
        self._reading: Reading | None = None
        self._chunks: Iterator[list[Item]] = iter(())

    @property
    def done(self) -> tuple[int, int]:
        """Inputs in the output from earlier runs, and how many of them failed."""
        return self._output.done, self._output.failed

    @property
    def total_done(self) -> int:
        """Inputs in the output now."""
        return self._output.done + (0 if self._drive is None else self._drive.position[0])

    @property
    def budget(self) -> int:
        """Bytes of inputs, and as many of answers, that may be in memory."""
        return self._job.budget

    @property
    def found(self) -> Survey:
        """What there is to read."""
        if self._survey is None:
            raise InternalError("a bulk run was asked before it began")
        return self._survey

    @property
    def window(self) -> int:
        """Inputs at work at a time, at most."""
        if self._plan is None:
            raise InternalError("a bulk run was asked for its window before it had a plan")
        return self._job.window or usual_window(self._plan)

    # Before anything runs

    def begin(self, *, only_looks: bool = False) -> None:
        """Look at inputs and output; raises ``TakenOutputError`` for an output that is not to be written."""
        job, output = self._job, self._output
        is_kept = not isinstance(output, StreamOutput)
        if job.resumes and not is_kept:
            raise UnsupportedError("--resume needs an output that stays: -o FILE.jsonl or -o FOLDER/")
        if job.resumes and job.inputs.is_stream:
            raise UnsupportedError(
                "--resume cannot be: standard input and pipes are read only once",
                hint="write it to a file, and name that",
            )
        self._survey = survey(job.inputs, wants_digest=is_kept, wants_unique_stems=isinstance(output, AnswerFolder))
        if isinstance(output, StreamOutput) or not output.exists():
            return
        if job.resumes:
            self._before = read_charter(output.charter_path, output.path)
            refuse_other_inputs(self._charter(), self._before, output.path)
            output.look() if only_looks else output.resume()
        elif not job.overwrites:
            raise _taken(output)

    def is_nothing_left(self) -> bool:
        """Whether the run that is to be continued had come to its end; raises what the first input raises."""
        chunks = self._open_reading()
        if self._job.inputs.is_stream:
            return False
        first = next(chunks, None)
        # What is done is passed over once: a long run takes its time for that.
        self._chunks = chain(() if first is None else (first,), chunks)
        return first is None and self._before is not None

    def count(self) -> int | None:
        """Return how many inputs there are, counted where need be; ``None`` for what is read only once."""
        if self._job.inputs.is_stream:
            return None
        counted = self.found.count
        if counted is None:
            reading = Reading(self._job.inputs, skips=_skips_all, limit=None)
            with closing(reading):
                for _ in reading.chunks():
                    pass
            counted = reading.number
        return counted if self._job.limit is None else min(counted, self._job.limit)

    def examine(self, prepared: Prepared) -> None:
        """See the workflow before it runs; raises ``OtherRunError`` if the run to be continued had another one."""
        self._plan = prepared.plan
        if isinstance(self._output, StreamOutput):
            return
        self._workflow = digest_of_workflow(prepared.plan, prepared.workplace.folder)
        if self._before is not None:
            refuse_other_workflow(self._charter(), self._before, self._output.path)

    # The work

    async def drive(self, engine: RunningEngine | StreamingEngine, on_progress: Callable[[Progress], None]) -> Outcome:
        """Run every input that is not done; cancelling it leaves a whole output."""
        if self._plan is None:
            raise InternalError("a bulk run was driven before its workflow was examined")
        job = self._job
        terms = Terms(window=self.window, budget=job.budget, max_errors=job.max_errors)
        sink = await asyncio.to_thread(self._begun_output)
        if self._reading is None:
            self._open_reading()
        self._drive = driven = self._driver(engine, sink, terms)
        teller = _Teller(driven, engine, self._extent(), self._output, on_progress)
        teller.start()
        try:
            return await driven.run(self._stop_reading)
        finally:
            teller.end()
            sink.close()

    def _driver(self, engine: RunningEngine | StreamingEngine, sink: Sink, terms: Terms) -> Drive | Flow:
        if isinstance(engine, StreamingEngine):
            return Flow(engine, self._chunks, sink, terms=terms)
        return Drive(engine, self._chunks, sink, terms=terms, pace=Pace(engine.plan, terms.window))

    def end(self) -> int:
        """Derive the failures of the whole output, earlier runs included, and return how many there are."""
        if isinstance(self._output, StreamOutput):
            return 0
        failed_now = 0 if self._drive is None else self._drive.position[1]
        if not self._output.failed + failed_now:
            self._output.failures_path.unlink(missing_ok=True)
            return 0
        return self._output.derive_failures()

    def close(self) -> None:
        """Let go of inputs and output."""
        if self._reading is not None:
            self._reading.close()
        self._output.close()

    def _begun_output(self) -> Sink:
        output = self._output
        if isinstance(output, StreamOutput):
            return output.begin()
        if self._before is not None:
            return output.go_on()
        sink = output.begin()
        if not self._job.inputs.is_stream:
            write_charter(self._charter(), output.charter_path)
        else:
            output.charter_path.unlink(missing_ok=True)
        return sink

    def _open_reading(self) -> Iterator[list[Item]]:
        skips = None if self._before is None or isinstance(self._output, StreamOutput) else self._output.skips
        self._reading = Reading(self._job.inputs, skips=skips, limit=self._job.limit)
        self._chunks = chunks = self._reading.chunks()
        return chunks

    def _stop_reading(self) -> None:
        if self._reading is not None:
            self._reading.stop()

    def _charter(self) -> Charter:
        found = self.found
        inputs = {
            "words": list(self._job.inputs.words),
            "files": found.files,
            "bytes": found.total_bytes,
            "digest": found.digest,
        }
        return Charter(inputs=inputs, workflow=self._workflow, options=self._job.options)

    def _extent(self) -> Extent:
        total = 0 if self._job.inputs.is_stream else self.found.total_bytes
        count = None if self._job.inputs.is_stream else self.found.count
        return Extent(count=count, total_bytes=total, limit=self._job.limit)


class _Teller:
    """Tells the progress a few times a second."""

    def __init__(
        self,
        drive: Drive | Flow,
        engine: RunningEngine | StreamingEngine,
        extent: Extent,
        output: Output,
        on_progress: Callable[[Progress], None],
    ) -> None:
        self._drive, self._engine, self._extent, self._output = drive, engine, extent, output
        self._on_progress = on_progress
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Tell again and again from now on."""
        self._tell(is_last=False)
        self._timer = self._loop.call_later(_TICK_S, self.start)

    def end(self) -> None:
        """Tell a last time."""
        if self._timer is not None:
            self._timer.cancel()
        self._tell(is_last=True)

    def _tell(self, *, is_last: bool) -> None:
        elapsed_s = self._loop.time() - self._began
        before = (self._output.done, self._output.failed)
        nodes = self._engine.statistics().nodes
        position = self._drive.position
        self._on_progress(
            progress_of(position, nodes, self._extent, elapsed_s=elapsed_s, before=before, is_last=is_last)
        )


def _skips_all(number: int, stem: str) -> bool:
    del number, stem
    return True


def _taken(output: LineFile | AnswerFolder) -> TakenOutputError:
    is_ours = output.charter_path.exists()
    what = "holds answers of an earlier run" if is_ours else "exists already"
    more = "--resume continues it, " if is_ours else ""
    return TakenOutputError(f'"{output.path}" {what}', hint=f"{more}--overwrite starts anew")
