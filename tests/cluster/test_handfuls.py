"""How inputs are cut into pieces of work."""

import threading

from fakes.plans import plan_of

from wfctl.cluster.handfuls import Handfuls
from wfctl.cluster.passing import Answered, Failure, Passed, Step
from wfctl.cluster.rows import Row, from_bytes, stages_of, to_bytes
from wfctl.cluster.sources import InPlace
from wfctl.cluster.tallies import Staffing, Tallies
from wfctl.engine.call import Part
from wfctl.spec.model import WorkerSettings

PLAN = plan_of("a > b, a > c, b > d, c > d", {"b": WorkerSettings(batch_size=8, max_batch_delay_ms=0)})


def step(node, *, batch=1, took_ns=10**6, **more):
    told = {"number": 1, "resent": 0, **more}
    times = {"arrived_ns": 0, "started_ns": 0, "finished_ns": took_ns, "left_ns": took_ns}
    return Step(node=node, batch=batch, **told, **times)


def inputs(count, size=1):
    for at in range(0, count, 64):
        yield [(number, (Part("body", bytes(size)),)) for number in range(at + 1, min(at + 64, count) + 1)]


def test_pieces_hold_whole_batches_and_as_many_as_keep_a_node_busy_for_a_moment():
    tallies = Tallies(PLAN)
    handfuls = Handfuls(PLAN, tallies)
    assert handfuls.size() == 32
    tallies.note([step("b", batch=8, took_ns=8 * 10**7)], None)  # 10 ms an input
    assert handfuls.size() == 48
    tallies.note([step("a", took_ns=10 * 10**9)], None)  # slower than anything should be
    assert handfuls.size() == 8


def through(handfuls, pieces):
    """Take pieces out as if each came through at once."""
    for piece in pieces:
        handfuls.came_through(1)
        yield piece


def test_every_input_is_in_one_piece_in_order_and_large_ones_make_small_pieces():
    handfuls = Handfuls(PLAN, Tallies(PLAN))
    pieces = [rows for rows in through(handfuls, handfuls.of(inputs(1000))) if rows]
    assert [row.number for rows in pieces for row in rows] == list(range(1, 1001))
    assert {len(rows) for rows in pieces} <= {32, 8}
    large = [rows for rows in through(handfuls, handfuls.of(inputs(20, size=2**20))) if rows]
    assert [len(rows) for rows in large] == [4] * 5


class Watched(Handfuls):
    """Says when it waits for room."""

    def __init__(self, *words):
        super().__init__(*words)
        self.waits = threading.Event()

    def _has_room(self):
        has_room = super()._has_room()
        if not has_room:
            self.waits.set()
        return has_room


def given_before_it_waits(tallies, count, size):
    """Return how many pieces are given out while none comes through."""
    handfuls, given = Watched(PLAN, tallies), []
    thread = threading.Thread(target=lambda: given.extend(handfuls.of(inputs(count, size))))
    thread.start()
    assert handfuls.waits.wait(20)
    found = len(given)
    handfuls.end()
    thread.join()
    assert sum(map(len, given)) == count
    return found


def test_what_is_there_is_given_out_at_once_while_nothing_is_on_its_way():
    handfuls = Handfuls(PLAN, Tallies(PLAN))
    given = handfuls.of([(number, (Part("body", b"x"),))] for number in range(1, 10))
    assert [row.number for row in next(given)] == [1]
    assert next(given) == []  # behind which Ray Data hands the first on
    handfuls.came_through(1)
    assert [row.number for row in next(given)] == [2]


def test_few_pieces_are_given_out_before_anything_is_known():
    assert given_before_it_waits(Tallies(PLAN), 10_000, 1) == 8


def test_what_is_on_its_way_is_bounded_in_bytes():
    tallies = Tallies(PLAN)
    tallies.note([step("a", took_ns=1000)], None)
    assert given_before_it_waits(tallies, 200, 2**20) == 16


def test_rows_and_what_was_printed_come_through_as_they_are():
    passed = Passed(Answered(b"x", 200, None, {"k": "v"}), (step("a"),))
    failed = Passed(None, (), Failure("b", 2, "no"))
    text = to_bytes([Row(7, (Part("body", b"in", "text/plain"),), {"a": passed, "b": failed})], [("a", "stdout", "hi")])
    (row,), printed = from_bytes(text)
    assert (row.number, row.parts[0].body, row.passed, printed) == (
        7,
        b"in",
        {"a": passed, "b": failed},
        [("a", "stdout", "hi")],
    )


def test_a_value_goes_on_only_as_far_as_somebody_wants_it():
    stages = stages_of(PLAN, InPlace(), 10, ())
    assert [(each.node.name, each.drops, each.drops_parts) for each in stages] == [
        ("a", (), True),
        ("b", (), False),
        ("c", ("a",), False),
        ("d", ("b", "c"), False),
    ]


def test_what_nodes_did_is_added_up():
    tallies = Tallies(PLAN)
    for _ in range(8):
        tallies.note([step("a"), step("b", batch=8, resent=1)], None)
    tallies.note([step("a"), step("b", batch=1)], "b")
    found = {each.node: each for each in tallies.statistics(PLAN, {"a": Staffing((4, 5), running=1)})}
    assert (found["a"].done, found["a"].batches, found["a"].worker_pids, found["a"].running) == (9, 9, (4, 5), 1)
    assert (found["b"].done, found["b"].failed, found["b"].batches, found["b"].retried) == (8, 1, 2, 8)
    assert found["b"].starting == 1
