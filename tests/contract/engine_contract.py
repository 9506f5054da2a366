"""What every engine must do, whatever hosts its nodes: real handlers, real processes.

A class that inherits from ``EngineContract`` says with ``opened`` how its engine is opened; pytest then runs all of it.
"""

import asyncio
import json
import os
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from textwrap import dedent

import pytest
from fakes.plans import plan_of

from wfctl.engine.call import Face, Part
from wfctl.errors import DeadlineExceededError, LoadError, OverloadedError, RunError, WorkerError
from wfctl.spec.model import Payload, WorkerSettings

ECHO = "def handle(data, context):\n    return data and [row['body'] for row in data]"
DOUBLE = "def handle(data, context):\n    return data and [row['body'] * 2 for row in data]"
ADD_ONE = "import json\ndef handle(data, context):\n    return data and [json.loads(row['body']) + 1 for row in data]"
NEGATE = "import json\ndef handle(data, context):\n    return data and [-json.loads(row['body']) for row in data]"
PAIR = """
import json
def handle(data, context):
    return data and [{name: json.loads(value) for name, value in row.items()} for row in data]
"""
COUNTED = """
from pathlib import Path
def handle(data, context):
    if not data: return
    with open("calls", "a") as calls: calls.write("called\\n")
    if Path("calls").read_text().count("called") <= {failures}:
        raise OSError("not yet")
    return ["done" for _ in data]
"""
GATE = """
import os
def handle(data, context):
    if data and not os.path.exists("is-open"):
        with open("begun", "w"): pass
        with open("may-go-on"): pass
    return data and ["through" for _ in data]
"""


class Gate:
    """Holds up the handler ``GATE`` of one node, with two named pipes: nobody has to look again and again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for name in ("begun", "may-go-on"):
            os.mkfifo(folder / name)

    async def wait_begun(self) -> None:
        """Wait until the handler is there."""
        await asyncio.to_thread(self._meet, "begun", "r")

    async def open(self) -> None:
        """Let it go on, and whoever comes after it."""
        (self._folder / "is-open").touch()
        await asyncio.to_thread(self._meet, "may-go-on", "w")

    def _meet(self, name: str, mode: str) -> None:
        with (self._folder / name).open(mode):
            pass


def part(body: bytes, content_type: str | None = "application/json"):
    return (Part("body", body, content_type),)


class Flow:
    """Writes handlers and makes plans of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, edges: str, *, settings: WorkerSettings | None = None, **handlers: str):
        folders = {}
        for name, text in handlers.items():
            folders[name] = self.folder / name
            folders[name].mkdir()
            (folders[name] / "handler.py").write_text(dedent(text), encoding="utf-8")
        return plan_of(edges, default=settings, folders=folders, startup_timeout_s=60.0)

    def gated(self, edges: str, gated: str, **handlers: str):
        """Return a plan in which one node is held up, and its gate."""
        plan = self(edges, settings=WorkerSettings(timeout_ms=60_000), **handlers, **{gated: GATE})
        return plan, Gate(self.folder / gated)


