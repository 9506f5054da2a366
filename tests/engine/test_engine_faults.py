"""What the engine does when it, its backend or its caller misbehaves: nothing vanishes, nothing hangs."""

import asyncio
import gc

import pytest
from fakes.clock_loop import run_clocked
from fakes.plans import plan_of
from fakes.scripted_backend import Lost, NodeScript, ScriptedBackend, echo, failing

from wfctl.engine.call import CallAnswer, Part
from wfctl.engine.core.records import Attempt, Run
from wfctl.engine.engine import open_engine
from wfctl.errors import DeadlineExceededError, InternalError, LoadError, RunError, WorkerError
from wfctl.spec.model import WorkerSettings

BODY = (Part("body", b"1"),)


def ignore(node, stream, line):
    pass


def opened(backend, edges="a", *, on_output=ignore, queue_size=1000, **settings):
    settings = {"max_batch_delay_ms": 0} | settings
    plan = plan_of(edges, default=WorkerSettings(**settings), queue_size=queue_size, startup_timeout_s=30.0)
    return open_engine(plan, backend, on_output=on_output)


def test_an_exception_of_ours_fails_the_runs_in_flight_and_surfaces_at_the_end():
    class Broken(ScriptedBackend):
        def send_calls(self, worker, calls):
            if self.workers[worker] == "b":
                raise ZeroDivisionError("our mistake")
            super().send_calls(worker, calls)

    async def main():
        async with opened(Broken(), "a > b") as engine:
            with pytest.raises(InternalError, match="our mistake"):
                await engine.run(BODY)
            with pytest.raises(InternalError, match="our mistake"):
                await engine.run(BODY)

    with pytest.raises(InternalError, match="our mistake") as caught:
        run_clocked(main())
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_a_backend_that_fails_at_once_fails_the_run_that_asked():
    class Broken(ScriptedBackend):
        def send_calls(self, worker, calls):
            raise ZeroDivisionError("our mistake")

    async def main():
        async with opened(Broken()) as engine:
            with pytest.raises(InternalError, match="our mistake"):
                await engine.run(BODY)
            assert engine.statistics().runs == 0

    with pytest.raises(InternalError, match="our mistake"):
        run_clocked(main())


def test_finished_runs_are_freed_without_the_collector():
    async def main():
        async with opened(ScriptedBackend(), "a > b > d, a > c > d", batch_size=4) as engine:
            assert len((await engine.run(BODY)).timings) == 4
            gc.collect()
            gc.disable()
            try:
                for _ in range(50):
                    await engine.run(BODY)
                # Not isinstance: it asks every object of the process for its class, and some of torch's warn when asked.
                left = [each for each in gc.get_objects() if type(each) in {Run, Attempt}]
            finally:
                gc.enable()
            assert left == []

    run_clocked(main())


def test_failed_runs_are_freed_without_the_collector():
    async def main():
        async with opened(ScriptedBackend({"b": NodeScript(failing(is_final=True))}), "a > b > d, a > c > d") as engine:
            gc.collect()
            gc.disable()
            try:
                for _ in range(50):
                    with pytest.raises(RunError):
                        await engine.run(BODY)
                left = [each for each in gc.get_objects() if type(each) in {Run, Attempt}]
            finally:
                gc.enable()
            assert left == []

    run_clocked(main())


def burst(run):
    raise ZeroDivisionError("our mistake")


def test_a_callback_that_raises_keeps_no_other_run_of_the_same_answers_waiting():
    told = []

    async def main():
        async with opened(ScriptedBackend(), batch_size=2) as engine:
            engine.submit(BODY, {}, burst)
            engine.submit(BODY, {}, told.append)

    with pytest.raises(InternalError, match="our mistake"):
        run_clocked(main())
    assert [run.error for run in told] == [None]


def test_callbacks_that_all_raise_do_not_hold_up_the_draining():
    async def main():
        async with opened(ScriptedBackend({"a": NodeScript(ran_s=1.0)})) as engine:
            for _ in range(3):
                engine.submit(BODY, {}, burst)

    with pytest.raises(InternalError, match="our mistake"):
        run_clocked(main())


def test_a_callback_that_raises_at_the_end_leaves_no_backend_open():
    backend = ScriptedBackend({"a": NodeScript(ran_s=1.0)})

    async def main():
        async with opened(backend) as engine:
            engine.submit(BODY, {}, burst)
            raise OSError("the caller's")

    with pytest.raises(OSError, match="the caller's"):
        run_clocked(main())
    assert backend.closed == 1


