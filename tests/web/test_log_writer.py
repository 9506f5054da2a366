"""Lines on their way out: in order, whole, and never at the cost of who writes them."""

import asyncio
import errno
import io
import json
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from wfctl.web.watch.log_lines import Form
from wfctl.web.watch.log_writer import LogWriter

LINE = "x" * 99 + "\n"
NOW = 1_700_000_000.25


class Pipe:
    """A pipe that nobody reads until somebody does."""

    def __init__(self) -> None:
        out, into = os.pipe()
        self.out = os.fdopen(out, "rb", buffering=0)
        self.into = os.fdopen(into, "wb", buffering=0)

    def rest(self) -> list[str]:
        """Everything up to the end, once the end that is written to is closed."""
        self.into.close()
        return self.out.read().decode().splitlines(keepends=True)


@pytest.fixture
def pipe():
    made = Pipe()
    yield made
    made.out.close()
    made.into.close()


def until(is_so, within_s: float = 10.0) -> None:
    end = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.002)


def test_lines_are_written_whole_and_in_order(tmp_path):
    with (tmp_path / "log").open("wb") as stream:
        writer = LogWriter(stream)
        lines = [f"{number} {'é' * (number % 50)}\n" for number in range(20_000)]
        for line in lines:
            writer.add(line)
        writer.close()
    assert (tmp_path / "log").read_text(encoding="utf-8") == "".join(lines)
    assert writer.dropped == 0


def test_a_line_is_written_soon_without_being_asked_for(pipe):
    writer = LogWriter(pipe.into)
    for number in range(3):  # also when nothing has come for a while
        writer.add(f"{number}\n")
        assert pipe.out.read(100) == b"%d\n" % number
    writer.close()


def test_what_comes_at_the_end_is_written_and_what_comes_behind_it_is_not(pipe):
    writer = LogWriter(pipe.into)
    writer.add("before\n")
    writer.close()
    writer.close()
    writer.add("behind\n")
    assert pipe.rest() == ["before\n"]


def test_a_log_without_lines_has_no_thread(pipe):
    before = threading.active_count()
    writer = LogWriter(pipe.into)
    assert threading.active_count() == before
    writer.close()
    assert pipe.rest() == []


def test_the_thread_is_gone_once_it_is_closed(pipe):
    before = threading.active_count()
    writer = LogWriter(pipe.into)
    writer.add(LINE)
    assert threading.active_count() == before + 1
    writer.close()
    assert threading.active_count() == before


def test_a_stream_without_a_descriptor_is_refused_at_once():
    with pytest.raises(io.UnsupportedOperation):
        LogWriter(io.StringIO())


# A reader that is slow


@pytest.mark.parametrize("form", list(Form))
def test_a_reader_that_stands_still_costs_lines_and_no_time(pipe, form):
    count = 20_000  # 2 MB: a pipe holds 64 KB, and the writer 100 KB here
    writer = LogWriter(pipe.into, form, clock=lambda: NOW, most=100_000)

    async def scenario():
        longest = 0.0
        for start in range(0, count, 1000):
            begin = time.monotonic()
            for number in range(start, start + 1000):
                writer.add(f"{number:099}\n")
            longest = max(longest, time.monotonic() - begin)
            await asyncio.sleep(0.005)
        return longest

    assert asyncio.run(scenario()) < 1  # else the loop was made to wait for the reader
    assert writer.dropped > 0
    assert writer._added - writer._taken <= 100_000
    found: list[str] = []
    reader = threading.Thread(target=lambda: found.extend(pipe.out.read().decode().splitlines(keepends=True)))
    reader.start()
    writer.close(10)
    pipe.into.close()
    reader.join()
    lines = [line for line in found if re.fullmatch(r"\d{99}\n", line)]
    notices = [line for line in found if line not in lines]
    numbers = [int(line) for line in lines]
    assert numbers == sorted(set(numbers))
    assert len(lines) + writer.dropped == count
    if form is Form.JSON:
        told = sum(json.loads(line)["count"] for line in notices)
        assert {json.loads(line)["event"] for line in notices} == {"lines-dropped"}
    else:
        pattern = re.compile(r"2023-11-14T22:13:20.250Z warning lines-dropped count=(\d+)\n")
        told = sum(int(pattern.fullmatch(line)[1]) for line in notices)
    assert told == writer.dropped


