import asyncio
import os
import socket

import pytest
from fakes.loops import on_a_loop
from local_workers import Remembering

from wfctl.engine.backend import WorkerId
from wfctl.engine.call import CallAnswer
from wfctl.engine.local.link import WorkerEnds, WorkerLink
from wfctl.engine.wire.answers import encode_answers, encode_report
from wfctl.engine.wire.frames import FrameKind
from wfctl.errors import LoadError, WorkerError

ONE = WorkerId(1)


class Lonely:
    """A link whose worker is the test: it writes what a worker would, and says when it is gone."""

    def __init__(self) -> None:
        ends = WorkerEnds()
        self.told = Remembering()
        loop = asyncio.get_running_loop()
        self.killed: asyncio.Future[WorkerId] = loop.create_future()
        self.link = WorkerLink(ONE, "a", ends, loop=loop, listener=self.told, kill=self.killed.set_result)
        stream, self._stdout, self._stderr, self._marker = ends.files
        self._stream = socket.socket(fileno=stream)

    def says(self, buffers) -> None:
        self._stream.sendall(b"".join(buffers))

    def prints(self, text: bytes) -> None:
        os.write(self._stdout, text)

    def ends(self, ending: str = "it ended") -> None:
        self.link.finish(ending, is_told=True)
        self._stream.close()
        os.close(self._stdout)
        os.close(self._stderr)
        os.close(self._marker)


READY = encode_report(FrameKind.READY, {"pid": 7})


@on_a_loop
async def test_a_worker_gone_before_its_start_was_known_did_not_start():
    worker = Lonely()
    waiting = asyncio.create_task(worker.link.wait_ready())
    await asyncio.sleep(0)
    worker.says(READY)
    worker.ends()
    with pytest.raises(WorkerError, match='node "a" did not start: it ended'):
        await waiting
    assert worker.told.lost == []


@on_a_loop
async def test_a_worker_whose_report_names_no_process_is_ended():
    worker = Lonely()
    worker.says(encode_report(FrameKind.READY, {"pid": "seven"}))
    assert await worker.killed == ONE
    worker.ends()
    with pytest.raises(WorkerError, match="found a report without a process"):
        await worker.link.wait_ready()


@on_a_loop
async def test_all_that_came_before_the_end_is_told_before_it():
    worker = Lonely()
    worker.says(READY)
    assert await worker.link.wait_ready() == 7
    worker.says(encode_answers([CallAnswer(3, body=b"x" * 100_000)]))
    worker.prints(b"one\ntwo")
    worker.ends()
    assert list(worker.told.answers) == [3]
    assert worker.told.printed() == ["one", "two"]
    assert worker.told.lost == [(ONE, "it ended")]
    worker.link.finish("twice", is_told=True)
    assert len(worker.told.lost) == 1


@on_a_loop
async def test_a_process_that_keeps_the_pipes_open_holds_nothing_up():
    worker = Lonely()
    worker.says(READY)
    await worker.link.wait_ready()
    worker.prints(b"half a line")
    worker.link.finish("it ended", is_told=True)
    assert worker.told.printed() == ["half a line"]
    assert worker.told.lost == [(ONE, "it ended")]
    worker.ends()


@on_a_loop
async def test_a_worker_that_does_not_end_after_it_failed_to_load_is_ended():
    worker = Lonely()
    waiting = asyncio.create_task(worker.link.wait_ready())
    worker.says(encode_report(FrameKind.FAILED, {"message": "no weights"}))
    assert await worker.killed == ONE
    worker.ends()
    with pytest.raises(LoadError, match="no weights"):
        await waiting


@on_a_loop
@pytest.mark.parametrize("frame", [[b"x" * 100], [*encode_report(FrameKind.CALLS, {}), b"y" * 50]])
async def test_a_worker_that_writes_what_is_no_answer_is_ended(frame):
    worker = Lonely()
    worker.says(READY)
    await worker.link.wait_ready()
    worker.says(frame)
    assert await worker.killed == ONE
    worker.ends()
    assert "cannot be read" in worker.told.lost[0][1]
