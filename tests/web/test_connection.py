"""What a client sees of one connection, over real sockets."""

import asyncio
import gc
import weakref

import pytest
from fakes.loops import on_a_loop
from listening import answer_of, listening, reset

from wfctl.web.wire.connection import PIPELINED
from wfctl.web.wire.messages import Limits, RequestError, Response


def post(target: str, body: bytes = b"", more: str = "") -> bytes:
    return f"POST {target} HTTP/1.1\r\nHost: h\r\n{more}Content-Length: {len(body)}\r\n\r\n".encode() + body


@on_a_loop
async def test_requests_are_answered_one_after_another_on_one_connection():
    async with listening() as at:
        reader, writer = await at.connect()
        for number in range(50):
            writer.write(post("/now", b"%d" % number))
            status, fields, body = await answer_of(reader)
            assert (status, fields["connection"], body) == (200, "keep-alive", b"%d" % number)
        assert len(at.connections) == 1
        writer.close()
        await at.until_all_ended()


@on_a_loop
async def test_a_request_is_answered_however_slowly_its_bytes_come():
    async with listening() as at:
        reader, writer = await at.connect()
        for byte in post("/now", b"hello"):
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0)
        assert (await answer_of(reader))[2] == b"hello"
        writer.close()


@on_a_loop
async def test_requests_sent_ahead_are_begun_sixteen_at_a_time_and_answered_in_order():
    async with listening() as at:
        reader, writer = await at.connect()
        writer.write(b"".join(post("/held", b"%d" % number) for number in range(50)))
        asked = at.app.asked
        await at.app.until(lambda: len(asked) == PIPELINED)
        asked[3].answer()
        asked[1].answer()
        asked[0].answer()
        assert [(await answer_of(reader))[2] for _ in range(2)] == [b"0", b"1"]
        await at.app.until(lambda: len(asked) == PIPELINED + 2)  # two have left, and two are begun
        for number in range(50):
            await at.app.until(lambda number=number: len(asked) > number)
            assert len(asked) <= max(number, 2) + PIPELINED
            if number not in {0, 1, 3}:
                asked[number].answer()
        assert [(await answer_of(reader))[2] for _ in range(48)] == [b"%d" % number for number in range(2, 50)]
        writer.close()


@on_a_loop
async def test_beyond_sixteen_nothing_is_read():
    async with listening() as at:
        _, writer = await at.connect()
        writer.write(post("/held") * PIPELINED)
        await at.app.until(lambda: len(at.app.asked) == PIPELINED)
        writer.write(post("/held", bytes(100_000)) * 500)  # 50 MB: more than any buffer between us takes
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(writer.drain(), 0.5)
        (connection,) = at.connections
        assert len(connection._reader._buffer) < 1_000_000
        await reset(writer)
        at.app.asked[0].answer()  # who does not read is told by writing that the other has left
        await at.until_all_ended()
        assert [each.is_forgotten for each in at.app.asked] == [False] + [True] * (PIPELINED - 1)


@on_a_loop
async def test_a_client_that_has_sent_all_it_will_gets_its_answers():
    async with listening() as at:
        reader, writer = await at.connect()
        writer.write(post("/held", b"1") + post("/held", b"2"))
        writer.write_eof()
        await at.app.until(lambda: len(at.app.asked) == 2)
        for each in at.app.asked:
            each.answer()
        assert [(await answer_of(reader))[2] for _ in range(2)] == [b"1", b"2"]
        assert await reader.read() == b""
        await at.until_all_ended()


@on_a_loop
async def test_a_request_that_breaks_off_is_never_begun():
    async with listening() as at:
        reader, writer = await at.connect()
        writer.write(post("/held", b"hello")[:-1])
        writer.write_eof()
        status, fields, _ = await answer_of(reader)
        assert (status, fields["connection"]) == (400, "close")
        assert at.app.asked == []
        await at.until_all_ended()


@on_a_loop
async def test_a_client_that_leaves_is_forgotten_with_what_it_asked_for():
    async with listening() as at:
        _, writer = await at.connect()
        writer.write(post("/held") * 3)
        await at.app.until(lambda: len(at.app.asked) == 3)
        await reset(writer)
        await at.until_all_ended()
        assert all(each.is_forgotten for each in at.app.asked)
        at.app.asked[0].answer()  # comes too late, and does no harm


