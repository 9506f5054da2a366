"""One bad request among good ones, in real workers: it fails alone, and answers never change places (T55, T56)."""

import asyncio
import random
from collections import Counter
from contextlib import AsyncExitStack

import pytest
from fakes.faults import JOIN, LETTER, Crowd, ask, new_id, opened, write_flow
from fakes.loops import on_a_loop
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wfctl.engine.call import Part
from wfctl.errors import DeadlineExceededError, RunError, WfctlError
from wfctl.spec.model import WorkerSettings

BATCHED = {"batch_size": 8, "max_batch_delay_ms": 20, "retry_attempts": 0, "timeout_ms": 60_000}

POISONS = {
    "raises": "raise ValueError('bad picture')",
    "exits": "sys.exit(1)",
    "answers too much": "answers.append(b'')",
    "kills its worker": "os.kill(os.getpid(), 9)",
    "cannot be sent": "answers[answers.index(answer)] = object()",
}


@on_a_loop
@pytest.mark.parametrize("poison", POISONS.values(), ids=POISONS)
@pytest.mark.parametrize("retry_attempts", [0, 1])
async def test_t56_a_poison_item_fails_alone_and_its_batch_is_answered(tmp_path, poison, retry_attempts):
    plan = write_flow(tmp_path, "a > b", WorkerSettings(**BATCHED | {"retry_attempts": retry_attempts}))
    async with opened(plan) as engine:
        answers = await asyncio.gather(*(ask(engine, poison if number == 5 else "") for number in range(8)))
        assert [number for number, answer in enumerate(answers) if not isinstance(answer, bytes)] == [5]
        assert isinstance(answers[5], RunError)


@on_a_loop
async def test_t56_a_refusal_in_a_batch_is_the_refused_ones_only(tmp_path):
    refuses = "from ts.utils.util import PredictionException\nif 'BAD' in answer.decode(): raise PredictionException('no cat in it', 422)\n# {}"
    async with opened(write_flow(tmp_path, "a > b", WorkerSettings(**BATCHED))) as engine:
        good = refuses.replace("'BAD'", "'B' 'A' 'D'")
        answers = await asyncio.gather(
            *(ask(engine, good.format("BAD" if number in {2, 3} else "")) for number in range(8))
        )
        for number, answer in enumerate(answers):
            if number in {2, 3}:
                assert (answer.message, answer.status, answer.attempts) == ("no cat in it", 422, 1)
            else:
                assert isinstance(answer, bytes)


@on_a_loop
async def test_t56_a_request_that_blocks_fails_and_its_batch_is_answered_by_other_workers(tmp_path):
    # Three: its second try blocks a second one.
    settings = WorkerSettings(**BATCHED | {"timeout_ms": 500, "retry_attempts": 1}, min_workers=3, max_workers=3)
    async with opened(write_flow(tmp_path, "a > b", {"a": settings})) as engine:
        answers = await asyncio.gather(*(ask(engine, "signal.pause()" if number == 5 else "") for number in range(8)))
        assert [number for number, answer in enumerate(answers) if not isinstance(answer, bytes)] == [5]
        assert isinstance(answers[5], DeadlineExceededError)


KINDS = {
    "sound": "",
    "slow": "time.sleep(0.002)",
    "raising": "raise ValueError",
    "short": "answers.pop()",
    "large": "answers[answers.index(answer)] = answer.ljust(300_000, b'#')",
    # Its worker dies, once; at the second try all is well.
    "deadly": "mark = answer[:32]\nif not os.path.exists(mark): os.mkdir(mark); os._exit(1)",
}
FAILS = {"raising", "short"}


@pytest.fixture(scope="module")
def diamond(tmp_path_factory):
    """Return a runner and an engine that stay open for all examples."""
    patient = {"retry_attempts": 0, "timeout_ms": 60_000}
    by_node = {
        "a": WorkerSettings(batch_size=3, max_batch_delay_ms=3, min_workers=2, max_workers=2, **patient),
        "b": WorkerSettings(batch_size=5, max_batch_delay_ms=2, **patient),
        "c": WorkerSettings(max_batch_delay_ms=0, min_workers=2, max_workers=2, **patient),
        "d": WorkerSettings(batch_size=2, max_batch_delay_ms=1, **patient),
    }
    handlers = {"b": LETTER.replace("{name}", "b"), "c": LETTER.replace("{name}", "c"), "d": JOIN}
    plan = write_flow(tmp_path_factory.mktemp("diamond"), "a > b > d, a > c > d", by_node, handlers)
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        yield runner, runner.run(stack.enter_async_context(opened(plan)))
        runner.run(stack.aclose())


