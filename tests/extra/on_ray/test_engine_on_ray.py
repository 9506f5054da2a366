"""The contract of engines on Ray: the very tests that the engine of this machine passes."""

import os
from contextlib import asynccontextmanager

import pytest
from contract.engine_contract import ProcessContract

from wfctl.cluster.engines import RayEngines


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
