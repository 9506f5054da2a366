"""The same workflow through the engine on every backend, real handlers and all."""

import asyncio
import json
import os
from dataclasses import replace
from pathlib import Path
from textwrap import dedent

import pytest
from fakes.plans import plan_of

from wfctl.engine.call import Part
from wfctl.engine.engine import open_engine
from wfctl.engine.inline import InlineBackend
from wfctl.engine.local.backend import LocalBackend
from wfctl.errors import DeadlineExceededError, LoadError, RunError
from wfctl.spec.model import Payload, WorkerSettings

every_backend = pytest.mark.parametrize("make", [InlineBackend, LocalBackend])


@pytest.fixture
def flow(tmp_path):
    """Return a function that writes handlers (node -> text) and returns the plan of ``edges``."""

    def flow(edges: str, *, settings: WorkerSettings | None = None, **handlers: str):
        folders = {}
        for name, text in handlers.items():
            folders[name] = tmp_path / name
            folders[name].mkdir()
            (folders[name] / "handler.py").write_text(dedent(text), encoding="utf-8")
        return plan_of(edges, default=settings, folders=folders, startup_timeout_s=60.0)

    return flow


def run(make, plan, *bodies: bytes, lines=None):
    """Run the plan on all bodies at once; returns results and errors in the same order."""

    def told(*line):
        if lines is not None:
            lines.append(line)

    async def main():
        async with open_engine(plan, make(), on_output=told) as engine:
            parts = [(Part("body", body, "application/json"),) for body in bodies]
            results = await asyncio.gather(*(engine.run(each) for each in parts), return_exceptions=True)
            return results, engine.statistics()

    return asyncio.run(main())


DOUBLE = "def handle(data, context):\n    return data and [row['body'] * 2 for row in data]"
ADD_ONE = "import json\ndef handle(data, context):\n    return data and [json.loads(row['body']) + 1 for row in data]"
NEGATE = "import json\ndef handle(data, context):\n    return data and [-json.loads(row['body']) for row in data]"
PAIR = """
import json
def handle(data, context):
    return data and [{name: json.loads(value) for name, value in row.items()} for row in data]
"""


@every_backend
def test_a_diamond_joins_what_its_branches_made_of_each_input(make, flow):
    settings = WorkerSettings(batch_size=4, max_batch_delay_ms=5)
    plan = flow("a > b > d, a > c > d", settings=settings, a=DOUBLE, b=ADD_ONE, c=NEGATE, d=PAIR)
    results, statistics = run(make, plan, *(b"%d" % number for number in range(20)))
    assert [json.loads(each.body) for each in results] == [{"b": 2 * n + 1, "c": -2 * n} for n in range(20)]
    assert [(node.done, node.queued, node.running) for node in statistics.nodes] == [(20, 0, 0)] * 4
    timings = {timing.node: timing for timing in results[0].timings}
    assert timings.keys() == {"a", "b", "c", "d"}
    assert all(0 < timing.ran_s <= timing.total_s for timing in timings.values())


@every_backend
def test_several_leaves_become_one_object(make, flow):
    results, _ = run(make, flow("a > b, a > c", a=DOUBLE, b=ADD_ONE, c=NEGATE), b"21")
    assert json.loads(results[0].body) == {"b": 43, "c": -42}


@every_backend
def test_a_bad_input_fails_its_run_only_and_says_where(make, flow):
    plan = flow(
        "a > b", a="def handle(data, context):\n    return data and [10 // row['body'] for row in data]", b=ADD_ONE
    )
    (good, bad), _ = run(make, plan, b"5", b"0")
    assert good.body == b"3"
    assert isinstance(bad, RunError)
    assert (bad.node, bad.attempts) == ("a", 2)
    assert bad.traceback_text.rstrip().endswith("ZeroDivisionError: integer division or modulo by zero")
    assert "line 2, in handle" in bad.traceback_text


@every_backend
def test_a_node_that_does_not_load_fails_the_opening(make, flow):
    with pytest.raises(LoadError, match="gone") as caught:
        run(make, flow("a > b", a=DOUBLE, b="raise OSError('weights are gone')"), b"1")
    assert caught.value.node == "b"


@every_backend
def test_each_worker_says_its_process(make, flow):
    _, statistics = run(make, flow("a > b", a=DOUBLE, b=ADD_ONE), b"1")
    pids = [pid for node in statistics.nodes for pid in node.worker_pids]
    assert len(pids) == 2
    assert (set(pids) == {os.getpid()}) == (make is InlineBackend)
    assert len(set(pids)) == (1 if make is InlineBackend else 2)


def test_a_worker_that_dies_in_mid_batch_is_replaced_and_the_run_goes_on(flow):
    text = """
    import os
    def handle(data, context):
        if data and not os.path.exists("died-before"):
            open("died-before", "w").close()
            os._exit(9)
        return data and ["alive"]
    """
    (result,), statistics = run(LocalBackend, flow("a", a=text), b"1")
    assert (result.body, result.timings[0].attempts, statistics.nodes[0].retried) == (b"alive", 1, 1)
    assert len(statistics.nodes[0].worker_pids) == 1


