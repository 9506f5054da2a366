"""A Ray that starts with a command ends with it, whatever ends the command; and Serve scales what waits."""

import asyncio
import os
import signal
from contextlib import asynccontextmanager
from dataclasses import replace

import psutil  # Ray brings it
import pytest
from contract.engine_contract import Flow, part
from fakes.served import Served

from wfctl.cluster.engines import RayEngines
from wfctl.spec.model import WorkerSettings

SPEC = "models: {max-workers: 1}\ndag: {first: [last]}\n"
HANDLER = """
def first(data, context):
    return data and [row["body"] for row in data]
last = first
"""


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "flow"
    place.mkdir()
    (place / "workflow.yaml").write_text(SPEC)
    (place / "handler.py").write_text(HANDLER)
    return place


def everybody_below(pid: int) -> list[psutil.Process]:
    return psutil.Process(pid).children(recursive=True)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_server_that_is_told_to_end_takes_its_ray_along(folder, number):
    with Served(folder, "--engine", "ray") as server:
        assert server.ask("POST", "/wfpredict/flow", b"hello").body == b"hello"
        below = everybody_below(server.process.pid)
        assert len(below) >= 4
        server.process.send_signal(number)
        assert server.process.wait(60) == 0, server.lines
    _, alive = psutil.wait_procs(below, timeout=30)
    assert alive == []


@pytest.mark.timeout(240)
def test_a_server_that_is_killed_leaves_nobody_behind(folder):
    # Replicas end at once; agents of Ray's own spend a minute on telling a dead Ray of it.
    with Served(folder, "--engine", "ray") as server:
        assert server.ask("POST", "/wfpredict/flow", b"hello").body == b"hello"
        below = everybody_below(server.process.pid)
        server.process.kill()
        server.process.wait(60)
        _, alive = psutil.wait_procs(below, timeout=150)
    assert alive == []


@pytest.mark.usefixtures("ray_address")
def test_serve_scales_a_node_that_has_more_to_do_than_it_can(tmp_path):
    text = """
    import os, time
    def handle(data, context):
        if data: time.sleep(0.2)
        return data and [os.getpid() for _ in data]
    """
    settings = WorkerSettings(min_workers=1, max_workers=3, timeout_ms=60_000)
    plan = replace(Flow(tmp_path)("a", settings=settings, a=text), idle_s=1.0)

    @asynccontextmanager
    async def opened():
        start = RayEngines().begin(os.environ)
        try:
            async with start.opened(plan, on_output=lambda *_: None, watcher=None) as engine:
                yield engine
        finally:
            await start.close()

    async def main():
        async with opened() as engine:
            seen = set()

            async def client():
                while len(seen) < 2:
                    seen.add((await engine.run(part(b"1"))).body)

            async with asyncio.timeout(80):
                await asyncio.gather(*(client() for _ in range(16)))
            return seen

    assert len(asyncio.run(main())) >= 2