requests = st.lists(
    st.tuples(st.sampled_from([*KINDS, *["sound"] * 12, *["raising"] * 2]), st.booleans()), min_size=15, max_size=60
)


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)
@given(burst=requests)
def test_t56_answers_never_swap_between_requests(diamond, burst):
    runner, engine = diamond

    async def one(kind: str, leaves: bool):
        name = new_id()
        given = f"{name} {KINDS[kind]}".encode()
        run = asyncio.create_task(engine.run((Part("body", given),)))
        if leaves:
            await asyncio.sleep(0)
            run.cancel()
        try:
            answer = (await run).body
        except asyncio.CancelledError:
            assert leaves
        except WfctlError:
            assert kind in FAILS
        else:
            assert kind not in FAILS
            whole = given.ljust(300_000, b"#") if kind == "large" else given
            assert answer == b"|".join((b"b" + whole, b"c" + whole))

    async def all_at_once():
        before = engine.settled.total()
        await asyncio.gather(*(one(*each) for each in burst))
        assert engine.settled.total() - before <= len(burst)
        assert engine.settled.most() <= 1
        assert engine.statistics().runs == 0

    runner.run(all_at_once())


FAILS_THRICE = """
tries = {}
def handle(data, context):
    if data is None:
        return None
    name = bytes(data[0]["body"])
    tries[name] = tries.get(name, 0) + 1
    print("tried", flush=True)
    if tries[name] <= 3:
        raise OSError("not yet")
    return [name]
"""


@on_a_loop
async def test_t55_retries_in_a_deep_chain_have_one_budget_for_the_request(tmp_path):
    names = "abcdefghij"
    settings = WorkerSettings(max_batch_delay_ms=0, retry_attempts=10, timeout_ms=60_000)
    plan = write_flow(tmp_path, " > ".join(names), settings, dict.fromkeys(names, FAILS_THRICE))
    async with opened(plan) as engine:
        errors = await asyncio.gather(*(ask(engine) for _ in range(5)))
        # Three retries in each of three nodes, one in the fourth, where the ten are used up.
        assert [(error.node, error.attempts) for error in errors] == [("d", 2)] * 5
        await engine.heard.until(lambda lines: len(lines) >= 5 * 14)
        assert len(engine.heard.lines) == 5 * 14
        assert sum(node.retried for node in engine.statistics().nodes) == 5 * 10


@on_a_loop
async def test_t55_deaths_in_a_deep_chain_end_as_well(tmp_path):
    names = "abcde"
    dies = (
        "import os\ndef handle(data, context):\n    if data:\n        print('tried', flush=True)\n        os._exit(1)"
    )
    settings = WorkerSettings(max_batch_delay_ms=0, retry_attempts=10, timeout_ms=60_000)
    async with opened(write_flow(tmp_path, " > ".join(names), settings, {"e": dies})) as engine:
        error = await ask(engine)
        assert (error.node, error.attempts) == ("e", 1)
        assert engine.heard.lines == ["tried"] * 3


@on_a_loop
async def test_five_per_cent_of_poison_under_load_takes_nobody_with_it(tmp_path):
    chance = random.Random(815)
    poisons = [POISONS["raises"]] * 6 + [POISONS["exits"], POISONS["answers too much"], POISONS["cannot be sent"]]
    codes = [chance.choice(poisons) if chance.random() < 0.05 else "" for _ in range(3000)]
    settings = {"a": WorkerSettings(**BATCHED | {"max_batch_delay_ms": 2}, min_workers=2, max_workers=2)}
    async with opened(write_flow(tmp_path, "a > b", settings)) as engine:
        crowd = Crowd(engine, codes, lambda given, answer: given == answer)
        await crowd.run(40)
        assert crowd.errors == Counter(code for code in codes if code)
