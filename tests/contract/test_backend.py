"""What every backend must do, run on each of them."""

import asyncio
from contextlib import asynccontextmanager
from textwrap import dedent

import pytest
from fakes.calls import call_of
from fakes.plans import plan_of
from fakes.told import Told

from wfctl.engine.backend import WorkerId
from wfctl.engine.call import Call, Part
from wfctl.errors import LoadError, WorkerError
from wfctl.spec.model import WorkerSettings

ONE, TWO = WorkerId(1), WorkerId(2)


def inline():
    from wfctl.engine.inline import InlineBackend

    return InlineBackend()


def local():
    from wfctl.engine.local.backend import LocalBackend

    return LocalBackend()


every_backend = pytest.mark.parametrize("make", [inline, local])
backends_with_processes = pytest.mark.parametrize("make", [local])


@pytest.fixture
def write(tmp_path):
    """Return a function that writes nodes (name -> handler text) and returns their plan."""

    def write(_edges: str = "a", startup_timeout_s: float = 60.0, **handlers: str):
        folders = {}
        for name, text in handlers.items():
            folders[name] = tmp_path / name
            folders[name].mkdir()
            (folders[name] / "handler.py").write_text(dedent(text), encoding="utf-8")
        settings = WorkerSettings(batch_size=8)
        return plan_of(_edges, default=settings, folders=folders, startup_timeout_s=startup_timeout_s)

    return write


@asynccontextmanager
async def opened(make, plan):
    backend, told = make(), Told()
    try:
        await backend.open(plan, told)
        yield backend, told
    finally:
        await backend.close()


def call(call_id: int, body: bytes = b"x", **more) -> Call:
    return call_of(call_id, (Part("body", body),), **more)


def ask(make, plan, *calls: Call, node: str = "a"):
    """Start one worker, send one batch, and return the answers in the order of the calls."""

    async def main():
        async with opened(make, plan) as (backend, told):
            await backend.start_worker(node, ONE)
            backend.send_calls(ONE, calls)
            await told.wait_until(lambda: len(told.answers) == len(calls))
            assert told.lost == []
            return [told.answers[each.call_id] for each in calls], told

    return asyncio.run(main())


ECHO = """
def handle(data, context):
    return data and [row["body"] for row in data]
"""


@every_backend
def test_a_worker_starts_and_answers(make, write):
    (answer,), _ = ask(make, write(a=ECHO), call(7, b"hello"))
    assert (answer.body, answer.error, answer.status) == (b"hello", None, 200)
    assert 0 < answer.started_ns <= answer.finished_ns


@every_backend
def test_a_batch_is_one_call_of_the_handler(make, write):
    plan = write(a="def handle(data, context):\n    return data and [f'{len(data)}{row}' for row in range(len(data))]")
    answers, _ = ask(make, plan, call(5), call(3), call(4))
    assert [answer.body for answer in answers] == [b"30", b"31", b"32"]


@every_backend
def test_an_entry_decodes_by_content_type_and_a_leaf_answers_json_when_told(make, write):
    plan = write(a="def handle(data, context):\n    return data and [row['body']['k'] + 'é' for row in data]")
    asked = call_of(1, (Part("body", b'{"k": "v"}', "application/json"),), as_json=True)
    (answer,), _ = ask(make, plan, asked)
    assert answer.body in {b'"v\\u00e9"', '"vé"'.encode()}


@every_backend
def test_a_handler_that_raises_fails_each_call_of_its_batch_with_its_traceback(make, write):
    plan = write(
        a="""
        def handle(data, context):
            if data:
                raise KeyError("lost key")
        """
    )
    answers, _ = ask(make, plan, call(1), call(2))
    for answer in answers:
        assert "KeyError: 'lost key'" in answer.error.traceback_text
        assert not answer.error.is_final


