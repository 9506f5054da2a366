"""Settings of nodes as a spec writes them, seen from the handlers of real processes."""

import asyncio
import os
import select
from collections import Counter
from pathlib import Path

import pytest

import wfctl
from wfctl.errors import DeadlineExceededError, RunError
from wfctl.service.prepare import Request, prepare
from wfctl.spec.model import WorkerSettings

GATED = """
    import os

    def work(data, context):
        if data is None:
            return None
        note(len(data))
        if any(bytes(row["body"]) == b"gate" for row in data):
            open("{gate}", "rb").close()    # until the test opens the other end
        return [str([len(data), os.getpid()]) for _ in data]

    def note(size):
        with open("{notes}", "a") as notes:
            notes.write(str(size) + chr(10))
"""
FAILING = GATED.replace('if any(bytes(row["body"]) == b"gate" for row in data):', "if True:").replace(
    'open("{gate}", "rb").close()    # until the test opens the other end', "{ending}"
)


@pytest.fixture
def gated(flow, tmp_path):
    """Return a function that writes a workflow of one function with these settings."""
    os.mkfifo(tmp_path / "gate")

    def write(settings: str = "", more: str = "", *, handler: str = GATED, ending: str = "") -> Path:
        spec = f"dag:\n  work: []\nwfctl:\n  functions:\n    work: {{{settings}}}\n{more}"
        names = {"{gate}": tmp_path / "gate", "{notes}": tmp_path / "notes", "{ending}": ending}
        for name, value in names.items():
            handler = handler.replace(name, str(value))
        return flow(spec, handler)

    return write


@pytest.fixture
def release(tmp_path):
    """Return a function that lets go the handler that waits at the gate."""

    async def opens() -> None:
        await asyncio.to_thread(lambda: (tmp_path / "gate").open("wb").close())

    return opens


@pytest.fixture
def batches(tmp_path):
    """Return a function that tells the sizes of the batches that handlers were called with."""
    return lambda: [int(line) for line in (tmp_path / "notes").read_text().split()]


def told(answer) -> tuple[int, int]:
    """Return the size of the batch that an answer was in, and the process that gave it."""
    size, pid = answer.json()
    return size, pid


def test_all_settings_of_functions_and_nodes_reach_the_plan(flow):
    spec = """
        models:
          timeout-ms: 9
        dag:
          a: [b]
        wfctl:
          functions:
            a: {min-workers: 2, max-workers: 3, batch-size: 4, max-batch-delay: 5, retry-attempts: 6, timeout-ms: 7}
          nodes:
            a: {isolate: false}
          batching: fixed
          queue-size: 8
          idle-s: 10
    """
    prepared = prepare(Request(path=flow(spec, "def a(data, context): pass\ndef b(data, context): pass\n")))
    prepared.remove()
    plan = prepared.plan
    a, b = plan.nodes
    assert a.settings == WorkerSettings(
        min_workers=2, max_workers=3, batch_size=4, max_batch_delay_ms=5, retry_attempts=6, timeout_ms=7
    )
    assert b.settings == WorkerSettings(max_batch_delay_ms=0, timeout_ms=9)
    assert (a.isolates, b.isolates) == (False, True)
    assert (plan.is_adaptive, plan.queue_size, plan.idle_s) == (False, 8, 10)


def test_without_settings_batches_are_adaptive_and_everything_may_be_sent_again(flow):
    prepared = prepare(Request(path=flow("dag:\n  a: []\n", "def a(data, context): pass\n")))
    prepared.remove()
    assert (prepared.plan.is_adaptive, prepared.plan.idle_s) == (True, 60)
    assert prepared.plan.nodes[0].isolates


def test_a_function_gets_batches_of_its_size_while_its_worker_is_busy(gated, release, batches):
    async def main():
        async with wfctl.open_deployment(gated("batch-size: 8, max-batch-delay: 5000")) as flow:
            runs = [flow.apredict(body) for body in [b"gate"] + [b"x"] * 23]
            answers = await asyncio.gather(*runs, release())
        return Counter(told(answer)[0] for answer in answers[:-1])

    assert asyncio.run(main()) == {8: 24}
    assert batches() == [8, 8, 8]


