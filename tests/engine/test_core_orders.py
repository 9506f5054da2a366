"""The core under random orders of events: nothing is lost, doubled or swapped, whatever happens when."""

from dataclasses import replace
from math import inf

from fakes.plans import plan_of
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from wfctl.engine.backend import WorkerId
from wfctl.engine.call import NO_HEADERS, WITHDRAWN, CallAnswer, CallError, Part, RequestIds
from wfctl.engine.core import changes, events
from wfctl.engine.core.commands import (
    AskProgress,
    KillWorker,
    RetireWorker,
    SendCalls,
    SettleRun,
    StartWorker,
    WithdrawCalls,
)
from wfctl.engine.core.invariants import validate
from wfctl.engine.core.outcome import run_result
from wfctl.engine.core.records import WorkerState
from wfctl.engine.core.state import CoreState
from wfctl.errors import LoadError
from wfctl.spec.model import WorkerSettings

SPREAD = plan_of(
    "a > b > d, a > c > d, c > e",
    {
        "a": WorkerSettings(min_workers=2, max_workers=2, max_batch_delay_ms=0),
        "b": WorkerSettings(batch_size=3, max_batch_delay_ms=20, retry_attempts=0, timeout_ms=300),
        "c": WorkerSettings(batch_size=2, max_workers=3, max_batch_delay_ms=5, retry_attempts=2, timeout_ms=100),
        "d": WorkerSettings(batch_size=4, max_batch_delay_ms=30, max_workers=2),
        "e": WorkerSettings(max_batch_delay_ms=50, timeout_ms=1000),
    },
    queue_size=12,
    idle_s=0.5,
)
SPREAD = replace(SPREAD, nodes=tuple(replace(node, isolates=node.name != "e") for node in SPREAD.nodes))
CHAIN = plan_of(
    "a > b > c > d, b > e",
    {
        "a": WorkerSettings(max_workers=2, max_batch_delay_ms=0, retry_attempts=1),
        "b": WorkerSettings(batch_size=2, max_batch_delay_ms=0, timeout_ms=200),
        "c": WorkerSettings(batch_size=3, max_batch_delay_ms=60, min_workers=2, max_workers=3, timeout_ms=500),
        "d": WorkerSettings(max_batch_delay_ms=0, retry_attempts=0, timeout_ms=50),
        "e": WorkerSettings(batch_size=4, max_batch_delay_ms=100),
    },
    queue_size=12,
    idle_s=0.5,
)
GIVES_UP = {"a": 0.4, "d": 0.0}
CHAIN = replace(CHAIN, nodes=tuple(replace(node, max_retry_timeout_s=GIVES_UP.get(node.name)) for node in CHAIN.nodes))


def output(node, parts):
    return f'"{node}({",".join(sorted(f"{name}:{body}" for name, body in parts))})"'.replace('"', "'").encode()


def expected(nodes, node, source):
    parents = nodes[node].parents
    if not parents:
        parts = [("body", source)]
    elif len(parents) == 1:
        parts = [("body", expected(nodes, parents[0], source).decode())]
    else:
        parts = [(parent, expected(nodes, parent, source).decode()) for parent in parents]
    return output(node, parts)


