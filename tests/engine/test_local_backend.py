import os
from contextlib import asynccontextmanager

from local_workers import ECHO, Remembering, call, on_a_loop, plan_of, process_is_there, write_node

from wfctl.engine.backend import WorkerId
from wfctl.engine.local.backend import LocalBackend

ONE, TWO = WorkerId(1), WorkerId(2)


@asynccontextmanager
async def opened(*nodes, **settings):
    backend, told = LocalBackend(), Remembering()
    try:
        await backend.open(plan_of(*nodes, **settings), told)
        yield backend, told
    finally:
        await backend.close()


@on_a_loop
async def test_a_worker_answers_its_calls(tmp_path):
    async with opened(write_node(tmp_path, ECHO)) as (backend, told):
        report = await backend.start_worker("echo", ONE)
        assert (report.worker, report.node) == (ONE, "echo")
        assert process_is_there(report.pid)
        assert report.pid != os.getpid()
        backend.send_batch(ONE, [call(7, b"hello")])
        answer = await told.answer(7)
        assert (answer.body, answer.error) == (b"hello", None)
        assert 0 < answer.started_ns <= answer.finished_ns
