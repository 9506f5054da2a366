"""The core under random orders of events: nothing is lost, doubled or swapped, whatever happens when."""

from fakes.plans import plan_of
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from wfctl.engine.backend import WorkerId
from wfctl.engine.call import CallAnswer, CallError, Part
from wfctl.engine.core import events
from wfctl.engine.core.commands import KillWorker, SendBatch, SettleRun, StartWorker
from wfctl.engine.core.invariants import validate
from wfctl.engine.core.outcome import run_result
from wfctl.engine.core.records import CoreState
from wfctl.errors import LoadError
from wfctl.spec.model import WorkerSettings

PLAN = plan_of(
    "a > b > d, a > c > d, c > e",
    {
        "a": WorkerSettings(max_workers=2, max_batch_delay_ms=0),
        "b": WorkerSettings(batch_size=3, max_batch_delay_ms=20, retry_attempts=0, timeout_ms=300),
        "c": WorkerSettings(batch_size=2, max_workers=2, max_batch_delay_ms=5, retry_attempts=2, timeout_ms=100),
        "d": WorkerSettings(batch_size=4, max_batch_delay_ms=0),
        "e": WorkerSettings(max_batch_delay_ms=50, timeout_ms=1000),
    },
    queue_size=12,
)
NODES = {node.name: node for node in PLAN.nodes}


def output(node, parts):
    return f'"{node}({",".join(sorted(f"{name}:{body}" for name, body in parts))})"'.replace('"', "'").encode()


def expected(node, source):
    parents = NODES[node].parents
    if not parents:
        parts = [("body", source)]
    elif len(parents) == 1:
        parts = [("body", expected(parents[0], source).decode())]
    else:
        parts = [(parent, expected(parent, source).decode()) for parent in parents]
    return output(node, parts)