@on_a_loop
async def test_leave_to_send_is_given_after_all_others_were_answered_and_refusals_come_instead():
    async with listening() as at:
        at.app.refusals["/no"] = Response(401, b"who are you?")
        reader, writer = await at.connect()
        asks = post("/held", b"hello", "Expect: 100-continue\r\n")
        writer.write(post("/held", b"first") + asks[:-5])
        await at.app.until(lambda: len(at.app.asked) == 1)
        at.app.asked[0].answer()
        assert (await answer_of(reader))[2] == b"first"
        assert (await answer_of(reader))[0] == 100
        writer.write(b"hello")
        await at.app.until(lambda: len(at.app.asked) == 2)
        at.app.asked[1].answer()
        assert (await answer_of(reader))[2] == b"hello"
        writer.write(post("/no", b"hello", "Expect: 100-continue\r\n")[:-5])
        status, fields, body = await answer_of(reader)
        assert (status, fields["connection"], body) == (401, "close", b"who are you?")
        writer.close()
        await at.until_all_ended()


@on_a_loop
async def test_no_leave_is_given_for_a_body_that_is_there():
    async with listening() as at:
        reader, writer = await at.connect()
        writer.write(post("/now", b"hello", "Expect: 100-continue\r\n"))
        assert (await answer_of(reader))[0] == 200
        writer.close()


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"rubbish\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\n\r\n", 505),
        (post("/held", b"x" * 101), 413),
        (b"GET /" + b"x" * 100_000, 414),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 100_000, 431),
        (post("/no", b"x"), 404),
    ],
    ids=lambda value: ascii(value[:60]) if isinstance(value, bytes) else None,
)
@on_a_loop
async def test_behind_a_refusal_nothing_is_taken_for_a_request(sent, status):
    async with listening(limits=Limits(body=100)) as at:
        at.app.refusals["/no"] = Response(404)
        reader, writer = await at.connect()
        writer.write(post("/held", b"first") + sent + post("/held", b"smuggled") * 1000)
        await at.app.until(lambda: len(at.app.asked) == 1)
        at.app.asked[0].answer()
        assert (await answer_of(reader))[2] == b"first"
        found, fields, _ = await answer_of(reader)
        assert (found, fields["connection"]) == (status, "close")
        assert await reader.read() == b""  # an end, and no reset: all that was on its way was taken
        assert len(at.app.asked) == 1
        writer.close()
        await at.until_all_ended()


@pytest.mark.parametrize("more", ["Connection: close\r\n", None])
@on_a_loop
async def test_the_last_request_of_a_client_ends_the_connection(more):
    async with listening() as at:
        reader, writer = await at.connect()
        last = post("/held", b"1", more) if more else b"GET /held HTTP/1.0\r\n\r\n"
        writer.write(last + post("/held", b"2"))
        await at.app.until(lambda: bool(at.app.asked))
        at.app.asked[0].answer(b"done")
        assert (await answer_of(reader))[1]["connection"] == "close"
        assert len(at.app.asked) == 1
        await at.until_all_ended()


@on_a_loop
async def test_an_answer_that_would_be_two_is_a_failure_of_ours():
    async with listening() as at:
        reader, writer = await at.connect()
        writer.write(post("/held"))
        await at.app.until(lambda: bool(at.app.asked))
        at.app.asked[0].reply(Response(200, b"", "a\r\nb: c"))
        status, fields, _ = await answer_of(reader)
        assert status == 500
        assert "b" not in fields
        writer.close()


# Clients that keep us waiting


@pytest.mark.parametrize(
    ("sent", "status", "words"),
    [
        (b"POST / HT", 408, "the head did not come within 0.2 s"),
        (post("/held", b"hello")[:-1], 408, "the body did not come within 0.2 s"),
    ],
)
@on_a_loop
async def test_a_request_that_does_not_come_is_refused_in_time(sent, status, words):
    async with listening(head_s=0.2, body_s=0.2, idle_s=60) as at:
        reader, writer = await at.connect()
        writer.write(post("/now", b"before") + sent)
        assert (await answer_of(reader))[2] == b"before"
        found, fields, body = await answer_of(reader)
        assert (found, fields["connection"], body.decode()) == (status, "close", words)
        writer.close()
        await at.until_all_ended()


@on_a_loop
async def test_a_head_that_drips_has_no_more_time_than_one_that_does_not_come():
    async with listening(head_s=0.3) as at:
        reader, writer = await at.connect()
        asked = asyncio.create_task(answer_of(reader))
        while not asked.done():
            writer.write(b"x")
            await asyncio.sleep(0.02)
        assert (await asked)[0] == 408
        writer.close()


