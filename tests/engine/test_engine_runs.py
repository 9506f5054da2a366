"""Runs through the engine: what each node gets and what comes out."""

import asyncio
import json
from dataclasses import replace

import pytest
from fakes.clock_loop import run_clocked
from fakes.plans import plan_of
from fakes.scripted_backend import Lost, NodeScript, ScriptedBackend, echo, failing

from wfctl.engine.call import CallAnswer, Part
from wfctl.engine.engine import open_engine
from wfctl.errors import DeadlineExceededError, LoadError, OverloadedError, RunError, WorkerError
from wfctl.spec.model import WorkerSettings

BODY = (Part("body", b"1", "application/json"),)


def ignore(node, stream, line):
    pass


async def turn_ended():
    """Let tasks that were just created submit their runs, and the engine hand them out."""
    for _ in range(2):
        await asyncio.sleep(0)


def run_once(plan, backend, parts=BODY, **more):
    async def main():
        async with open_engine(plan, backend, on_output=ignore) as engine:
            return await engine.run(parts, **more)

    return run_clocked(main())


def test_a_chain_hands_each_output_on_as_body():
    backend = ScriptedBackend()
    result = run_once(plan_of("a > b > c"), backend)
    assert result.body == b"body=body=body=1"
    assert [sent.node for sent in backend.sent] == ["a", "b", "c"]
    assert backend.closed == 1


def test_the_entry_gets_the_parts_as_they_came_and_every_node_the_headers():
    backend = ScriptedBackend()
    parts = (Part("image", b"\x00", "image/png"), Part("k", b"5", ""))
    run_once(plan_of("a > b"), backend, parts, headers={"Host": "x"})
    entry, leaf = (sent.calls[0] for sent in backend.sent)
    assert entry.parts is parts
    assert entry.headers.mapping == leaf.headers.mapping == {"Host": "x"}
    assert leaf.parts[0].content_type is None
    assert entry.request_id != leaf.request_id
    assert [len(piece) for piece in entry.request_id.split("-")] == [8, 4, 4, 4, 12]


def test_a_join_gets_one_part_per_parent_in_order_of_completion():
    backend = ScriptedBackend({"slow": NodeScript(ran_s=2), "quick": NodeScript(ran_s=1)})
    run_once(plan_of("a > slow > z, a > quick > z"), backend)
    joined = backend.sent[-1].calls[0]
    assert [(part.name, part.body) for part in joined.parts] == [("quick", b"body=body=1"), ("slow", b"body=body=1")]


def test_several_leaves_answer_one_object_in_the_order_of_the_plan():
    backend = ScriptedBackend(
        {
            "b": NodeScript(lambda calls: [CallAnswer(c.call_id, body=b"[1]") for c in calls], ran_s=5),
            'c"é': NodeScript(lambda calls: [CallAnswer(c.call_id, body=b'"x"', headers={"k": "v"}) for c in calls]),
        }
    )
    result = run_once(plan_of('a > b, a > c"é'), backend)
    assert json.loads(result.body) == {"b": [1], 'c"é': "x"}
    assert list(json.loads(result.body)) == ["b", 'c"é']
    assert result.content_type == "application/json"
    assert result.headers == {"k": "v"}
    assert [sent.calls[0].as_json for sent in backend.sent] == [False, True, True]


def test_a_single_leaf_answers_as_it_likes():
    answer = {"status": 201, "body": b"\xff", "content_type": "image/png", "headers": {"x-a": "1"}}
    backend = ScriptedBackend({"a": NodeScript(lambda calls: [CallAnswer(calls[0].call_id, **answer)])})
    result = run_once(plan_of("a"), backend)
    assert (result.status, result.body, result.content_type, result.headers) == tuple(answer.values())


def test_timings_name_every_node_and_where_the_time_went():
    backend = ScriptedBackend({"a": NodeScript(ran_s=2), "b": NodeScript(ran_s=3)})
    first, second = run_once(plan_of("a > b"), backend).timings
    assert (first.node, first.attempts, second.node) == ("a", 1, "b")
    assert (first.queued_s, first.ran_s, first.total_s) == (0, pytest.approx(2), pytest.approx(2))
    assert second.ran_s == pytest.approx(3)