class Histories(RuleBasedStateMachine):
    plan = SPREAD

    def __init__(self):
        super().__init__()
        self.now = 50.0
        self.nodes = {node.name: node for node in self.plan.nodes}
        self.state = CoreState(self.plan, RequestIds("0" * 32))
        self.starting, self.ready, self.killed = [], {}, []
        self.at_workers = {}  # worker -> its batches, oldest first: number and {call id: the right answer}
        self.open, self.ended, self.cancelled = {}, {}, set()
        self.tries, self.deaths = {}, 0
        self.carry_out(events.opened(self.state))
        self.finish_starts()

    # The world around the core

    def carry_out(self, commands):
        for command in commands:
            match command:
                case SendCalls():
                    self.take(command)
                case SettleRun():
                    self.end(command.run)
                case WithdrawCalls():
                    pass  # heard of when the worker looks up, below
                case AskProgress():
                    batches = self.at_workers[command.worker]
                    running = batches[0][0] if batches else 0
                    self.carry_out(events.progress_told(self.state, command.worker, running, self.now))
                case StartWorker():
                    self.starting.append(command)
                case KillWorker():
                    assert command.worker in self.ready
                    self.killed.append(command.worker)
                case RetireWorker():
                    self.retire(command.worker)
        for send in commands:
            if isinstance(send, SendCalls) and len(self.at_workers.get(send.worker, ())) > 1:
                node = self.ready[send.worker]
                others = [other for other, its in self.ready.items() if its == node and other not in self.killed]
                idle = [other for other in others if not self.at_workers[other]]
                assert not idle, "a second batch while another worker has none"
        for command in commands:
            if isinstance(command, WithdrawCalls):
                self.withdraw(command)

    def retire(self, worker):
        loading = [start for start in self.starting if start.worker == worker]
        if loading:
            self.starting.remove(loading[0])
        else:
            assert not self.at_workers.pop(worker)
            del self.ready[worker]

    def take(self, send):
        node = self.ready[send.worker]
        batches = self.at_workers[send.worker]
        assert send.worker not in self.killed
        for call in send.calls:
            assert call.deadline > self.now
            if not batches or batches[-1][0] != call.batch_id:
                assert not batches or batches[-1][0] < call.batch_id
                batches.append((call.batch_id, {}))
            parts = [(part.name, part.body.decode()) for part in call.parts]
            batches[-1][1][call.call_id] = output(node, parts)
            self.count(node, call)
        assert all(1 <= len(calls) <= self.nodes[node].settings.batch_size for _, calls in batches)
        assert len(batches) == 1 or self.nodes[node].isolates

    def count(self, node, call):
        """Check the budgets: each attempt is sent once, once more alone, and again for each death and withdrawal."""
        assert call.number <= self.nodes[node].settings.retry_attempts + 1
        key = (call.run.number, node, call.number)
        self.tries[key] = self.tries.get(key, 0) + 1
        if not self.nodes[node].isolates:
            assert self.tries[key] == 1, "sent twice what must not be"

    def withdraw(self, command):
        """Say that calls were not begun, unless their batch is the one that runs."""
        ahead = self.at_workers.get(command.worker, [])[1:]
        taken = [each for _, calls in ahead for each in command.call_ids if calls.pop(each, None) is not None]
        answers = [CallAnswer(call_id, WITHDRAWN) for call_id in taken]
        if answers:
            self.at_workers[command.worker] = [each for each in self.at_workers[command.worker] if each[1]]
            self.carry_out(events.calls_answered(self.state, command.worker, answers, self.now))

    def end(self, run):
        number = run.number
        assert number in self.open, "settled twice, or never submitted"
        source = self.open.pop(number)
        self.ended[number] = run
        if run.error is None and run.only is not None:
            assert run_result(self.state, run).body == output(run.only.name, [("body", source)])
        elif run.error is None:
            body = run_result(self.state, run).body
            leaves = tuple(expected(self.nodes, leaf, source) for leaf in "de")
            assert body == b'{"d": %b, "e": %b}' % leaves

    def finish_starts(self):
        while self.starting:
            self.make_ready(self.starting.pop())

    def make_ready(self, start):
        self.ready[start.worker] = start.node
        self.at_workers[start.worker] = []
        self.carry_out(events.worker_ready(self.state, start.worker, 1, self.now))

    def answer_all(self, workers, took_ns=0):
        for worker in workers:
            batches = self.at_workers.get(worker)
            if not batches:
                continue
            _, calls = batches.pop(0)
            now_ns = int(self.now * 1e9)
            times = (now_ns - took_ns, now_ns) if took_ns else (0, 0)
            answers = [CallAnswer(call_id, 200, body, *times) for call_id, body in calls.items()]
            self.carry_out(events.calls_answered(self.state, WorkerId(worker), answers, self.now))
            validate(self.state, self.now)

    def busy(self):
        return sorted(worker for worker, batches in self.at_workers.items() if batches)

    # What can happen

    @rule(count=st.integers(1, 4), is_slow=st.booleans(), data=st.data())
    def submit(self, count, is_slow, data):
        if not is_slow:
            self.answer_all(self.busy())
        for _ in range(count):
            number = self.state.last_run + 1
            self.open[number] = f"r{number}"
            parts = (Part("body", self.open[number].encode()),)
            limit_s = data.draw(st.sampled_from([inf, inf, inf, 0.2]))
            _, commands = events.run_submitted(self.state, parts, NO_HEADERS, lambda run: None, self.now, limit_s)
            self.carry_out(commands)
        self.carry_out(events.turn_ended(self.state, self.now))

    @rule(data=st.data())
    def ask_one_node(self, data):
        node = self.state.by_name[data.draw(st.sampled_from(sorted(self.nodes)))]
        number = self.state.last_run + 1
        self.open[number] = f"r{number}"
        parts = (Part("body", self.open[number].encode()),)
        _, commands = events.run_submitted(self.state, parts, NO_HEADERS, lambda run: None, self.now, only=node)
        self.carry_out(commands)
        self.carry_out(events.turn_ended(self.state, self.now))

    @rule(data=st.data())
    def scale(self, data):
        node = self.state.by_name[data.draw(st.sampled_from(sorted(self.nodes)))]
        least = data.draw(st.integers(0, 3))
        most = data.draw(st.integers(max(1, least), 3))
        self.carry_out(changes.scaled(self.state, node, least, most, self.now))
        killed = sum(each.state is WorkerState.KILLED for each in node.workers.values())
        assert least <= node.staff <= most + killed

    @rule(data=st.data())
    def change_code(self, data):
        self.carry_out(changes.code_changed(self.state, self.state.by_name[data.draw(st.sampled_from("abcde"))]))

    @precondition(lambda self: self.starting)
    @rule(data=st.data(), loads=st.sampled_from([True, True, True, False]))
    def end_start(self, data, loads):
        start = self.starting.pop(data.draw(st.integers(0, len(self.starting) - 1)))
        if loads:
            self.make_ready(start)
        else:
            error = LoadError("no weights", node=start.node)
            self.carry_out(events.worker_failed(self.state, start.worker, error, self.now))

    @precondition(lambda self: self.busy())
    @rule(data=st.data(), took_ns=st.sampled_from([0, 10_000, 300_000, 20_000_000]))
    def answer(self, data, took_ns):
        """Answer some calls of the batch that runs; what is left of it goes on running."""
        worker = data.draw(st.sampled_from(self.busy()))
        _, calls = self.at_workers[worker][0]
        chosen = data.draw(st.lists(st.sampled_from(sorted(calls)), unique=True, min_size=1))
        is_of_batch = data.draw(st.booleans())
        answers = []
        for call_id in chosen:
            body = calls.pop(call_id)
            kind = data.draw(st.sampled_from(["good"] * 6 + ["error", "verdict", "status"]))
            answers.append(
                {
                    "good": CallAnswer(call_id, body=body),
                    "error": CallAnswer(call_id, 500, error=CallError("boom", is_of_batch=is_of_batch)),
                    "verdict": CallAnswer(call_id, 400, error=CallError("bad", is_final=True, is_of_batch=is_of_batch)),
                    "status": CallAnswer(call_id, 418, b"teapot"),
                }[kind]
            )
            if took_ns:
                answers[-1].finished_ns = int(self.now * 1e9)
                answers[-1].started_ns = answers[-1].finished_ns - took_ns
        if not calls:
            self.at_workers[worker].pop(0)
        self.carry_out(events.calls_answered(self.state, WorkerId(worker), answers, self.now))

    @precondition(lambda self: self.ready)
    @rule(data=st.data(), call_id=st.integers(-1, 5), status=st.sampled_from([200, WITHDRAWN]))
    def answer_what_nobody_asked(self, data, call_id, status):
        worker = data.draw(st.sampled_from(sorted(self.ready)))
        if all(call_id not in calls for _, calls in self.at_workers[worker]):
            wrong = [CallAnswer(call_id, status, b"wrong")]
            self.carry_out(events.calls_answered(self.state, WorkerId(worker), wrong, self.now))

    @precondition(lambda self: self.busy())
    @rule(rounds=st.integers(1, 4), took_ns=st.sampled_from([0, 10_000, 2_000_000]))
    def work(self, rounds, took_ns):
        for _ in range(rounds):
            self.answer_all(self.busy(), took_ns)
            self.wait(0.005)

    @precondition(lambda self: self.ready)
    @rule(data=st.data(), is_known=st.booleans())
    def lose_worker(self, data, is_known):
        worker = data.draw(st.sampled_from(self.killed or sorted(self.ready)))
        if worker in self.killed:
            self.killed.remove(worker)
        del self.ready[worker]
        batches = self.at_workers.pop(worker)
        running = data.draw(st.sampled_from([0, *(number for number, _ in batches[:1])])) if is_known else None
        self.carry_out(events.worker_lost(self.state, WorkerId(worker), "signal 9", self.now, running))

    @precondition(lambda self: len(self.open) > 2)
    @rule(data=st.data())
    def cancel(self, data):
        number = data.draw(st.sampled_from(sorted(self.open)))
        run = self.state.runs[number]
        del self.open[number]
        self.cancelled.add(number)
        self.carry_out(events.run_cancelled(self.state, run, self.now))

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
            for worker in tuple(self.killed):
                self.killed.remove(worker)
                del self.ready[worker], self.at_workers[worker]
                self.carry_out(events.worker_lost(self.state, WorkerId(worker), "killed", self.now))
            if not self.open:
                break
            self.finish_starts()
            self.answer_all(self.busy())
            self.wait(0.05)
        assert not self.open, "a run was lost"


class ChainHistories(Histories):
    """The same where nodes hand all they give to one child, and are given up when they do not load."""

    plan = CHAIN


for machine in (Histories, ChainHistories):
    machine.TestCase.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
TestHistories = Histories.TestCase
TestChainHistories = ChainHistories.TestCase