@on_a_loop
async def test_an_idle_connection_ends_without_a_word_and_work_is_not_idle():
    async with listening(idle_s=0.2) as at:
        reader, writer = await at.connect()
        writer.write(post("/held"))
        await at.app.until(lambda: bool(at.app.asked))
        asyncio.get_running_loop().call_later(0.5, at.app.asked[0].answer)
        assert (await answer_of(reader))[0] == 200  # later than an idle connection lives
        assert await reader.read() == b""
        await at.until_all_ended()


@on_a_loop
async def test_a_client_that_takes_no_answers_is_left():
    async with listening(write_s=0.3, limits=Limits(body=10_000_000)) as at:
        _, writer = await at.connect()
        (connection,) = at.connections
        for _ in range(8):
            writer.write(post("/now", bytes(5_000_000)))
        await at.until_all_ended()
        assert not connection._exchanges


@on_a_loop
async def test_a_client_that_never_stops_sending_is_left_after_a_refusal():
    async with listening(linger_s=0.3) as at:
        reader, writer = await at.connect()
        writer.write(b"rubbish\r\n\r\n")
        assert (await answer_of(reader))[0] == 400
        await at.until_all_ended()
        writer.close()


@on_a_loop
async def test_draining_answers_what_has_come_and_takes_no_more():
    async with listening() as at:
        reader, writer = await at.connect()
        idle, _ = await at.connect()
        writer.write(post("/held", b"1") + post("/held", b"22")[:-1])
        await at.app.until(lambda: len(at.app.asked) == 1 and len(at.connections) == 2)
        for each in tuple(at.connections):
            each.drain()
        assert await idle.read() == b""
        writer.write(b"2")
        await at.app.until(lambda: len(at.app.asked) == 2)
        for each in at.app.asked:
            each.answer()
        assert [(await answer_of(reader))[1]["connection"] for _ in range(2)] == ["keep-alive", "close"]
        await at.until_all_ended()


# Applications that break, and clients that are slow and honest


def quiet() -> list[dict]:
    """Keep what the loop is told of exceptions, in place of printing it."""
    told: list[dict] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    return told


@on_a_loop
async def test_an_answer_that_cannot_be_written_is_a_failure_in_its_own_place():
    async with listening() as at:
        told = quiet()
        reader, writer = await at.connect()
        writer.write(post("/held", b"first") + post("/held", b"second"))
        await at.app.until(lambda: len(at.app.asked) == 2)
        at.app.asked[0].reply(Response(200, b"first", None, {"x-retry": 5}))
        at.app.asked[1].answer()
        assert [(await answer_of(reader))[::2] for _ in range(2)] == [(500, b""), (200, b"second")]
        assert len(told) == 1


@pytest.mark.parametrize(("raised", "status"), [(RequestError(422, "no"), 422), (ValueError("ours"), 500)])
@on_a_loop
async def test_what_an_application_raises_is_the_answer_to_that_request(raised, status):
    async with listening() as at:
        quiet()
        reader, writer = await at.connect()
        begin = at.app.begin

        def break_off(head, body, reply):
            if head.target == "/bad":
                raise raised
            return begin(head, body, reply)

        at.app.begin = break_off
        writer.write(post("/held", b"1") * PIPELINED + post("/bad") + post("/now", b"2"))
        await at.app.until(lambda: len(at.app.asked) == PIPELINED)
        for each in at.app.asked:
            each.answer()
        assert [(await answer_of(reader))[0] for _ in range(PIPELINED + 2)] == [200] * PIPELINED + [status, 200]


@on_a_loop
async def test_who_cannot_be_judged_is_not_admitted():
    async with listening() as at:
        quiet()

        def break_off(head):
            if head.target == "/bad":
                raise ValueError("the keys cannot be read")

        at.app.admit = break_off
        reader, writer = await at.connect()
        writer.write(post("/held") * PIPELINED + post("/bad", b"secret"))
        await at.app.until(lambda: len(at.app.asked) == PIPELINED)
        for each in tuple(at.app.asked):
            each.answer()
        assert [(await answer_of(reader))[0] for _ in range(PIPELINED + 1)] == [200] * PIPELINED + [500]
        assert await reader.read() == b""
        assert len(at.app.asked) == PIPELINED


@on_a_loop
async def test_one_request_that_cannot_be_forgotten_keeps_no_other():
    async with listening() as at:
        quiet()
        _, writer = await at.connect()
        writer.write(post("/held") * 2)
        await at.app.until(lambda: len(at.app.asked) == 2)
        (connection,) = at.connections

        def break_off():
            raise ValueError("ours")

        connection._exchanges[0].forget = break_off
        await reset(writer)
        await at.until_all_ended()
        assert at.app.asked[1].is_forgotten


