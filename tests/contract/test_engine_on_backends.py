"""The contract of engines, on workers of this machine and in one process; what Ray makes of it is in tests/extra."""

import asyncio
from contextlib import asynccontextmanager

from contract.engine_contract import EngineContract, ProcessContract, part

from wfctl.engine.engine import open_engine
from wfctl.engine.inline import InlineBackend
from wfctl.engine.local.backend import LocalBackend
from wfctl.errors import LoadError


class TestInline(EngineContract):
    has_own_processes = False

    @asynccontextmanager
    async def opened(self, plan, on_output=lambda *line: None):
        async with open_engine(plan, InlineBackend(), on_output=on_output) as engine:
            yield engine


class TestLocal(ProcessContract):
    @asynccontextmanager
    async def opened(self, plan, on_output=lambda *line: None):
        async with open_engine(plan, LocalBackend(), on_output=on_output) as engine:
            yield engine

    def test_other_code_takes_over_without_a_failure_and_bad_code_does_not(self, flow):
        plan = flow("a", a="def handle(data, context):\n    return data and ['old' for _ in data]")
        code = flow.folder / "a" / "handler.py"

        async def main():
            async with self.opened(plan) as engine:
                answers = [(await engine.run(part(b"", None))).body]
                code.write_text("def handle(data, context):\n    return data and ['new' for _ in data]")
                running = [engine.run(part(b"", None)) for _ in range(100)]
                gathered = asyncio.gather(*running)
                await engine.renew(plan, ["a"])
                answers.append((await engine.run(part(b"", None))).body)
                code.write_text("nonsense(")
                renewed, (failure,) = await engine.renew(plan, ["a"])
                assert not renewed
                assert isinstance(failure, LoadError)
                assert "SyntaxError" in failure.message
                answers.append((await engine.run(part(b"", None))).body)
                return answers, {each.body for each in await gathered}

        answers, during = asyncio.run(main())
        assert answers == [b"old", b"new", b"new"]
        assert during <= {b"old", b"new"}