class EngineContract:
    """The tests; see the module's text."""

    has_own_processes = True
    """Whether nodes run in other processes than this one."""
    time_to_replace_s = 10
    """For a worker to be there in the place of one that is gone."""

    @pytest.fixture
    def flow(self, tmp_path):
        return Flow(tmp_path)

    @asynccontextmanager
    async def opened(self, plan, on_output=lambda *line: None):
        raise NotImplementedError
        yield

    def run(self, plan, *bodies: bytes, on_output=lambda *line: None):
        """Run the plan on all bodies at once; returns results and errors in the same order, and the statistics."""

        async def main():
            async with self.opened(plan, on_output) as engine:
                results = await asyncio.gather(*(engine.run(part(body)) for body in bodies), return_exceptions=True)
                return results, engine.statistics()

        return asyncio.run(main())

    # Answers

    def test_a_diamond_joins_what_its_branches_made_of_each_input(self, flow):
        settings = WorkerSettings(batch_size=4, max_batch_delay_ms=5)
        plan = flow("a > b, a > c, b > d, c > d", settings=settings, a=DOUBLE, b=ADD_ONE, c=NEGATE, d=PAIR)
        results, statistics = self.run(plan, *(b"%d" % number for number in range(20)))
        assert [json.loads(each.body) for each in results] == [{"b": 2 * n + 1, "c": -2 * n} for n in range(20)]
        assert [(node.done, node.queued, node.running) for node in statistics.nodes] == [(20, 0, 0)] * 4
        timings = {timing.node: timing for timing in results[0].timings}
        assert timings.keys() == {"a", "b", "c", "d"}
        assert all(0 < timing.ran_s <= timing.total_s for timing in timings.values())

    def test_several_leaves_become_one_object(self, flow):
        results, _ = self.run(flow("a > b, a > c", a=DOUBLE, b=ADD_ONE, c=NEGATE), b"21")
        assert json.loads(results[0].body) == {"b": 43, "c": -42}

    def test_what_the_leaf_says_of_its_answer_arrives(self, flow):
        text = """
        def handle(data, context):
            if not data: return
            context.set_response_status(201, idx=0)
            context.set_response_header(0, "x-made-by", "hand")
            context.set_response_content_type(0, "text/x-mine")
            return ["made"]
        """
        (result,), _ = self.run(flow("a", a=text), b"1")
        assert (result.status, result.body, result.content_type) == (201, b"made", "text/x-mine")
        assert result.headers["x-made-by"] == "hand"

    def test_tensors_travel_as_they_are(self, flow):
        give = (
            "import torch\ndef handle(data, context):\n"
            "    return data and [{'x': torch.arange(60_000, dtype=torch.float64) * row['body']} for row in data]"
        )
        take = "def handle(data, context):\n    return data and [row['body']['x'].sum().item() for row in data]"
        plan = flow("a > b", a=give, b=take)
        plan = replace(plan, nodes=tuple(replace(node, payload=Payload.OBJECT) for node in plan.nodes))
        (result,), _ = self.run(plan, b"2")
        assert json.loads(result.body) == 59_999 * 60_000

    def test_one_node_is_asked_by_itself_whatever_travels_between_nodes(self, flow):
        give = "def handle(data, context):\n    return data and [{'n': row['body']} for row in data]"
        plan = flow("a > b", a=give, b=ECHO)
        plan = replace(plan, nodes=tuple(replace(node, payload=Payload.OBJECT) for node in plan.nodes))

        async def main():
            async with self.opened(plan) as engine:
                return [(await asked(engine, part(b"[1]"), only=only)).body for only in ("a", "b")]

        first, second = asyncio.run(main())
        assert json.loads(first) == {"n": [1]}  # text for a client, not what node "b" would be sent
        assert json.loads(second) == [1]  # decoded as a client's, not as what node "a" sends

    def test_a_protocol_is_read_by_the_entry_and_written_by_the_leaf(self, flow):
        give = "import json\ndef handle(data, context):\n    return data and [json.dumps(sorted(row)) for row in data]"
        take = "import json\ndef handle(data, context):\n    return data and [json.loads(row['body']) for row in data]"

        async def main():
            async with self.opened(flow("a > b", a=give, b=take)) as engine:
                tensor = {"name": "n", "shape": [1], "datatype": "INT64", "data": [4]}
                body = json.dumps({"id": "mine", "inputs": [tensor]}).encode()
                return await asked(engine, part(body), face=Face.V2)

        result = asyncio.run(main())
        assert json.loads(result.tag) == "mine"
        (output,) = json.loads(b"[%b]" % result.body)
        assert (output["datatype"], "n" in output["data"]) == ("BYTES", True)

    def test_handlers_know_a_request_by_the_id_that_it_came_with(self, flow):
        code = "def handle(data, context):\n    return data and [context.get_request_id(at) for at in range(len(data))]"

        async def main():
            async with self.opened(flow("a > b", a=code, b=code)) as engine:
                named = await engine.run(part(b"", None), {"X-Request-ID": "mine-1"})
                other = await engine.run(part(b"", None), {"Host": "x"})
                return named.body, other.body

        named, other = asyncio.run(main())
        assert named == b"mine-1"
        assert len(other) == 36

    def test_what_handlers_print_is_told_with_the_name_of_the_node(self, flow):
        lines = []
        text = """
        import sys
        def handle(data, context):
            if data:
                print("to the one")
                print("to the other", file=sys.stderr)
            return data and ["x"]
        """
        self.run(flow("a", a=text), b"1", on_output=lambda *line: lines.append(line))
        assert ("a", "stdout", "to the one") in lines
        assert ("a", "stderr", "to the other") in lines

    def test_each_worker_says_its_process(self, flow):
        _, statistics = self.run(flow("a > b", a=DOUBLE, b=ADD_ONE), b"1")
        pids = [pid for node in statistics.nodes for pid in node.worker_pids]
        assert len(pids) == 2
        assert (set(pids) == {os.getpid()}) != self.has_own_processes
        assert len(set(pids)) == (2 if self.has_own_processes else 1)

    # Batches

    def test_calls_that_wait_together_are_one_batch(self, flow):
        settings = WorkerSettings(batch_size=4, max_batch_delay_ms=2000, timeout_ms=20_000)
        plan = flow("a", settings=settings, a="def handle(data, context):\n    return data and [len(data)] * len(data)")
        plan = replace(plan, is_adaptive=False)
        results, statistics = self.run(plan, *[b"1"] * 8)
        assert [each.body for each in results] == [b"4"] * 8
        assert (statistics.nodes[0].batches, statistics.nodes[0].sent) == (2, 8)

    def test_a_run_that_is_alone_waits_for_nobody(self, flow):
        settings = WorkerSettings(batch_size=4, max_batch_delay_ms=30_000, timeout_ms=60_000)

        async def main():
            async with self.opened(flow("a > b", settings=settings, a=ECHO, b=ECHO)) as engine, asyncio.timeout(20):
                return (await engine.run(part(b"1", None))).body

        assert asyncio.run(main()) == b"1"

    def test_of_a_batch_that_raises_only_the_bad_input_fails(self, flow):
        settings = WorkerSettings(batch_size=8, max_batch_delay_ms=500, timeout_ms=20_000, retry_attempts=0)
        text = "def handle(data, context):\n    return data and [10 // row['body'] for row in data]"
        plan = replace(flow("a > b", settings=settings, a=text, b=ADD_ONE), is_adaptive=False)
        results, statistics = self.run(plan, *[b"5", b"0", b"10", b"2"])
        assert [getattr(each, "body", None) for each in results] == [b"3", None, b"2", b"6"]
        assert isinstance(results[1], RunError)
        assert (results[1].node, results[1].attempts) == ("a", 1)
        assert (statistics.nodes[0].done, statistics.nodes[0].failed, statistics.nodes[1].done) == (3, 1, 3)

    # Failures

    def test_a_bad_input_fails_its_run_only_and_says_where(self, flow):
        text = "def handle(data, context):\n    return data and [10 // row['body'] for row in data]"
        (good, bad), _ = self.run(flow("a > b", a=text, b=ADD_ONE), b"5", b"0")
        assert good.body == b"3"
        assert isinstance(bad, RunError)
        assert (bad.node, bad.attempts) == ("a", 2)
        assert bad.traceback_text.rstrip().endswith("ZeroDivisionError: integer division or modulo by zero")
        assert "line 2, in handle" in bad.traceback_text

    @pytest.mark.parametrize(
        ("retries", "failures", "attempts", "is_answered"), [(3, 2, 3, True), (1, 2, 2, False), (0, 1, 1, False)]
    )
    def test_a_call_is_tried_again_as_often_as_the_spec_says(self, flow, retries, failures, attempts, is_answered):
        settings = WorkerSettings(retry_attempts=retries, max_batch_delay_ms=0)
        (result,), statistics = self.run(flow("a", settings=settings, a=COUNTED.format(failures=failures)), b"1")
        if is_answered:
            assert (result.body, result.timings[0].attempts) == (b"done", attempts)
        else:
            assert (result.node, result.attempts, "not yet" in str(result)) == ("a", attempts, True)
        assert (flow.folder / "a" / "calls").read_text().count("called") == attempts
        assert statistics.nodes[0].retried == attempts - 1

    def test_what_may_not_be_sent_again_is_not(self, flow):
        settings = WorkerSettings(retry_attempts=5, max_batch_delay_ms=0)
        plan = flow("a", settings=settings, a=COUNTED.format(failures=1))
        (error,), _ = self.run(replace(plan, nodes=(replace(plan.nodes[0], isolates=False),)), b"1")
        assert (error.node, error.attempts) == ("a", 1)
        assert (flow.folder / "a" / "calls").read_text().count("called") == 1

    def test_a_verdict_of_the_handler_is_an_answer_and_not_a_failure_to_mend(self, flow):
        text = """
        from ts.utils.util import PredictionException
        def handle(data, context):
            if not data: return
            with open("calls", "a") as calls: calls.write("called\\n")
            raise PredictionException("no such digit", 422)
        """
        (error,), _ = self.run(flow("a > b", a=text, b=ECHO), b"1")
        assert (error.node, error.status, error.message, error.attempts) == ("a", 422, "no such digit", 1)
        assert (flow.folder / "a" / "calls").read_text().count("called") == 1

    def test_a_handler_that_sets_status_0_is_called_once_for_each_attempt(self, flow):
        text = """
        def handle(data, context):
            if data is None: return
            with open("calls", "a") as calls: calls.write("called\\n")
            context.set_response_status(0, idx=0)
            return [1]
        """
        (error,), statistics = self.run(flow("a", a=text), b"1")
        assert isinstance(error, RunError)
        assert error.message == "the handler set status 0, which no response has"
        assert (flow.folder / "a" / "calls").read_text().count("called") == 2
        assert statistics.nodes[0].retried == 1

    def test_what_is_not_the_json_that_it_is_said_to_be_fails_alone(self, flow):
        async def main():
            async with self.opened(flow("a", a=ECHO)) as engine:
                bad = (Part("body", b"{", "application/json", must_be_json=True),)
                return await asyncio.gather(engine.run(bad), engine.run(part(b"7")), return_exceptions=True)

        bad, good = asyncio.run(main())
        assert (bad.code, bad.node, good.body) == ("bad-input", "a", b"7")

    def test_a_node_that_does_not_load_fails_the_opening(self, flow):
        with pytest.raises(LoadError, match="gone") as caught:
            self.run(flow("a > b", a=DOUBLE, b="raise OSError('weights are gone')"), b"1")
        assert caught.value.node == "b"
        assert "weights are gone" in caught.value.traceback_text


