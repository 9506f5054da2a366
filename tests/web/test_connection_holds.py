"""What a connection holds for its client, and how long it waits for one that is slow; over real sockets."""

import asyncio

import pytest
from fakes.loops import on_a_loop
from listening import answer_of, listening, reset

from wfctl.web.wire.budget import FREE, Budget, Share
from wfctl.web.wire.exchange import Exchange
from wfctl.web.wire.messages import Limits

LARGE = Limits(body=10_000_000)
MILLION = 1_000_000


def head(target: str, length: int, more: str = "") -> bytes:
    return f"POST {target} HTTP/1.1\r\nHost: h\r\n{more}Content-Length: {length}\r\n\r\n".encode()


async def until(is_so) -> None:
    """Let the loop turn until something is so."""
    async with asyncio.timeout(10):
        while not is_so():  # noqa: ASYNC110
            await asyncio.sleep(0)


# Answers


@on_a_loop
async def test_answers_wait_while_their_client_takes_none_and_count():
    async with listening(limits=LARGE, buffers=65536) as at:
        reader, writer = await at.connect()
        writer.write(head("/held", 0) * 8)
        await at.app.until(lambda: len(at.app.asked) == 8)
        (connection,) = at.connections
        reader._transport.pause_reading()
        for number in reversed(range(8)):
            at.app.asked[number].answer(b"%d" % number * 3 * MILLION)
        assert connection._transport.get_write_buffer_size() < 4 * MILLION  # one of them
        assert at.budget.held > 22 * MILLION
        reader._transport.resume_reading()
        assert [(await answer_of(reader))[2][:2] for _ in range(8)] == [b"%d%d" % (each, each) for each in range(8)]
        await until(lambda: at.budget.held == 0)
        writer.write(head("/now", 2) + b"ok")
        assert (await answer_of(reader))[2] == b"ok"


@on_a_loop
async def test_what_a_client_has_not_taken_counts_until_it_has_left():
    async with listening(limits=LARGE, buffers=4096) as at:
        reader, writer = await at.connect()
        writer.write(head("/held", 0) * 3)
        await at.app.until(lambda: len(at.app.asked) == 3)
        reader._transport.pause_reading()
        for each in reversed(at.app.asked):
            each.answer(bytes(3 * MILLION))
        assert at.budget.held > 8 * MILLION
        await reset(writer)
        await at.until_all_ended()
        assert at.budget.held == 0


@on_a_loop
async def test_one_answer_that_nobody_takes_ends_its_connection_in_time():
    async with listening(write_s=0.3, idle_s=60, limits=LARGE, buffers=4096) as at:
        reader, writer = await at.connect()
        reader._transport.pause_reading()
        writer.write(head("/held", 0))
        await at.app.until(lambda: bool(at.app.asked))
        at.app.asked[0].answer(bytes(9 * MILLION))
        await at.until_all_ended()
        assert at.budget.held == 0


# Bodies


@on_a_loop
async def test_promises_take_no_room():
    async with listening(limits=LARGE, most_held=MILLION) as at:
        promised = [
            head("/held", MILLION) + b"x",
            head("/held", 0).replace(b"Content-Length: 0", b"Transfer-Encoding: chunked"),
        ]
        for number in range(50):
            _, writer = await at.connect()
            writer.write(promised[number % 2])
        await at.app.until(lambda: len(at.app.heads) == 50)
        assert at.budget.held == 0
        reader, writer = await at.connect()
        writer.write(head("/now", MILLION // 2) + bytes(MILLION // 2))
        assert (await answer_of(reader))[0] == 200


@pytest.mark.parametrize("is_chunked", [False, True])
@on_a_loop
async def test_a_body_for_which_there_is_no_room_is_refused_while_it_comes_and_small_ones_are_not(is_chunked):
    async with listening(limits=LARGE, most_held=MILLION) as at:
        _, first = await at.connect()
        first.write(head("/held", 700_000) + bytes(600_000))
        await until(lambda: at.budget.held == 600_000)
        reader, second = await at.connect()
        asks = head("/held", 400_000)
        second.write(asks.replace(b"Content-Length: 400000", b"Transfer-Encoding: chunked") if is_chunked else asks)
        await at.app.until(lambda: len(at.app.heads) == 2)
        first.write(bytes(90_000))
        await until(lambda: at.budget.held == 690_000)
        second.write((b"61a80\r\n" if is_chunked else b"") + bytes(400_000))
        status, fields, _ = await answer_of(reader)
        assert (status, fields["connection"]) == (503, "close")
        assert at.budget.held == 690_000
        reader, small = await at.connect()
        small.write(head("/now", FREE) + bytes(FREE))
        assert (await answer_of(reader))[0] == 200
        first.write(bytes(10_000))
        await at.app.until(lambda: len(at.app.asked) == 1)
        assert at.budget.held == 700_000
        reader, third = await at.connect()
        third.write(head("/held", 400_000))  # is told before it sends
        assert (await answer_of(reader))[0] == 503
        await reset(first)
        await until(lambda: at.budget.held == 0)
        assert at.app.asked[0].is_forgotten


@on_a_loop
async def test_a_body_larger_than_all_there_is_is_let_in_alone():
    async with listening(limits=LARGE, most_held=100_000) as at:
        reader, writer = await at.connect()
        writer.write(head("/now", MILLION) + bytes(MILLION))
        assert (await answer_of(reader))[0] == 200
        await until(lambda: at.budget.held == 0)


def test_what_was_counted_is_given_back_exactly():
    budget = Budget(10 * FREE)
    share, exchange = Share(budget), Exchange(None, held=3 * FREE)
    assert share.came(FREE, is_body=True)
    assert budget.held == 0
    assert share.came(2 * FREE, is_body=True)
    assert share.begin(3 * FREE)
    assert budget.held == 3 * FREE
    assert not share.came(8 * FREE, is_body=True)
    assert share.came(8 * FREE, is_body=False)
    share.owes(FREE)
    share.answered(exchange, 5 * FREE)
    assert budget.held == 14 * FREE
    share.end([exchange])
    assert budget.held == 0


# Slow and honest


@on_a_loop
async def test_a_body_may_take_as_long_as_its_client_sends_some_of_it():
    async with listening(body_s=0.3, least_taken=50_000, limits=LARGE) as at:
        reader, writer = await at.connect()
        writer.write(head("/now", MILLION))
        for _ in range(20):
            writer.write(bytes(50_000))
            await asyncio.sleep(0.05)  # in all much longer than a body has that does not come
        assert (await answer_of(reader))[0] == 200


@on_a_loop
async def test_a_body_that_comes_too_slowly_does_not_come():
    async with listening(body_s=0.3, least_taken=50_000, limits=LARGE) as at:
        reader, writer = await at.connect()
        writer.write(head("/now", MILLION) + bytes(49_000))
        assert (await answer_of(reader))[0] == 408
        assert await reader.read() == b""