def test_an_exception_in_the_callers_sink_for_output_is_not_lost():
    def refuse(node, stream, line):
        raise OSError("the disk is full")

    async def main():
        backend = ScriptedBackend()
        async with opened(backend, on_output=refuse):
            backend.listener.worker_printed("a", "stdout", "hello")

    with pytest.raises(InternalError, match="the disk is full"):
        run_clocked(main())


def test_a_backend_that_cannot_open_is_closed_all_the_same():
    class Shut(ScriptedBackend):
        async def open(self, plan, listener):
            raise WorkerError("no fork-server")

    backend = Shut()

    async def main():
        async with opened(backend):
            pass

    with pytest.raises(WorkerError, match="no fork-server"):
        run_clocked(main())
    assert backend.closed == 1


def test_cancelling_the_opening_closes_everything():
    backend = ScriptedBackend({"a": NodeScript(load_s=20)})

    async def main():
        async def open_it():
            async with opened(backend):
                pass

        opening = asyncio.create_task(open_it())
        await asyncio.sleep(1)
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        assert backend.closed == 1
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run_clocked(main())


def test_a_silent_worker_is_killed_and_its_replacement_serves():
    replies = iter([False])
    backend = ScriptedBackend({"a": NodeScript(lambda calls: echo(calls) if next(replies, True) else None)})

    async def main():
        async with opened(backend, timeout_ms=1000) as engine:
            with pytest.raises(DeadlineExceededError):
                await engine.run(BODY)
            assert engine.statistics().nodes[0].running == 1
            assert (await engine.run(BODY)).body == b"body=1"
            assert len(backend.killed) == 1
            assert engine.statistics().nodes[0].running == 0

    run_clocked(main())


def test_a_late_answer_is_dropped_and_frees_its_worker():
    backend = ScriptedBackend({"a": NodeScript(ran_s=1.5)})

    async def main():
        async with opened(backend, timeout_ms=1000, retry_attempts=0) as engine:
            with pytest.raises(DeadlineExceededError, match="the handler did not answer"):
                await engine.run(BODY)
            await asyncio.sleep(0.6)
            assert engine.statistics().late_answers == 1
            backend.scripts["a"].ran_s = 0
            assert (await engine.run(BODY)).body == b"body=1"
        assert backend.killed == []

    run_clocked(main())


def test_answers_to_unknown_calls_and_answers_given_twice_change_nothing():
    def twice(calls):
        return [*echo(calls), *echo(calls), CallAnswer(4711, body=b"whose?")]

    async def main():
        async with opened(ScriptedBackend({"a": NodeScript(twice)}), max_workers=2) as engine:
            for number in range(3):
                assert (await engine.run((Part("body", b"%d" % number),))).body == b"body=%d" % number
            assert engine.statistics().stray_answers == 6
            assert engine.statistics().late_answers == 0

    run_clocked(main())


def test_a_batch_answered_in_part_keeps_its_worker_busy_until_it_is_killed():
    backend = ScriptedBackend({"a": NodeScript(lambda calls: echo(calls[:1]))})

    async def main():
        async with opened(backend, batch_size=2, max_batch_delay_ms=5, timeout_ms=100, retry_attempts=0) as engine:
            first, second = await asyncio.gather(engine.run(BODY), engine.run(BODY), return_exceptions=True)
            assert first.body == b"body=1"
            assert isinstance(second, DeadlineExceededError)
            await asyncio.sleep(0.05)
            assert (await engine.run(BODY)).body == b"body=1"
            assert len(backend.killed) == 1

    run_clocked(main())


def test_a_call_that_costs_three_workers_is_failed_with_that_reason():
    backend = ScriptedBackend({"a": NodeScript(lambda calls: Lost("killed by signal 9"))})

    async def main():
        async with opened(backend, batch_size=2, max_batch_delay_ms=5, timeout_ms=600_000) as engine:
            for error in await asyncio.gather(engine.run(BODY), engine.run(BODY), return_exceptions=True):
                assert isinstance(error, RunError)
                assert "the worker died 3 times while it ran this alone: killed by signal 9" in error.message

    run_clocked(main())