def test_a_failing_node_is_tried_again_then_fails_the_run():
    backend = ScriptedBackend({"b": NodeScript(failing("boom", traceback_text="Traceback: boom"))})
    with pytest.raises(RunError, match="boom") as caught:
        run_once(plan_of("a > b", default=WorkerSettings(retry_attempts=2, max_batch_delay_ms=0)), backend)
    error = caught.value
    assert (error.node, error.attempts, error.status, error.traceback_text) == ("b", 3, 500, "Traceback: boom")
    assert [sent.node for sent in backend.sent] == ["a", "b", "b", "b"]


def test_a_handlers_own_verdict_is_not_tried_again():
    backend = ScriptedBackend({"a": NodeScript(failing("bad input", status=422, is_final=True))})
    with pytest.raises(RunError) as caught:
        run_once(plan_of("a"), backend)
    assert (caught.value.status, caught.value.attempts) == (422, 1)


def test_a_status_from_400_fails_the_node_with_its_body_as_message():
    backend = ScriptedBackend(
        {"a": NodeScript(lambda calls: [CallAnswer(calls[0].call_id, status=404, body=b"no such cat")])}
    )
    with pytest.raises(RunError, match="no such cat") as caught:
        run_once(plan_of("a > b"), backend)
    assert caught.value.status == 404


def test_a_node_that_uses_up_its_time_in_every_attempt_exceeds_the_deadline():
    backend = ScriptedBackend({"a": NodeScript(lambda calls: None)})
    plan = plan_of("a", default=WorkerSettings(timeout_ms=100, max_batch_delay_ms=0))
    with pytest.raises(DeadlineExceededError, match='node "a" used up its 100 ms') as caught:
        run_once(plan, backend)
    assert (caught.value.attempts, caught.value.status) == (2, 504)


def test_a_deadline_for_the_whole_run_names_the_node_it_was_at():
    backend = ScriptedBackend({"b": NodeScript(ran_s=5)})
    with pytest.raises(DeadlineExceededError, match='not done after 2 s; it was at node "b"'):
        run_once(plan_of("a > b"), backend, deadline_s=2)


def test_batches_fill_while_the_worker_is_busy():
    async def main():
        backend = ScriptedBackend({"a": NodeScript(ran_s=1)})
        plan = plan_of("a", default=WorkerSettings(batch_size=3, max_batch_delay_ms=10))
        async with open_engine(plan, backend, on_output=ignore) as engine:
            results = await asyncio.gather(*(engine.run((Part("body", b"%d" % n),)) for n in range(7)))
        assert [result.body for result in results] == [b"body=%d" % n for n in range(7)]
        assert backend.bodies("a") == [[b"0", b"1", b"2"], [b"3", b"4", b"5"], [b"6"]]

    run_clocked(main())


@pytest.mark.parametrize(("is_adaptive", "times"), [(False, [1000.25, 1000.5]), (True, [1000.0, 1000.0])])
def test_a_lonely_call_waits_out_the_delay_only_where_batches_are_fixed(is_adaptive, times):
    backend = ScriptedBackend()
    batching = WorkerSettings(batch_size=8, max_batch_delay_ms=250)
    run_once(plan_of("a > b", default=batching, is_adaptive=is_adaptive), backend)
    assert [sent.at for sent in backend.sent] == pytest.approx(times)


def test_a_lost_worker_is_replaced_and_its_call_sent_again():
    replies = iter([Lost("killed by signal 11")])
    backend = ScriptedBackend({"a": NodeScript(lambda calls: next(replies, None) or echo(calls))})
    result = run_once(plan_of("a"), backend)
    assert result.body == b"body=1"
    assert result.timings[0].attempts == 1
    assert [node for node, _ in backend.started] == ["a", "a"]


def test_a_cancelled_run_is_withdrawn_from_the_queue():
    async def main():
        backend = ScriptedBackend({"a": NodeScript(ran_s=1)})
        async with open_engine(plan_of("a"), backend, on_output=ignore) as engine:
            first = asyncio.create_task(engine.run(BODY))
            second = asyncio.create_task(engine.run(BODY))
            await turn_ended()
            assert engine.statistics().nodes[0].queued == 1
            second.cancel()
            await asyncio.gather(second, return_exceptions=True)
            assert engine.statistics().nodes[0].queued == 0
            await first
        assert len(backend.sent) == 1

    run_clocked(main())


