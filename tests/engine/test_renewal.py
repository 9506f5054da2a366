"""Other code and other numbers of workers while a workflow runs, with real worker processes."""

import asyncio
from dataclasses import replace
from textwrap import dedent

import pytest
from fakes.plans import plan_of

from wfctl.engine.call import Part
from wfctl.engine.engine import open_engine
from wfctl.engine.local.backend import LocalBackend
from wfctl.errors import LoadError
from wfctl.spec.model import WorkerSettings

ANSWER = "def handle(data, context):\n    return data and ['{word}' for _ in data]\n"
BODY = (Part("body", b""),)


@pytest.fixture
def code(tmp_path):
    """Return a function that writes what a node loads, and gives its folder."""

    def write(name, word, text=None):
        folder = tmp_path / f"{name}-{word}"
        folder.mkdir()
        (folder / "handler.py").write_text(dedent(text or ANSWER.format(word=word)), encoding="utf-8")
        return folder

    return write


def plan(settings=None, **folders):
    made = plan_of("a > b", settings, folders=folders, startup_timeout_s=60.0)
    # Each node is asked by itself here.
    return replace(made, nodes=tuple(replace(node, parents=(), children=()) for node in made.nodes))


def running(main, first):
    async def opened():
        backend = LocalBackend()
        async with open_engine(first, backend, on_output=lambda *_: None) as engine:
            return await main(engine, backend)

    return asyncio.run(opened())


async def asked(engine, node):
    done = asyncio.get_running_loop().create_future()
    run = engine.submit(BODY, {}, done.set_result, only=node)
    await done
    return engine.result(run).body.decode()


async def until(is_so):
    async with asyncio.timeout(30):
        while not is_so():  # noqa: ASYNC110 - processes tell nobody here
            await asyncio.sleep(0.01)


def workers(engine, node):
    return next(each for each in engine.statistics().nodes if each.node == node)


def test_of_several_nodes_those_go_over_that_load_and_the_others_keep_what_they_have(code):
    first = plan(a=code("a", "a1"), b=code("b", "b1"))
    fresh = plan(a=code("a", "a2"), b=code("b", "b2", text="nonsense("))

    async def main(engine, backend):
        renewed, failures = await engine.renew(fresh, {"a", "b"})
        answers = [await asked(engine, node) for node in "ab"]
        (worker,) = (each for each, link in backend._links.items() if link.node == "a")
        backend.kill_worker(worker)
        await until(lambda: workers(engine, "a").lost == 1 and len(workers(engine, "a").worker_pids) == 1)
        return renewed, failures, answers, await asked(engine, "a"), engine.plan

    renewed, failures, answers, after_a_crash, followed = running(main, first)
    assert renewed == ["a"]
    assert [type(each) for each in failures] == [LoadError]
    assert answers == ["a2", "b1"]
    assert after_a_crash == "a2"  # its own edition, and not the first one
    assert [node.code.model_dir.rpartition("-")[2] for node in followed.nodes] == ["a2", "b1"]


def test_workers_that_start_while_other_code_is_tried_are_of_the_old_one(code, tmp_path):
    gate = tmp_path / "gate"
    slow = f"import os, time\nwhile not os.path.exists({str(gate)!r}):\n    time.sleep(0.01)\nraise ValueError('no')\n"
    first = plan(a=code("a", "a1"), b=code("b", "b1"))
    fresh = plan(a=code("a", "a2", text=slow), b=code("b", "b2"))

    async def main(engine, backend):
        trial = asyncio.create_task(engine.renew(fresh, {"a"}))
        await until(lambda: workers(engine, "a").starting == 1)
        assert await engine.scale("b", 2, 2) is None
        gate.touch()
        renewed, _ = await trial
        assert not renewed
        return {await asked(engine, "b") for _ in range(20)}

    assert running(main, first) == {"b1"}


def test_scaling_up_while_other_code_is_tried_is_no_failure_of_either(code):
    first = plan({"a": WorkerSettings(max_workers=4)}, a=code("a", "a1"), b=code("b", "b1"))
    fresh = plan({"a": WorkerSettings(max_workers=4)}, a=code("a", "a2"), b=code("b", "b1x"))

    async def main(engine, backend):
        both = await asyncio.gather(engine.scale("a", 3, 3), engine.renew(fresh, {"a"}))
        await until(lambda: len(workers(engine, "a").worker_pids) == 3 and not workers(engine, "a").starting)
        return both, {await asked(engine, "a") for _ in range(30)}, workers(engine, "a")

    (scaled, (renewed, failures)), answers, now = running(main, first)
    assert (scaled, renewed, failures) == (None, ["a"], [])
    assert answers == {"a2"}
    assert (now.least, now.most) == (3, 3)  # what was asked for stays


def test_numbers_of_a_plan_that_has_others_are_carried_out(code):
    few, many = WorkerSettings(), WorkerSettings(min_workers=3, max_workers=4)
    first = plan({"a": few}, a=code("a", "a1"), b=code("b", "b1"))
    fresh = plan({"a": many}, a=code("a", "a2"), b=code("b", "b1x"))

    async def main(engine, backend):
        await engine.renew(fresh, {"a"})
        await until(lambda: len(workers(engine, "a").worker_pids) == 3)
        return workers(engine, "a")

    now = running(main, first)
    assert (now.least, now.most) == (3, 4)


def test_workers_that_are_let_go_before_they_are_there_leave_no_process(code):
    first = plan({"a": WorkerSettings(max_workers=4)}, a=code("a", "a1"), b=code("b", "b1"))

    async def main(engine, backend):
        for _ in range(3):
            both = (engine.scale("a", 4, 4), engine.scale("a", 1, 1))
            await asyncio.gather(*both)
        await until(lambda: len(backend.statistics().worker_pids) == 2)
        return workers(engine, "a")

    now = running(main, first)
    assert (len(now.worker_pids), now.starting) == (1, 0)


def test_whoever_gives_up_waiting_does_not_give_up_the_workers(code):
    first = plan({"a": WorkerSettings(max_workers=4)}, a=code("a", "a1"), b=code("b", "b1"))

    async def main(engine, backend):
        waiting = asyncio.create_task(engine.scale("a", 3, 3))
        await asyncio.sleep(0)  # it has begun, and waits
        waiting.cancel()
        await asyncio.wait([waiting])
        await until(lambda: len(workers(engine, "a").worker_pids) == 3)
        return waiting.cancelled()

    assert running(main, first)
