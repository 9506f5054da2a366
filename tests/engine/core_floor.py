"""A core in the hands of a test: events go in, commands come out, and the invariants are checked each time."""

from math import inf

from fakes.plans import plan_of

from wfctl.engine.call import NO_HEADERS, CallAnswer, CallError, Part, RequestIds
from wfctl.engine.core import changes, events
from wfctl.engine.core.invariants import validate
from wfctl.engine.core.state import CoreState
from wfctl.spec.model import WorkerSettings

BODY = (Part("body", b"x"),)


class Floor:
    """A core with ready workers; ``tell`` applies an event and checks the invariants."""

    def __init__(
        self, edges="a", *, ready=True, plan=None, is_adaptive=False, queue_size=1000, idle_s=60.0, **settings
    ):
        settings = {"max_batch_delay_ms": 0, "min_workers": settings.get("max_workers", 1)} | settings
        more = {"queue_size": queue_size, "idle_s": idle_s, "is_adaptive": is_adaptive}
        self.plan = plan or plan_of(edges, default=WorkerSettings(**settings), **more)
        self.state = CoreState(self.plan, RequestIds("0" * 32))
        self.now = 100.0
        self.settled = []
        starts = events.opened(self.state)
        if ready:
            for start in starts:
                self.tell(events.worker_ready, start.worker, 1)

    def tell(self, event, *details, **more):
        timed = event not in {events.closing_began, changes.code_changed}
        commands = event(self.state, *details, *((self.now,) if timed else ()), **more)
        validate(self.state, self.now)
        return commands

    def submit(self, count=1, limit_s=inf):
        """Submit runs that come in one turn of the loop; returns the last and what follows."""
        commands = []
        for _ in range(count):
            run, more = events.run_submitted(self.state, BODY, NO_HEADERS, self.settled.append, self.now, limit_s)
            commands += more
        return run, commands + self.tell(events.turn_ended)

    def answer(self, command, **fields):
        return self.tell(
            events.calls_answered, command.worker, [CallAnswer(call.call_id, **fields) for call in command.calls]
        )

    def took(self, command, seconds, **fields):
        """Answer calls whose handler took so long each."""
        self.now += seconds
        times = {"started_ns": int((self.now - seconds) * 1e9), "finished_ns": int(self.now * 1e9)}
        return self.answer(command, **times, **fields)

    def worker(self, command):
        return self.state.workers[command.worker]

    def wake(self):
        """Let the clock run to the next moment that matters."""
        assert self.state.wake_at < inf
        self.now = self.state.wake_at
        return self.tell(events.time_passed)

    def node(self, name="a"):
        return next(node for node in self.state.nodes if node.name == name)

    def fail(self, command, message="boom", **details):
        """Answer all calls of a command as a handler does that raises."""
        error = CallError(message, is_of_batch=True, **details)
        return self.answer(command, status=500, error=error)


def kinds(commands):
    return [type(command).__name__ for command in commands]