@pytest.mark.parametrize(("batching", "waits"), [("adaptive", False), ("fixed", True)])
def test_a_lone_request_waits_out_the_delay_only_where_batches_are_fixed(gated, batching, waits):
    folder = gated("batch-size: 8, max-batch-delay: 400", f"  batching: {batching}\n")
    with wfctl.open_deployment(folder) as flow:
        (timing,) = flow.predict(b"x").timings
    assert (timing.queued_s >= 0.4) is waits


async def held_and_passed(flow, release) -> tuple[int, int]:
    """Return the process that is held at the gate, and the one that answers meanwhile."""
    held, passed = (asyncio.create_task(flow.apredict(body)) for body in (b"gate", b"x"))
    _, other = told(await passed)
    await release()
    return told(await held)[1], other


def test_workers_are_added_under_load_and_end_when_they_idle(gated, release):
    async def main():
        async with wfctl.open_deployment(gated("max-workers: 2", "  idle-s: 1\n")) as flow:
            (least,) = pids_of(flow)
            held, added = await held_and_passed(flow, release)
            assert held == least != added
            assert set(pids_of(flow)) == {held, added}
            gone = await asyncio.to_thread(ended_first, held, added)
            assert pids_of(flow) == tuple({held, added} - {gone})
            assert told(await flow.apredict(b"x")) == (1, *pids_of(flow))

    asyncio.run(main())


def test_the_least_workers_are_there_from_the_start_and_stay(gated, release):
    async def main():
        async with wfctl.open_deployment(gated("min-workers: 2, max-workers: 2", "  idle-s: 0\n")) as flow:
            pids = pids_of(flow)
            assert set(await held_and_passed(flow, release)) == set(pids)
            assert pids_of(flow) == pids

    asyncio.run(main())


def pids_of(flow) -> tuple[int, ...]:
    (node,) = flow.engine.statistics().nodes
    return node.worker_pids


def ended_first(*pids: int) -> int:
    """Wait until one of these processes has ended."""
    handles = {os.pidfd_open(pid): pid for pid in pids}
    ready, _, _ = select.select(list(handles), [], [], 30)
    for handle in handles:
        os.close(handle)
    assert ready, "no worker ended"
    return handles[ready[0]]


@pytest.mark.parametrize("attempts", [0, 2])
def test_a_function_is_tried_as_often_as_it_says(gated, batches, attempts):
    folder = gated(f"retry-attempts: {attempts}", handler=FAILING, ending="raise ValueError('no')")
    with wfctl.open_deployment(folder) as flow, pytest.raises(RunError, match="no") as caught:
        flow.predict(b"x")
    assert caught.value.attempts == attempts + 1
    assert batches() == [1] * (attempts + 1)


def test_a_function_is_given_up_after_its_own_time(gated):
    with (
        wfctl.open_deployment(gated("timeout-ms: 300, retry-attempts: 0")) as flow,
        pytest.raises(DeadlineExceededError, match='node "work" used up its 300 ms'),
    ):
        flow.predict(b"gate")


def fail_together(folder: Path) -> None:
    """Send two requests, which come in one batch, and see both fail."""

    async def main():
        async with wfctl.open_deployment(folder) as flow:
            return await asyncio.gather(flow.apredict(b"1"), flow.apredict(b"2"), return_exceptions=True)

    assert [type(failure) for failure in asyncio.run(main())] == [RunError, RunError]


PAIRS = "batch-size: 2, max-batch-delay: 1000, retry-attempts: 1"


def test_a_failed_batch_is_sent_again_one_by_one_and_then_tried_again(gated, batches):
    fail_together(gated(PAIRS, handler=FAILING, ending="raise ValueError('no')"))
    assert batches() == [2, 1, 1, 1, 1]


@pytest.mark.parametrize("ending", ["raise ValueError('no')", "os.kill(os.getpid(), 9)"], ids=["raises", "dies"])
def test_what_reached_a_handler_is_never_sent_again_where_that_is_forbidden(gated, batches, ending):
    fail_together(gated(PAIRS, "  nodes:\n    work: {isolate: false}\n", handler=FAILING, ending=ending))
    assert batches() == [2]
