"""One worker process that is asked batch by batch, and is replaced when it is gone."""

import asyncio
import json
from dataclasses import replace
from textwrap import dedent

import pytest
from fakes.plans import plan_of

from wfctl.cluster.desk import Desk
from wfctl.engine.call import Call, Part, RequestIds, random_digits
from wfctl.engine.local.backend import LocalBackend
from wfctl.errors import LoadError
from wfctl.spec.model import WorkerSettings

SETTINGS = WorkerSettings(batch_size=4, max_batch_delay_ms=0, retry_attempts=1, timeout_ms=60_000)
ECHO = """
def handle(data, context):
    if data is None: return
    with open("log", "a") as log: log.write(f"{len(data)}\\n")
    values = [row["body"] for row in data]
    if "raise" in values: raise ValueError("as asked")
    if "die" in values: os._exit(1)
    if "once" in values and not os.path.exists("was-there"):
        open("was-there", "w").close()
        os._exit(1)
    if "hang" in values: threading.Event().wait()
    print("batch of", len(data))
    return [[len(data), value] for value in values]
"""


@pytest.fixture
def asked(tmp_path):
    """Return a function that gives one batch to a desk: what came of each call, what was printed, sizes of batches."""

    def asked(*values, settings=SETTINGS, handler=ECHO, left=10, at_once=1, **node):
        (tmp_path / "handler.py").write_text("import os, threading\n" + dedent(handler))
        plan = plan_of("a", default=settings, folders={"a": tmp_path}, startup_timeout_s=60.0)
        plan = replace(plan, nodes=(replace(plan.nodes[0], **node),))
        printed = []

        async def main():
            desk = Desk(plan, plan.nodes[0], LocalBackend(), lambda *line: printed.append(line))
            try:
                await desk.open()
                ids = RequestIds(random_digits())
                calls = [
                    Call(at, (Part("body", json.dumps(value).encode(), "application/json"),), ids)
                    for at, value in enumerate(values)
                ]
                settled, size = [], max(settings.batch_size, at_once)
                for at in range(0, len(calls), size):
                    settled += await desk.answer(calls[at : at + size], [left] * size)
                await asyncio.sleep(0)
                return settled
            finally:
                await desk.close()

        settled = asyncio.run(main())
        found = [each.failure or json.loads(bytes(each.told.answer.body)) for each in settled]
        log = tmp_path / "log"
        sizes = [int(line) for line in log.read_text().split()] if log.exists() else []
        return settled, found, printed, sizes

    return asked


def test_calls_that_are_settled_together_are_one_batch(asked):
    settled, found, printed, sizes = asked(1, 2, 3)
    assert found == [[3, 1], [3, 2], [3, 3]]
    assert printed == [("a", "stdout", "batch of 3")]
    assert (sizes, [each.number for each in settled]) == ([3], [1, 1, 1])


def test_of_a_batch_that_raises_only_the_bad_call_fails_after_its_attempts(asked):
    settled, found, _, sizes = asked(1, "raise", 3)
    assert (found[0], found[2]) == ([1, 1], [1, 3])
    assert (found[1].node, found[1].attempts, "as asked" in found[1].traceback_text) == ("a", 2, True)
    assert sizes == [3, 1, 1, 1, 1]
    assert [each.retries for each in settled] == [0, 1, 0]


def test_a_run_that_has_no_retries_left_has_none(asked):
    settled, found, _, sizes = asked("raise", left=0)
    assert (found[0].attempts, sizes, settled[0].retries) == (1, [1], 0)


def test_a_call_that_kills_its_worker_fails_and_takes_no_other_with_it(asked):
    _, found, _, _ = asked(1, "die", 3)
    assert (found[0], found[2]) == ([1, 1], [1, 3])
    assert "died 3 times" in found[1].message


def test_a_worker_that_dies_once_is_replaced(asked):
    _, found, _, _ = asked(1, "once", 3)
    assert found == [[1, 1], [1, "once"], [1, 3]]


def test_what_may_not_be_sent_again_is_not(asked):
    _, found, _, sizes = asked(1, "die", 3, isolates=False)
    assert ["worker died" in each.message for each in found] == [True] * 3
    assert sizes == [3]


def test_a_call_that_never_ends_fails_by_its_time_and_the_others_go_on(asked):
    _, found, _, _ = asked("hang", 2, settings=replace(SETTINGS, timeout_ms=2000, retry_attempts=0, batch_size=1))
    hung = found[0]
    assert (hung.kind, hung.status, "used up its 2000 ms" in hung.message) == ("deadline", 504, True)


@pytest.mark.parametrize(("size", "retries"), [(1, 0), (1, 1), (2, 1), (4, 1)])
def test_one_that_hangs_is_not_the_end_of_those_behind_it(asked, size, retries):
    settings = replace(SETTINGS, timeout_ms=1500, retry_attempts=retries, batch_size=size)
    _, found, _, _ = asked("hang", 2, 3, settings=settings)
    assert found[0].kind == "deadline"
    assert [isinstance(each, list) and each[1] for each in found[1:]] == [2, 3], found


def test_a_node_that_does_not_load_says_so(asked):
    with pytest.raises(LoadError, match="no such weights"):
        asked(1, handler="raise OSError('no such weights')")