def test_a_full_queue_refuses_new_runs():
    async def main():
        backend = ScriptedBackend({"a": NodeScript(ran_s=1)})
        async with open_engine(plan_of("a", queue_size=2), backend, on_output=ignore) as engine:
            runs = [asyncio.create_task(engine.run(BODY)) for _ in range(3)]
            await turn_ended()
            with pytest.raises(OverloadedError, match='2 calls wait for node "a"'):
                await engine.run(BODY)
            await asyncio.gather(*runs)
            assert (await engine.run(BODY)).body == b"body=1"

    run_clocked(main())


def test_leaving_waits_for_the_runs_in_flight_and_refuses_new_ones():
    async def main():
        backend = ScriptedBackend({"a": NodeScript(ran_s=3)})
        async with open_engine(plan_of("a"), backend, on_output=ignore) as engine:
            run = asyncio.create_task(engine.run(BODY))
            await asyncio.sleep(0)
            asyncio.get_running_loop().call_later(1, lambda: late.append(asyncio.create_task(engine.run(BODY))))
            late = []
        assert (await run).body == b"body=1"
        with pytest.raises(OverloadedError, match="shutting down"):
            await late[0]
        with pytest.raises(OverloadedError, match="is shut down"):
            await engine.run(BODY)

    run_clocked(main())


def test_leaving_by_an_exception_gives_the_runs_up():
    async def main():
        backend = ScriptedBackend({"a": NodeScript(lambda calls: None)})
        with pytest.raises(ZeroDivisionError):  # noqa: PT012 - leaving the block is what is tested
            async with open_engine(plan_of("a"), backend, on_output=ignore) as engine:
                run = asyncio.create_task(engine.run(BODY))
                await asyncio.sleep(0)
                raise ZeroDivisionError
        with pytest.raises(WorkerError, match="shut down while the run was in flight"):
            await run
        assert backend.closed == 1

    run_clocked(main())


def test_the_first_load_error_fails_the_opening_and_closes_everything():
    error = LoadError("no module named nope", node="b", traceback_text="Traceback")
    backend = ScriptedBackend({"a": NodeScript(load_s=60), "b": NodeScript(loads=[error], load_s=1)})
    with pytest.raises(LoadError) as caught:
        run_once(plan_of("a > b"), backend)
    assert caught.value is error
    assert backend.closed == 1
    assert [node for node, _ in backend.started] == ["a", "b"]


def test_a_worker_that_never_loads_fails_the_opening():
    backend = ScriptedBackend({"a": NodeScript(load_s=1000)})
    with pytest.raises(WorkerError, match='node "a" was not ready after 5 s'):
        run_once(plan_of("a", startup_timeout_s=5.0), backend)


def test_a_node_may_have_less_time_to_load_than_the_plan():
    backend = ScriptedBackend({"a": NodeScript(load_s=10)})
    plan = plan_of("a", startup_timeout_s=500.0)
    with pytest.raises(WorkerError, match='node "a" was not ready after 3 s') as caught:
        run_once(replace(plan, nodes=(replace(plan.nodes[0], startup_timeout_s=3.0),)), backend)
    assert "model-config.yaml" in caught.value.hint


def test_min_workers_are_started_and_counted():
    async def main():
        backend = ScriptedBackend({"a": NodeScript(ran_s=1)})
        plan = plan_of("a", default=WorkerSettings(min_workers=3, max_workers=3, max_batch_delay_ms=0))
        async with open_engine(plan, backend, on_output=ignore) as engine:
            runs = [asyncio.create_task(engine.run(BODY)) for _ in range(5)]
            await turn_ended()
            node = engine.statistics().nodes[0]
            assert (node.queued, node.running, len(node.worker_pids)) == (2, 3, 3)
            await asyncio.gather(*runs)
            assert engine.statistics().nodes[0].done == 5

    run_clocked(main())
