import asyncio
import os
from itertools import pairwise

from fakes.loops import on_a_loop

from wfctl.engine.local.printed import PrintedPipe

LINES = 30_000


def open_pipe():
    theirs, ours = os.pipe()
    told = []
    return PrintedPipe(asyncio.get_running_loop(), theirs, told.append), ours, told


@on_a_loop
async def test_many_short_lines_are_told_a_few_in_each_turn_of_the_loop():
    pipe, ours, told = open_pipe()
    os.write(ours, b"x\n" * LINES)
    counts = [0]
    while counts[-1] < LINES:
        await asyncio.sleep(0)
        counts.append(len(told))
    assert told == ["x"] * LINES
    assert max(after - before for before, after in pairwise(counts)) <= 1000
    os.close(ours)
    pipe.close()


@on_a_loop
async def test_all_lines_are_told_by_the_end():
    pipe, ours, told = open_pipe()
    os.write(ours, b"x\n" * LINES + b"rest")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert len(told) < LINES
    os.close(ours)
    pipe.close()
    assert told == ["x"] * LINES + ["rest"]


@on_a_loop
async def test_lines_are_told_when_the_other_end_is_closed():
    pipe, ours, told = open_pipe()
    os.write(ours, b"x\n" * LINES + b"rest")
    os.close(ours)
    for _ in range(LINES):
        await asyncio.sleep(0)
    assert told == ["x"] * LINES + ["rest"]
    pipe.close()


@on_a_loop
async def test_a_writer_that_never_stops_does_not_hold_up_the_end():
    pipe, ours, told = open_pipe()

    def write_more(line):
        told.append(line)
        os.write(ours, b"y\n")

    pipe._tell = write_more
    os.write(ours, b"x\n")
    pipe.close()
    assert told
    os.close(ours)