@every_backend
@pytest.mark.parametrize("ending", ["raise SystemExit(3)", "raise KeyError", "raise GeneratorExit"])
def test_a_worker_outlives_whatever_its_handler_raises(make, write, ending):
    plan = write(
        a=f"def handle(data, context):\n    if data and data[0]['body'] == b'end':\n        {ending}\n    return data and [row['body'] for row in data]"
    )

    async def main():
        async with opened(make, plan) as (backend, told):
            await backend.start_worker("a", ONE)
            backend.send_calls(ONE, [call(1, b"end")])
            await told.wait_until(lambda: told.answers)
            backend.send_calls(ONE, [call(2, b"go on")])
            await told.wait_until(lambda: len(told.answers) == 2)
            assert told.answers[1].error is not None
            assert told.answers[2].body == b"go on"

    asyncio.run(main())


@every_backend
@pytest.mark.parametrize("output", ["data[:1]", "data + data", "None", "'text'", "[object(), b'']"])
def test_an_output_that_is_no_answer_fails_the_calls(make, write, output):
    plan = write(a=f"def handle(data, context):\n    return data and {output}")
    answers, _ = ask(make, plan, call(1), call(2))
    assert answers[0].error is not None


@every_backend
def test_a_handlers_own_verdict_is_final(make, write):
    plan = write(
        a="""
        from ts.utils.util import PredictionException
        def handle(data, context):
            if data:
                raise PredictionException("no cat in it", 422)
        """
    )
    (answer,), _ = ask(make, plan, call(1))
    assert (answer.error.message, answer.error.status, answer.error.is_final) == ("no cat in it", 422, True)


@every_backend
def test_payloads_of_20_mb_come_back_as_they_are(make, write):
    body = bytes(range(256)) * 80_000
    answers, _ = ask(make, write(a=ECHO), call(1, body), call(2, b"small"))
    assert answers[0].body == body
    assert answers[1].body == b"small"


@every_backend
def test_what_handlers_print_is_told_by_node_and_line(make, write):
    plan = write(
        a="""
        import sys
        print("loading")
        def handle(data, context):
            if data:
                print("one\\ntwo")
                print("warn", file=sys.stderr)
                return [b""]
        """
    )

    async def main():
        async with opened(make, plan) as (backend, told):
            await backend.start_worker("a", ONE)
            backend.send_calls(ONE, [call(1)])
            await told.wait_until(lambda: told.answers and len(told.lines) == 4)
            assert [line for _, stream, line in told.lines if stream == "stdout"] == ["loading", "one", "two"]
            assert ("a", "stderr", "warn") in told.lines

    asyncio.run(main())


@every_backend
def test_a_load_that_fails_says_where(make, write):
    plan = write(a="import json\nraise OSError('weights are gone')\n")

    async def main():
        async with opened(make, plan) as (backend, told):
            with pytest.raises(LoadError, match="weights are gone") as caught:
                await backend.start_worker("a", ONE)
            assert caught.value.node == "a"
            assert "handler.py" in caught.value.traceback_text
            assert told.lost == []

    asyncio.run(main())


@every_backend
def test_equally_named_modules_of_two_nodes_do_not_meet(make, write, tmp_path):
    text = "import answers\ndef handle(data, context):\n    import late\n    return data and [answers.WORD + late.WORD]"
    plan = write("a > b", a=text, b=text)
    for node in "ab":
        (tmp_path / node / "answers.py").write_text(f"WORD = '{node}'")
        (tmp_path / node / "late.py").write_text(f"WORD = '{node.upper()}'")

    async def main():
        async with opened(make, plan) as (backend, told):
            await backend.start_worker("a", ONE)
            await backend.start_worker("b", TWO)
            for call_id, worker in enumerate([ONE, TWO, ONE, TWO]):
                backend.send_calls(worker, [call(call_id)])
            await told.wait_until(lambda: len(told.answers) == 4)
            assert [told.answers[call_id].body for call_id in range(4)] == [b"aA", b"bB", b"aA", b"bB"]

    asyncio.run(main())