def test_a_node_that_cannot_be_loaded_again_is_given_up_with_the_reason():
    backend = ScriptedBackend()

    async def main():
        loop = asyncio.get_running_loop()
        async with opened(backend, timeout_ms=600_000) as engine:
            backend.scripts["a"].loads = [LoadError("weights are gone", node="a") for _ in range(1000)]
            lost_at = loop.time()
            backend.lose(next(iter(backend.workers)))
            with pytest.raises(RunError, match="cannot be loaded any more: weights are gone"):
                await engine.run(BODY)
            assert 300 <= loop.time() - lost_at <= 310
            tried = len(backend.started)
            with pytest.raises(RunError, match="weights are gone"):
                await engine.run(BODY)
            assert len(backend.started) == tried

    run_clocked(main())


def test_a_replacement_that_never_loads_counts_as_a_failed_start():
    backend = ScriptedBackend()

    async def main():
        async with opened(backend, timeout_ms=600_000) as engine:
            backend.scripts["a"].load_s = 1000
            backend.lose(next(iter(backend.workers)))
            with pytest.raises(RunError, match="was not ready after 30 s"):
                await engine.run(BODY)

    run_clocked(main())


def test_a_worker_lost_while_others_still_load_is_replaced_before_the_engine_opens():
    backend = ScriptedBackend({"b": NodeScript(load_s=10)})

    async def main():
        asyncio.get_running_loop().call_later(5, lambda: backend.lose(next(iter(backend.workers))))
        async with opened(backend, "a > b") as engine:
            assert (await engine.run(BODY)).body == b"body=body=1"
        assert [node for node, _ in backend.started] == ["a", "b", "a"]

    run_clocked(main())


def test_one_failing_branch_abandons_the_other_and_leaves_no_work_behind():
    backend = ScriptedBackend({"b": NodeScript(failing("boom", is_final=True)), "c": NodeScript(ran_s=3)})

    async def main():
        async with opened(backend, "a > b > d, a > c > d") as engine:
            with pytest.raises(RunError, match="boom"):
                await engine.run(BODY)
            assert engine.statistics().runs == 0
            await asyncio.sleep(4)
            assert engine.statistics().late_answers == 1
        assert "d" not in [sent.node for sent in backend.sent]

    run_clocked(main())


def test_a_cancelled_run_leaves_its_worker_to_finish_and_its_answer_is_dropped():
    backend = ScriptedBackend({"a": NodeScript(ran_s=2)})

    async def main():
        async with opened(backend, "a > b") as engine:
            run = asyncio.create_task(engine.run(BODY))
            await asyncio.sleep(1)
            run.cancel()
            with pytest.raises(asyncio.CancelledError):
                await run
            await asyncio.sleep(2)
            assert [sent.node for sent in backend.sent] == ["a"]
            assert engine.statistics().nodes[0].running == 0

    run_clocked(main())


def test_the_last_run_being_cancelled_ends_the_draining():
    backend = ScriptedBackend({"a": NodeScript(lambda calls: None)})

    async def main():
        async with opened(backend, timeout_ms=600_000) as engine:
            run = asyncio.create_task(engine.run(BODY))
            await asyncio.sleep(0)
            asyncio.get_running_loop().call_later(7, run.cancel)
        assert asyncio.get_running_loop().time() == pytest.approx(1007)

    run_clocked(main())


def test_an_answer_at_the_very_deadline_is_the_answer():
    async def main():
        async with opened(ScriptedBackend({"a": NodeScript(ran_s=1)})) as engine:
            result = await engine.run(BODY, deadline_s=1)
            assert result.body == b"body=1"

    run_clocked(main())


def test_a_run_may_be_submitted_from_the_callback_of_another():
    async def main():
        async with opened(ScriptedBackend()) as engine:
            done = asyncio.get_running_loop().create_future()
            engine.submit(BODY, {}, lambda first: engine.submit(BODY, {}, done.set_result))
            assert engine.result(await done).body == b"body=1"

    run_clocked(main())


def test_request_ids_are_uuids_and_differ():
    import uuid

    backend = ScriptedBackend()

    async def main():
        async with opened(backend) as engine:
            await asyncio.gather(*(engine.run(BODY) for _ in range(100)))
        ids = [uuid.UUID(call.request_id) for sent in backend.sent for call in sent.calls]
        assert len(set(ids)) == 100
        assert {each.version for each in ids} == {4}

    run_clocked(main())
