"""The contract of engines on Ray: the very tests that the engine of this machine passes."""

import asyncio
import os
from contextlib import asynccontextmanager

import pytest
from contract.engine_contract import ProcessContract, part

from wfctl.cluster.engines import RayEngines
from wfctl.errors import DeadlineExceededError


@pytest.mark.usefixtures("ray_address")
class TestRay(ProcessContract):
    time_to_replace_s = 60

    @asynccontextmanager
    async def opened(self, plan, on_output=lambda *line: None):
        start = RayEngines().begin(os.environ)
        try:
            async with start.opened(plan, on_output=on_output, watcher=None) as engine:
                yield engine
        finally:
            await start.close()

    def test_a_run_of_one_node_ends_when_its_own_time_is_over(self, flow):
        plan, gate = flow.gated("a", "a")

        async def main():
            async with self.opened(plan) as engine:
                with pytest.raises(DeadlineExceededError, match='not done after 1 s; it was at node "a"'):
                    await engine.run(part(b"1"), deadline_s=1.0)
                await gate.wait_begun()
                await gate.open()
                return (await engine.run(part(b"1"))).body, engine.statistics().runs

        assert asyncio.run(main()) == (b"through", 0)