@on_a_loop
async def test_the_clock_of_a_body_begins_when_it_may_be_sent():
    async with listening(body_s=0.3) as at:
        reader, writer = await at.connect()
        asks = post("/now", b"hello", "Expect: 100-continue\r\n")
        writer.write(post("/held", b"first") + asks[:-5])
        await at.app.until(lambda: len(at.app.asked) == 1)
        asyncio.get_running_loop().call_later(0.5, at.app.asked[0].answer)
        assert [(await answer_of(reader))[0] for _ in range(2)] == [200, 100]
        writer.write(b"hello")
        assert (await answer_of(reader))[2] == b"hello"


@on_a_loop
async def test_the_clock_of_a_head_begins_with_the_head():
    async with listening(head_s=0.3) as at:
        reader, writer = await at.connect()
        body, ahead = post("/now", b"hello"), post("/now", b"next")
        writer.write(body[:-2])
        await at.app.until(lambda: bool(at.app.heads))
        asyncio.get_running_loop().call_later(0.5, writer.write, body[-2:] + ahead[:10])
        assert (await answer_of(reader))[2] == b"hello"
        writer.write(ahead[10:])
        assert (await answer_of(reader))[2] == b"next"


@on_a_loop
async def test_an_answer_may_take_as_long_as_its_client_takes_some_of_it():
    async with listening(write_s=0.3) as at:
        reader, writer = await at.connect()
        writer.write(post("/held", b"", "Connection: close\r\n"))
        await at.app.until(lambda: bool(at.app.asked))
        at.app.asked[0].answer(bytes(20_000_000))
        size = 0
        while piece := await reader.read(400_000):
            size += len(piece)
            await asyncio.sleep(0.01)  # a slow client; longer in all than one has that takes nothing
        assert size > 20_000_000


@pytest.mark.parametrize("more", ["Connection: close\r\n", ""])
@on_a_loop
async def test_a_connection_that_is_closing_has_an_end_also_if_nobody_reads(more):
    async with listening(write_s=0.3, idle_s=0.3, linger_s=0.3, buffers=4096) as at:
        _, writer = await at.connect()
        writer.write(post("/held", b"", more))
        await at.app.until(lambda: bool(at.app.asked))
        writer.transport.pause_reading()
        at.app.asked[0].answer(bytes(60_000))
        await at.until_all_ended()


@on_a_loop
async def test_a_request_sent_after_the_last_answer_does_not_cost_that_answer():
    async with listening() as at:
        reader, writer = await at.connect()
        writer.write(post("/held"))
        await at.app.until(lambda: bool(at.app.asked))
        (connection,) = at.connections
        connection.drain()
        at.app.asked[0].answer(bytes(3_000_000))
        writer.write(post("/held", b"2"))
        assert len((await answer_of(reader))[2]) == 3_000_000
        assert await reader.read() == b""


@on_a_loop
async def test_what_was_at_work_for_who_has_left_is_freed_without_the_collector():
    gc.collect()
    gc.disable()
    try:
        async with listening(limits=Limits(body=100)) as at:
            _, writer = await at.connect()
            writer.write(post("/held") * 3)
            await at.app.until(lambda: len(at.app.asked) == 3)
            at.app.asked[1].answer()  # out of turn
            await reset(writer)
            await at.until_all_ended()
            left = [weakref.ref(each) for each in at.app.asked]
            at.app.asked.clear()
            assert [each() for each in left] == [None] * 3
    finally:
        gc.enable()


@on_a_loop
async def test_what_a_refused_head_was_judged_to_be_is_freed_without_the_collector():
    class Judged:
        """Knows its head, as what an application makes of a head does."""

        def __init__(self, head):
            self.head = head

    judged = []

    def admit(head):
        head.judged = Judged(head)
        judged.append(weakref.ref(head.judged))
        at.app._change.set()
        return Response(404) if head.target == "/no" else None

    gc.collect()
    gc.disable()
    try:
        async with listening() as at:
            at.app.admit = admit
            for sent in (post("/no", b"x"), post("/now", b"hello")[:-1]):
                reader, writer = await at.connect()
                writer.write(sent)
                if b"/no " in sent:
                    assert (await answer_of(reader))[0] == 404
                else:
                    await at.app.until(lambda: len(judged) == 2)
                await reset(writer)
            await at.until_all_ended()
            assert [each() for each in judged] == [None, None]
    finally:
        gc.enable()
