"""Many inputs through one plan on Ray Data: a stage of actors for each node, streaming, with Ray's backpressure.

Inputs are handed in by a thread of this process, so that whatever can be read here (a pipe, too) can be run there.
Everything here blocks and is for threads.
"""

import logging
from collections.abc import Generator, Iterator
from time import monotonic
from typing import Any, Final

import pyarrow as pa
import ray
import ray.data
from ray.data.block import BlockMetadata
from ray.exceptions import RayError

from wfctl.cluster.depot import Shipping
from wfctl.cluster.handfuls import Handfuls
from wfctl.cluster.inbox import Feeder, open_inbox, read
from wfctl.cluster.layout import most_retries_of, resources_of
from wfctl.cluster.load_failure import read_load_failure
from wfctl.cluster.rows import HANDFULS, Row, from_bytes, stages_of
from wfctl.cluster.runs import ClusterRun, error_of
from wfctl.cluster.session import SESSION
from wfctl.cluster.sources import CodeSource, sent
from wfctl.cluster.stage import Stage
from wfctl.cluster.tallies import Tallies
from wfctl.engine.call import NO_HEADERS, Face
from wfctl.engine.running import NumberedInputs
from wfctl.engine.statistics import EngineStatistics
from wfctl.engine.watcher import OnOutput
from wfctl.errors import WorkerError
from wfctl.plan import ExecutionPlan

_MOST_FAILURES: Final = 3
"""Streams that may fail one after another without anything having come through."""
_READER_CPUS: Final = 0.001
_IN_FLIGHT: Final = 2
"""Blocks that an actor has, the one at work included."""


class RayPipeline:
    """Runs one plan on many inputs."""

    def __init__(self, plan: ExecutionPlan, hidden_names: tuple[str, ...], on_output: OnOutput) -> None:
        self._plan = plan
        self._on_output = on_output
        self._hidden = hidden_names
        self._tallies = Tallies(plan)
        self._shipping = Shipping()
        self._inbox: Any = None
        self._is_stopped = False

    @property
    def plan(self) -> ExecutionPlan:
        """What is followed."""
        return self._plan

    def statistics(self) -> EngineStatistics:
        """Return what the nodes have done to the inputs that are through."""
        nodes = self._tallies.statistics(self._plan, {})
        return EngineStatistics(runs=0, nodes=nodes, late_answers=0, stray_answers=0)

    def answers(self, inputs: NumberedInputs) -> Generator[list[ClusterRun], None, None]:
        """Yield settled runs in the order of the inputs, which are read in a thread of their own.

        Raises ``LoadError`` for a node that does not load, and what reading the inputs raises, once all before is
        through. What is lost with a machine beyond what Ray can do again is sent again, so that handlers may see an
        input twice; each comes out once.
        """
        handfuls = Handfuls(self._plan, self._tallies)
        feeder = Feeder(handfuls.of(inputs))
        feeder.start()
        failures = 0
        try:
            source = self._shipping.open(self._plan)
            while True:
                try:
                    for table in self._tables(source, feeder):
                        runs = self._runs(table)
                        handfuls.came_through(table.num_rows)
                        feeder.came_through(table.num_rows)
                        failures = 0
                        yield runs
                    break
                except RayError as error:
                    failures += 1
                    self._raise_unless_lost(error, failures)
        finally:
            self.stop()
            self._shipping.close()
            handfuls.end()
            feeder.close()
        if feeder.failure is not None:
            raise feeder.failure

    def _raise_unless_lost(self, error: RayError, failures: int) -> None:
        failure = read_load_failure(str(error))
        if failure is None and failures <= _MOST_FAILURES and not self._is_stopped:
            return
        raise failure or WorkerError(f"Ray Data gave up: {_last_line(error)}") from error

    def stop(self) -> None:
        """End the stream: without its inbox it fails, and with it whoever reads from it or into it."""
        self._is_stopped = True
        self._drop_inbox()

    def _drop_inbox(self) -> None:
        inbox, self._inbox = self._inbox, None
        if inbox is not None:
            ray.kill(inbox)

    def _tables(self, source: CodeSource, feeder: Feeder) -> Iterator[Any]:
        """Send all that did not come through yet, and yield what does."""
        self._drop_inbox()
        self._inbox = inbox = open_inbox()
        feeder.feed(inbox)
        dataset = self._dataset(inbox, source)
        yield from dataset.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0)

    def _dataset(self, inbox: Any, source: CodeSource) -> Any:
        _be_quiet()
        # It differs from the stages in what it takes, for Ray Data would make one of it and the first of them.
        dataset = ray.data.read_datasource(_Waiting(inbox), override_num_blocks=1, num_cpus=_READER_CPUS)
        for stage in stages_of(self._plan, source, most_retries_of(self._plan), self._hidden):
            settings = stage.node.settings
            dataset = dataset.map_batches(
                Stage,
                fn_constructor_args=sent(stage),
                batch_size=None,
                batch_format="pyarrow",
                compute=ray.data.ActorPoolStrategy(
                    min_size=settings.min_workers,
                    max_size=settings.max_workers,
                    max_tasks_in_flight_per_actor=_IN_FLIGHT,
                ),
                udf_modifying_row_count=False,
                **resources_of(stage.node, reserves=SESSION.is_joined),
            )
        return dataset

    def _runs(self, table: Any) -> list[ClusterRun]:
        now, runs = monotonic(), []
        for text in table.column(HANDFULS).to_pylist():
            rows, printed = from_bytes(text)
            for line in printed:
                self._on_output(*line)
            runs += [self._run(row, now) for row in rows]
        return runs

    def _run(self, row: Row, now: float) -> ClusterRun:
        run = ClusterRun(row.number, (), NO_HEADERS, only=None, face=Face.NONE, limit_s=None, on_settled=lambda _: None)
        run.passed = [(leaf, row.passed[leaf]) for leaf in self._plan.leaves]
        failure = next((passed.failure for _, passed in run.passed if passed.failure is not None), None)
        run.is_settled = True
        run.note_times(now)
        run.error = None if failure is None else error_of(failure)
        self._tallies.note(run.steps, None if failure is None else failure.node)
        return run


class _Waiting(ray.data.Datasource):  # type: ignore[misc]
    """What is put into an inbox."""

    def __init__(self, inbox: Any) -> None:
        self._inbox = inbox

    def estimate_inmemory_data_size(self) -> int | None:
        """Return nothing: nobody knows what is still to come."""
        return None

    def get_read_tasks(self, parallelism: int, *_: Any, **__: Any) -> list[Any]:
        """Return the one task that takes tables out until the end."""
        del parallelism
        inbox = self._inbox

        def tables() -> Iterator[Any]:
            for rows in read(inbox):
                yield pa.table({HANDFULS: pa.array([rows], pa.large_binary())})

        unknown = BlockMetadata(num_rows=None, size_bytes=None, exec_stats=None, input_files=None)
        return [ray.data.ReadTask(tables, unknown)]


def _be_quiet() -> None:
    """Have Ray Data keep the order of rows, and draw nothing on the terminal, which is ours."""
    context = ray.data.DataContext.get_current()
    context.execution_options.preserve_order = True
    context.target_max_block_size = 1  # of each row of Ray's, which is a handful of ours, a block of its own
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    context.enable_operator_progress_bars = False
    for name in ("ray.data", "ray.data.dataset"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def _last_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[-1]