def test_a_stuck_handler_exceeds_its_deadline_and_its_worker_is_replaced(flow):
    text = """
    import os, signal
    def handle(data, context):
        if data and not os.path.exists("stuck-before"):
            open("stuck-before", "w").close()
            signal.pause()
        return data and ["free"]
    """
    plan = flow("a", settings=WorkerSettings(timeout_ms=500, retry_attempts=0, max_batch_delay_ms=0), a=text)

    async def main():
        async with open_engine(plan, LocalBackend(), on_output=lambda *line: None) as engine:
            before = engine.statistics().nodes[0].worker_pids
            with pytest.raises(DeadlineExceededError):
                await engine.run((Part("body", b"1"),))
            while True:  # each waits for up to 500 ms; the replacement is there after one or two
                try:
                    result = await engine.run((Part("body", b"1"),))
                    break
                except DeadlineExceededError:
                    continue
            assert result.body == b"free"
            assert engine.statistics().nodes[0].worker_pids != before
            return before[0]

    assert not Path(f"/proc/{asyncio.run(main())}").exists()


@every_backend
def test_a_handler_that_sets_status_0_is_called_once_for_each_attempt(make, flow, tmp_path):
    plan = flow(
        "a",
        a=f"""
        def handle(data, context):
            if data is None: return
            with open({str(tmp_path / "log")!r}, "a") as log: log.write("called\\n")
            context.set_response_status(0, idx=0)
            return [1]
        """,
    )
    (error,), statistics = run(make, plan, b"1")
    assert isinstance(error, RunError)
    assert error.message == "the handler set status 0, which no response has"
    assert (tmp_path / "log").read_text().count("called") == 2
    assert statistics.nodes[0].retried == 1


def test_one_node_is_asked_by_itself_whatever_travels_between_nodes(flow):
    give = "def handle(data, context):\n    return data and [{'n': row['body']} for row in data]"
    take = "def handle(data, context):\n    return data and [row['body'] for row in data]"
    plan = flow("a > b", a=give, b=take)
    plan = replace(plan, nodes=tuple(replace(node, payload=Payload.OBJECT) for node in plan.nodes))

    async def main():
        async with open_engine(plan, LocalBackend(), on_output=lambda *_: None) as engine:
            parts = (Part("body", b"[1]", "application/json"),)
            return [(await asked(engine, parts, only)).body for only in ("a", "b")]

    first, second = asyncio.run(main())
    assert json.loads(first) == {"n": [1]}  # text for a client, not what node "b" would be sent
    assert json.loads(second) == [1]  # decoded as a client's, not as what node "a" sends


async def asked(engine, parts, only):
    done = asyncio.get_running_loop().create_future()
    run = engine.submit(parts, {}, done.set_result, only=only)
    await done
    return engine.result(run)


def test_workers_are_added_and_let_go_while_it_runs(flow):
    plan = flow("a", a="import os\ndef handle(data, context):\n    return data and [os.getpid() for _ in data]")

    async def main():
        async with open_engine(plan, LocalBackend(), on_output=lambda *_: None) as engine:
            assert await engine.scale("a", 3, 3) is None
            many = engine.statistics().nodes[0].worker_pids
            assert await engine.scale("a", 1, 1) is None
            few = engine.statistics().nodes[0].worker_pids
            answer = await engine.run((Part("body", b""),))
            return many, few, int(answer.body)

    many, few, answered = asyncio.run(main())
    assert len(set(many)) == 3
    assert set(few) < set(many)
    assert few == (answered,)


def test_other_code_takes_over_without_a_failure_and_bad_code_does_not(flow, tmp_path):
    plan = flow("a", a="def handle(data, context):\n    return data and ['old' for _ in data]")
    code = tmp_path / "a" / "handler.py"

    async def main():
        async with open_engine(plan, LocalBackend(), on_output=lambda *_: None) as engine:
            answers = [(await engine.run((Part("body", b""),))).body]
            code.write_text("def handle(data, context):\n    return data and ['new' for _ in data]")
            running = [engine.run((Part("body", b""),)) for _ in range(100)]
            gathered = asyncio.gather(*running)
            await engine.renew(plan, ["a"])
            answers.append((await engine.run((Part("body", b""),))).body)
            code.write_text("nonsense(")
            renewed, (failure,) = await engine.renew(plan, ["a"])
            assert not renewed
            assert isinstance(failure, LoadError)
            assert "SyntaxError" in failure.message
            answers.append((await engine.run((Part("body", b""),))).body)
            return answers, {each.body for each in await gathered}

    answers, during = asyncio.run(main())
    assert answers == [b"old", b"new", b"new"]
    assert during <= {b"old", b"new"}


def test_handlers_know_a_request_by_the_id_that_it_came_with(flow):
    code = "def handle(data, context):\n    return data and [context.get_request_id(at) for at in range(len(data))]"
    plan = flow("a > b", a=code, b=code)

    async def main():
        async with open_engine(plan, LocalBackend(), on_output=lambda *_: None) as engine:
            named = await engine.run((Part("body", b""),), {"X-Request-ID": "mine-1"})
            other = await engine.run((Part("body", b""),), {"Host": "x"})
            return named.body, other.body

    named, other = asyncio.run(main())
    assert named == b"mine-1"
    assert len(other) == 36
