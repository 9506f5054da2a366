import gc
import threading

import pytest

from wfctl.handlers.context import Context
from wfctl.handlers.micro_batching import MicroBatching


class Handler:
    """Adds a letter in each step, and remembers what it was asked."""

    def __init__(self):
        self.context = None
        self.seen = []
        self.asked = None

    def preprocess(self, data):
        self.seen.append(len(data))
        return [f"{each}p" for each in data]

    def inference(self, data):
        return [f"{each}i" for each in data]

    def postprocess(self, data):
        return [f"{each}o" for each in data]

    def _is_describe(self):
        return self.asked == "describe"

    def _is_explain(self):
        return self.asked == "explain"

    def describe_handle(self):
        return "described"

    def explain_handle(self, ready, raw):
        return ["explained", ready, raw]

    def _infer_with_profiler(self, data):
        return ["profiled", data], None


@pytest.fixture
def context():
    made = Context("m", "/", None, 8)
    made.begin_batch(["a"], [{}])
    return made


def test_pieces_go_through_all_steps_and_come_back_in_order(context):
    handler = Handler()
    batching = MicroBatching(handler, micro_batch_size=2, parallelism={"preprocess": 2, "inference": 3})
    assert batching(list(range(7)), context) == [f"{number}pio" for number in range(7)]
    assert sorted(handler.seen) == [1, 2, 2, 2]
    assert handler.context is context
    assert [each.name for each in context.metrics.reported()] == ["HandlerTime"]
    assert batching([], context) == []
    assert batching.parallelism == {"preprocess": 2, "inference": 3}


def test_steps_run_at_the_same_time(context):
    """The first piece waits in inference until the second is there: with one thread for all it would wait for ever."""
    both_there = threading.Barrier(2, timeout=30)

    class Meeting(Handler):
        def inference(self, data):
            both_there.wait()
            return data

    batching = MicroBatching(Meeting(), parallelism={"inference": 2})
    assert batching([1, 2], context) == ["1po", "2po"]


def test_the_number_of_threads_can_be_changed(context):
    both_there = threading.Barrier(2, timeout=30)

    class Meeting(Handler):
        def postprocess(self, data):
            both_there.wait()
            return data

    batching = MicroBatching(Meeting())
    batching.parallelism = {"postprocess": 2}
    assert batching([1, 2], context) == ["1pi", "2pi"]


def test_a_step_knows_its_piece():
    class Knowing(Handler):
        def postprocess(self, data):
            return [batching.get_micro_batch_idx() for _ in data]

    batching = MicroBatching(Knowing(), 2)
    assert batching.handle(list("abcde")) == [0, 0, 1, 1, 2]
    assert batching.get_micro_batch_idx() is None


@pytest.mark.parametrize("step", ["preprocess", "inference", "postprocess"])
def test_whatever_a_step_raises_reaches_the_caller(step):
    """In the original the thread ends with it, and the caller waits for ever."""
    handler = Handler()

    def fail(data):
        raise KeyError(data[0])

    setattr(handler, step, fail)
    batching = MicroBatching(handler)
    with pytest.raises(KeyError, match="a"):
        batching.handle(["a", "b"])
    setattr(handler, step, lambda data: data)
    assert len(batching.handle(["a", "b"])) == 2


@pytest.mark.parametrize("parallelism", [{"handle": 1}, {"inference": 0}, {"inference": "2"}])
def test_threads_for_no_step_or_no_threads_are_refused(parallelism):
    with pytest.raises(ValueError, match="step"):
        MicroBatching(Handler(), parallelism=parallelism)


def test_a_piece_holds_at_least_one_request():
    with pytest.raises(ValueError, match="micro_batch_size must be at least 1, not 0"):
        MicroBatching(Handler(), 0).handle([1])


def test_explanations_descriptions_and_profiles_are_not_divided(context, monkeypatch):
    handler = Handler()
    batching = MicroBatching(handler)
    handler.asked = "describe"
    assert batching([1], context) == ["described"]
    handler.asked = "explain"
    assert batching([1, 2], context) == ["explained", ["1p", "2p"], [1, 2]]
    monkeypatch.setenv("ENABLE_TORCH_PROFILER", "1")
    assert batching([1], context) == ["profiled", [1]]


def test_no_thread_is_left_when_it_is_shut_down():
    before = set(threading.enumerate())
    batching = MicroBatching(Handler(), parallelism={"inference": 4})
    batching.handle([1, 2, 3])
    started = set(threading.enumerate()) - before
    assert {each.name.partition("_")[0] for each in started} == {"preprocess", "inference", "postprocess"}
    batching.shutdown()
    assert not [each for each in started if each.is_alive()]


def test_the_collector_may_take_it_while_a_lock_of_its_threads_is_held():
    """The collector runs at any allocation, that of a new thread too; the process would stand still there."""
    before = set(threading.enumerate())
    owners = [MicroBatching(Handler())]
    owners[0].handle([1])
    started = set(threading.enumerate()) - before
    lock = owners[0]._pools["inference"]._shutdown_lock

    def forget() -> None:
        with lock:
            owners.clear()
            gc.collect()

    forgetting = threading.Thread(target=forget, daemon=True)
    forgetting.start()
    forgetting.join(timeout=30)
    assert not forgetting.is_alive()
    assert len(started) == 3
    for thread in started:
        thread.join(timeout=30)
        assert not thread.is_alive()
