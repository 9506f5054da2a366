"""Workflows that are registered, replaced and taken away at the same time, with real workers."""

import asyncio
from dataclasses import replace
from textwrap import dedent

import pytest
from fakes.loops import on_a_loop

from wfctl.engine.call import Part
from wfctl.service.prepare import Request
from wfctl.service.registry import GoneError, Registry, TakenError, UnknownWorkflowError, Wish
from wfctl.service.reload import Reloader

SPEC = "models: {max-workers: 1}\ndag: {a: [b]}\n"
HANDLER = """
def a(data, context):
    return data and ["%s" for _ in data]

def b(data, context):
    return data and [row["body"] for row in data]
"""


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "flow"
    place.mkdir()
    (place / "workflow.yaml").write_text(SPEC)
    (place / "handler.py").write_text(dedent(HANDLER % "first"))
    return place


def wish(folder, **more):
    return Wish(request=Request(path=folder), url=folder.name, **more)


async def answer(served):
    return (await served.engine.run((Part("body", b""),))).body


def quiet(*line):
    del line


@on_a_loop
async def test_what_was_taken_away_while_it_was_opened_anew_does_not_come_back(folder):
    registry = Registry(on_output=quiet)
    served = await registry.register(wish(folder))
    opening = asyncio.create_task(registry.register(replace(wish(folder), instead_of=served)))
    await asyncio.sleep(0)
    await registry.unregister("flow")
    with pytest.raises(GoneError):
        await opening
    with pytest.raises(UnknownWorkflowError):
        registry.find("flow")
    await registry.close()


@on_a_loop
async def test_of_two_that_replace_one_the_second_finds_it_replaced(folder):
    registry = Registry(on_output=quiet)
    served = await registry.register(wish(folder))
    await registry.register(replace(wish(folder), instead_of=served))
    with pytest.raises(GoneError):
        await registry.register(replace(wish(folder), instead_of=served))
    assert await answer(registry.find("flow")) == b"first"
    await registry.close()


@on_a_loop
async def test_nothing_is_served_after_the_end(folder):
    registry = Registry(on_output=quiet)
    opening = asyncio.create_task(registry.register(wish(folder)))
    await asyncio.sleep(0)
    await registry.close()
    with pytest.raises(GoneError):
        await opening
    assert not list(registry)


@on_a_loop
async def test_a_name_is_free_again_after_an_opening_that_failed(folder):
    registry = Registry(on_output=quiet)
    (folder / "handler.py").write_text("nonsense(")
    with pytest.raises(Exception, match=r"SyntaxError|never closed"):
        await registry.register(wish(folder))
    (folder / "handler.py").write_text(dedent(HANDLER % "second"))
    served = await registry.register(wish(folder))
    assert await answer(served) == b"second"
    with pytest.raises(TakenError):
        await registry.register(wish(folder))
    await registry.close()


@on_a_loop
async def test_what_changed_while_something_else_was_broken_is_loaded_once_that_is_mended(folder):
    registry = Registry(on_output=quiet)
    await registry.register(wish(folder))
    told, failed = asyncio.Queue(), asyncio.Queue()
    watch = asyncio.create_task(Reloader(registry, told.put_nowait, failed.put_nowait).run())
    (folder / "workflow.yaml").write_text("dag: [")
    await asyncio.wait_for(failed.get(), 30)
    (folder / "handler.py").write_text(dedent(HANDLER % "second"))
    await asyncio.wait_for(failed.get(), 30)
    (folder / "workflow.yaml").write_text(SPEC)
    await asyncio.wait_for(told.get(), 30)
    assert await answer(registry.find("flow")) == b"second"
    watch.cancel()
    await asyncio.wait([watch])
    await registry.close()