class Histories(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.now = 50.0
        self.state = CoreState(PLAN, lambda: "id")
        self.starting, self.ready, self.killed = [], {}, []
        self.at_workers = {}  # worker -> {call id: the right answer}
        self.open, self.ended, self.cancelled = {}, {}, set()
        self.tries = {}
        self.carry_out(events.opened(self.state))
        self.finish_starts()

    # The world around the core

    def carry_out(self, commands):
        for command in commands:
            match command:
                case SendBatch():
                    self.take(command)
                case SettleRun():
                    self.end(command.run)
                case StartWorker():
                    self.starting.append(command)
                case KillWorker():
                    assert command.worker in self.ready
                    self.killed.append(command.worker)

    def take(self, send):
        node = self.ready[send.worker]
        assert send.worker not in self.killed
        assert 1 <= len(send.calls) <= NODES[node].settings.batch_size
        assert not self.at_workers[send.worker], "one batch at a time"
        for call in send.calls:
            key = (call.run.number, node)
            self.tries[key] = self.tries.get(key, 0) + 1
            assert self.tries[key] <= NODES[node].settings.retry_attempts + 1
            assert call.deadline > self.now
            parts = [(part.name, part.body.decode()) for part in call.parts]
            self.at_workers[send.worker][call.call_id] = output(node, parts)

    def end(self, run):
        number = run.number
        assert number in self.open, "settled twice, or never submitted"
        source = self.open.pop(number)
        self.ended[number] = run
        if run.error is None:
            body = run_result(self.state, run).body
            assert body == b'{"d": %b, "e": %b}' % (expected("d", source), expected("e", source))

    def finish_starts(self):
        while self.starting:
            start = self.starting.pop()
            self.ready[start.worker] = start.node
            self.at_workers[start.worker] = {}
            self.carry_out(events.worker_ready(self.state, start.worker, 1, self.now))

    def answer_all(self, workers):
        for worker in workers:
            answers = [CallAnswer(call_id, body=body) for call_id, body in self.at_workers[worker].items()]
            self.at_workers[worker].clear()
            self.carry_out(events.batch_answered(self.state, WorkerId(worker), answers, self.now))
            validate(self.state, self.now)

    def busy(self):
        return sorted(worker for worker, calls in self.at_workers.items() if calls)

    # What can happen

    @rule(count=st.integers(1, 4), is_slow=st.booleans())
    def submit(self, count, is_slow):
        if not is_slow:
            self.answer_all(self.busy())
        for _ in range(count):
            number = self.state.last_run + 1
            self.open[number] = f"r{number}"
            parts = (Part("body", self.open[number].encode()),)
            _, commands = events.run_submitted(self.state, parts, {}, lambda run: None, self.now)
            self.carry_out(commands)

    @precondition(lambda self: self.starting)
    @rule(data=st.data(), loads=st.sampled_from([True, True, True, False]))
    def end_start(self, data, loads):
        start = self.starting.pop(data.draw(st.integers(0, len(self.starting) - 1)))
        if loads:
            self.ready[start.worker] = start.node
            self.at_workers[start.worker] = {}
            self.carry_out(events.worker_ready(self.state, start.worker, 1, self.now))
        else:
            error = LoadError("no weights", node=start.node)
            self.carry_out(events.worker_failed(self.state, start.worker, error, self.now))

    @precondition(lambda self: self.busy())
    @rule(data=st.data())
    def answer(self, data):
        worker = data.draw(st.sampled_from(self.busy()))
        calls = self.at_workers[worker]
        chosen = data.draw(st.lists(st.sampled_from(sorted(calls)), unique=True, min_size=1))
        answers = []
        for call_id in chosen:
            body = calls.pop(call_id)
            kind = data.draw(st.sampled_from(["good"] * 6 + ["error", "verdict", "status"]))
            answers.append(
                {
                    "good": CallAnswer(call_id, body=body),
                    "error": CallAnswer(call_id, status=500, error=CallError("boom")),
                    "verdict": CallAnswer(call_id, status=400, error=CallError("bad", is_final=True)),
                    "status": CallAnswer(call_id, status=418, body=b"teapot"),
                }[kind]
            )
        self.carry_out(events.batch_answered(self.state, WorkerId(worker), answers, self.now))

    @precondition(lambda self: self.ready)
    @rule(data=st.data(), call_id=st.integers(-1, 5))
    def answer_what_nobody_asked(self, data, call_id):
        worker = data.draw(st.sampled_from(sorted(self.ready)))
        if call_id not in self.at_workers[worker]:
            wrong = [CallAnswer(call_id, body=b"wrong")]
            self.carry_out(events.batch_answered(self.state, WorkerId(worker), wrong, self.now))

    @precondition(lambda self: self.busy())
    @rule(rounds=st.integers(1, 4))
    def work(self, rounds):
        for _ in range(rounds):
            self.answer_all(self.busy())
            self.wait(0.005)

    @precondition(lambda self: self.ready)
    @rule(data=st.data())
    def lose_worker(self, data):
        worker = data.draw(st.sampled_from(self.killed or sorted(self.ready)))
        if worker in self.killed:
            self.killed.remove(worker)
        del self.ready[worker], self.at_workers[worker]
        self.carry_out(events.worker_lost(self.state, WorkerId(worker), "signal 9", self.now))

    @precondition(lambda self: len(self.open) > 2)
    @rule(data=st.data())
    def cancel(self, data):
        number = data.draw(st.sampled_from(sorted(self.open)))
        run = self.state.runs[number]
        del self.open[number]
        self.cancelled.add(number)
        self.carry_out(events.run_cancelled(self.state, run))

    @rule(seconds=st.sampled_from([0.001, 0.005, 0.02, 0.05, 0.3]))
    def wait(self, seconds):
        until = self.now + seconds
        while self.state.wake_at <= until:
            self.now = max(self.now, self.state.wake_at)
            self.carry_out(events.time_passed(self.state, self.now))
            validate(self.state, self.now)
        self.now = until

    @precondition(lambda self: len(self.open) > 3)
    @rule(seconds=st.sampled_from([0.01, 0.1, 1.0]))
    def oversleep(self, seconds):
        self.now += seconds
        self.carry_out(events.time_passed(self.state, self.now))

    @invariant()
    def holds_what_it_promises(self):
        validate(self.state, self.now)
        assert self.state.runs.keys() == self.open.keys()

    def teardown(self):
        """Whatever happened before: with working workers every run comes to its end."""
        for _ in range(1000):
            if not self.open:
                break
            self.finish_starts()
            self.answer_all(self.busy())
            self.wait(0.05)
        assert not self.open, "a run was lost"


Histories.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestHistories = Histories.TestCase