def test_a_descriptor_that_does_not_wait_gets_everything_all_the_same(pipe):
    os.set_blocking(pipe.into.fileno(), False)
    writer = LogWriter(pipe.into)
    for _ in range(5000):
        writer.add(LINE)
    found = bytearray()

    def read() -> None:
        time.sleep(0.2)  # the pipe is full by now
        while data := pipe.out.read(4096):
            found.extend(data)

    reader = threading.Thread(target=read)
    reader.start()
    writer.close(10)
    pipe.into.close()
    reader.join()
    assert found.decode() == LINE * 5000


def test_closing_does_not_wait_for_a_reader_that_stands_still(pipe):
    told = []
    writer = LogWriter(pipe.into, on_failure=told.append)
    for _ in range(5000):
        writer.add(LINE)
    begin = time.monotonic()
    writer.close(0.2)
    assert 0.1 < time.monotonic() - begin < 5
    assert not told
    pipe.out.close()  # lets the thread go
    writer._thread.join(10)
    assert not writer._thread.is_alive()


def test_a_process_ends_although_its_log_is_not_read():
    program = """
import sys
from wfctl.web.watch.log_writer import LogWriter
writer = LogWriter(sys.stdout)
for _ in range(5000):
    writer.add("x" * 99 + "\\n")
writer.close(0.2)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.wait(30) == 0
        assert process.stderr.read() == b""


# A stream that is broken


def test_a_reader_that_is_gone_ends_the_log_and_it_is_said_once(pipe):
    told = []
    writer = LogWriter(pipe.into, on_failure=told.append)
    writer.add(LINE)
    assert pipe.out.read(100) == LINE.encode()
    pipe.out.close()
    writer.add(LINE)
    until(lambda: told)
    for _ in range(1000):
        writer.add(LINE)
    writer.close()
    assert told == ["a log ends here, for it cannot be written: broken pipe"]
    assert not writer._lines
    assert not writer._thread.is_alive()


def test_a_full_disk_ends_the_log_and_it_is_said():
    told = []
    with Path("/dev/full").open("wb", buffering=0) as stream:
        writer = LogWriter(stream, on_failure=told.append)
        writer.add(LINE)
        writer.close()
    assert told == [f"a log ends here, for it cannot be written: {os.strerror(errno.ENOSPC).lower()}"]


def test_it_is_said_on_standard_error_where_nobody_else_listens():
    program = """
from wfctl.web.watch.log_writer import LogWriter
with open("/dev/full", "wb", buffering=0) as stream:
    writers = [LogWriter(stream)]
    for writer in writers:
        writer.add("x\\n")
        writer.close()
        writer.add("x\\n")
print("the server lives")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stderr == "wfctl: a log ends here, for it cannot be written: no space left on device\n"
    assert done.stdout == "the server lives\n"


def test_a_broken_standard_error_is_no_reason_to_end():
    program = """
import os, sys
from wfctl.web.watch.log_writer import LogWriter, say_so
writer = LogWriter(sys.stderr)
os.close(2)
writer.add("x\\n")
writer.close()
say_so("nobody hears this")
print("the server lives")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "the server lives\n", "")


def test_two_logs_share_a_stream_without_cutting_into_lines(pipe):
    writer = LogWriter(pipe.into)
    found = []
    reader = threading.Thread(target=lambda: found.extend(pipe.out.read().decode().splitlines()))
    reader.start()
    for number in range(5000):
        writer.add(f"access {number}\n")
        writer.add(f"server {number}\n")
    writer.close(10)
    pipe.into.close()
    reader.join()
    assert found == [f"{log} {number}" for number in range(5000) for log in ("access", "server")]