class ProcessContract(EngineContract):
    """What engines must do whose workers are processes of their own, and can die or get stuck."""

    def test_a_worker_that_dies_is_replaced_and_the_run_goes_on(self, flow):
        text = """
        import os
        def handle(data, context):
            if data and not os.path.exists("died-before"):
                open("died-before", "w").close()
                os._exit(9)
            return data and ["alive"]
        """
        settings = WorkerSettings(timeout_ms=60_000)
        (before, result), _ = self.run(flow("a > b > c", settings=settings, a=ECHO, b=text, c=ECHO), b"1", b"2")
        assert (before.body, result.body) == (b"alive", b"alive")

    def test_a_call_that_kills_its_worker_fails_and_takes_no_other_with_it(self, flow):
        text = """
        import os
        def handle(data, context):
            if data and any(row["body"] == 13 for row in data):
                os._exit(9)
            return data and [row["body"] for row in data]
        """
        settings = WorkerSettings(batch_size=4, max_batch_delay_ms=200, timeout_ms=60_000)
        plan = replace(flow("a > b", settings=settings, a=text, b=ECHO), is_adaptive=False)
        results, _ = self.run(plan, *[b"1", b"13", b"2", b"3"])
        assert [getattr(each, "body", None) for each in results] == [b"1", None, b"2", b"3"]
        assert "died 3 times" in results[1].message
        assert results[1].node == "a"

    def test_what_may_not_be_sent_again_fails_with_its_worker(self, flow):
        text = """
        import os
        def handle(data, context):
            if data:
                with open("calls", "a") as calls: calls.write("called\\n")
                os._exit(9)
        """
        plan = flow("a", settings=WorkerSettings(timeout_ms=60_000, retry_attempts=3), a=text)
        (error,), _ = self.run(replace(plan, nodes=(replace(plan.nodes[0], isolates=False),)), b"1")
        assert "worker died" in error.message
        assert (flow.folder / "a" / "calls").read_text().count("called") == 1

    def test_a_stuck_handler_exceeds_its_deadline_and_its_worker_is_replaced(self, flow):
        text = """
        import os, threading
        def handle(data, context):
            if data and not os.path.exists("stuck-before"):
                open("stuck-before", "w").close()
                threading.Event().wait()
            return data and ["free"]
        """
        plan = flow("a", settings=WorkerSettings(timeout_ms=500, retry_attempts=0, max_batch_delay_ms=0), a=text)

        async def main():
            async with self.opened(plan) as engine:
                before = engine.statistics().nodes[0].worker_pids
                with pytest.raises(DeadlineExceededError, match="used up its 500 ms"):
                    await engine.run(part(b"1"))
                async with asyncio.timeout(self.time_to_replace_s):
                    while True:  # each waits for up to 500 ms until the replacement is there
                        try:
                            result = await engine.run(part(b"1"))
                            break
                        except DeadlineExceededError:
                            continue
                assert result.body == b"free"
                return before[0]

        assert not Path(f"/proc/{asyncio.run(main())}").exists()

    def test_a_run_ends_when_its_own_time_is_over(self, flow):
        plan, gate = flow.gated("a > b", "b", a=ECHO)

        async def main():
            async with self.opened(plan) as engine:
                with pytest.raises(DeadlineExceededError, match='not done after 1 s; it was at node "b"'):
                    await engine.run(part(b"1"), deadline_s=1.0)
                await gate.wait_begun()
                await gate.open()
                return (await engine.run(part(b"1"))).body

        assert asyncio.run(main()) == b"through"

    def test_a_run_that_is_given_up_leaves_the_engine_well(self, flow):
        plan, gate = flow.gated("a", "a")

        async def main():
            async with self.opened(plan) as engine:
                given_up = asyncio.ensure_future(engine.run(part(b"1")))
                await gate.wait_begun()
                given_up.cancel()
                await asyncio.gather(given_up, return_exceptions=True)
                await gate.open()
                return given_up.cancelled(), (await engine.run(part(b"1"))).body, engine.statistics().runs

        assert asyncio.run(main()) == (True, b"through", 0)

    def test_workers_are_added_and_let_go_while_it_runs(self, flow):
        plan = flow("a", a="import os\ndef handle(data, context):\n    return data and [os.getpid() for _ in data]")

        async def main():
            async with self.opened(plan) as engine:
                assert await engine.scale("a", 3, 3) is None
                many = engine.statistics().nodes[0].worker_pids
                assert await engine.scale("a", 1, 1) is None
                few = engine.statistics().nodes[0].worker_pids
                answer = await engine.run(part(b"", None))
                return many, few, int(answer.body)

        many, few, answered = asyncio.run(main())
        assert len(set(many)) == 3
        assert set(few) < set(many)
        assert few == (answered,)

    # Bounds

    def test_more_than_a_queue_holds_is_refused(self, flow):
        plan, gate = flow.gated("a", "a")
        plan = replace(plan, queue_size=3)

        async def main():
            async with self.opened(plan) as engine:
                running = [asyncio.ensure_future(engine.run(part(b"1"))) for _ in range(10)]
                done, waiting = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                assert engine.refusal() is not None
                await gate.wait_begun()
                await gate.open()
                return [each.exception() for each in done], [(await each).body for each in waiting]

        refused, answered = asyncio.run(main())
        assert refused
        assert all(isinstance(each, OverloadedError) for each in refused)
        assert answered == [b"through"] * (10 - len(refused))
        assert 3 <= len(answered) <= 5

    def test_leaving_waits_for_what_runs(self, flow):
        plan, gate = flow.gated("a", "a")

        async def main():
            async with self.opened(plan) as engine:
                running = asyncio.ensure_future(engine.run(part(b"1")))
                await gate.wait_begun()
                opening = asyncio.ensure_future(gate.open())
            await opening
            return await running

        assert asyncio.run(main()).body == b"through"

    def test_leaving_by_an_exception_gives_up_what_runs(self, flow):
        plan, gate = flow.gated("a", "a")

        async def left(running):
            async with self.opened(plan) as engine:
                running.append(asyncio.ensure_future(engine.run(part(b"1"))))
                await gate.wait_begun()
                raise KeyError

        async def main():
            running = []
            with pytest.raises(KeyError):
                await left(running)
            with pytest.raises(WorkerError, match="shut down"):
                await running[0]

        asyncio.run(main())


async def asked(engine, parts, **how):
    done = asyncio.get_running_loop().create_future()
    run = engine.submit(parts, {}, done.set_result, **how)
    await done
    return engine.result(run)