@every_backend
def test_a_handler_works_in_its_own_folder(make, write, tmp_path):
    plan = write(
        a="from pathlib import Path\ndef handle(data, context):\n    return data and [Path('label.txt').read_text()]"
    )
    (tmp_path / "a" / "label.txt").write_text("cat")
    (answer,), _ = ask(make, plan, call(1))
    assert answer.body == b"cat"


@every_backend
def test_a_killed_worker_is_lost_once_and_another_can_take_its_place(make, write):
    async def main():
        async with opened(make, write(a=ECHO)) as (backend, told):
            await backend.start_worker("a", ONE)
            backend.kill_worker(ONE)
            await told.wait_until(lambda: told.lost)
            backend.send_calls(ONE, [call(1)])
            backend.kill_worker(ONE)
            await backend.start_worker("a", TWO)
            backend.send_calls(TWO, [call(2, b"again")])
            await told.wait_until(lambda: told.answers)
            assert [worker for worker, _ in told.lost] == [ONE]
            assert told.answers.keys() == {2}

    asyncio.run(main())


@every_backend
def test_closing_is_quiet_and_may_be_repeated(make, write):
    async def main():
        async with opened(make, write(a=ECHO)) as (backend, told):
            await backend.start_worker("a", ONE)
            await backend.close()
        assert told.lost == []
        await make().close()

    asyncio.run(main())


@backends_with_processes
def test_a_worker_that_dies_in_mid_batch_is_lost_and_answers_nothing(make, write):
    plan = write(a="import os\ndef handle(data, context):\n    data and os._exit(9)")

    async def main():
        async with opened(make, plan) as (backend, told):
            await backend.start_worker("a", ONE)
            backend.send_calls(ONE, [call(1), call(2)])
            await told.wait_until(lambda: told.lost)
            assert told.answers == {}

    asyncio.run(main())


STUCK = """
import signal
def handle(data, context):
    if data:
        print("in", flush=True)
        signal.pause()
"""


@backends_with_processes
def test_a_busy_worker_can_be_killed(make, write):
    async def main():
        async with opened(make, write(a=STUCK)) as (backend, told):
            await backend.start_worker("a", ONE)
            backend.send_calls(ONE, [call(1)])
            await told.wait_until(lambda: told.lines)
            backend.kill_worker(ONE)
            await told.wait_until(lambda: told.lost)

    asyncio.run(main())


@backends_with_processes
def test_closing_does_not_wait_for_a_busy_worker(make, write):
    async def main():
        async with opened(make, write(a=STUCK)) as (backend, told):
            await backend.start_worker("a", ONE)
            backend.send_calls(ONE, [call(1)])
            await told.wait_until(lambda: told.lines)
            async with asyncio.timeout(5):
                await backend.close()
            assert told.lost == []

    asyncio.run(main())


@backends_with_processes
def test_a_load_that_never_ends_is_given_up(make, write):
    async def main():
        plan = write(a="import signal\nsignal.pause()", startup_timeout_s=0.5)
        async with opened(make, plan) as (backend, told):
            with pytest.raises(TimeoutError):
                await backend.start_worker("a", ONE)
            assert told.lost == []

    asyncio.run(main())


@backends_with_processes
def test_a_worker_that_dies_while_loading_does_not_start(make, write):
    async def main():
        async with opened(make, write(a="import os\nos._exit(5)")) as (backend, told):
            with pytest.raises(WorkerError):
                await backend.start_worker("a", ONE)
            assert told.lost == []

    asyncio.run(main())


@every_backend
def test_a_worker_that_is_asked_what_was_measured_goes_on_whether_it_tells_or_not(make, write):
    async def main():
        async with opened(make, write(a=ECHO)) as (backend, told):
            await backend.start_worker("a", ONE)
            assert not backend.ask_metrics(TWO)
            if backend.ask_metrics(ONE):
                await told.wait_until(lambda: told.measured)
                assert told.measured[0][:2] == (ONE, "a")
            assert not backend.ask_metrics(ONE)
            backend.send_calls(ONE, [call(1, b"go on")])
            await told.wait_until(lambda: told.answers)
            assert told.answers[1].body == b"go on"

    asyncio.run(main())
