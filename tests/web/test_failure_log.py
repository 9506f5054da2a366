"""What is told of failed runs: each kind with its traceback, and no more than once a second."""

import io

import pytest

from wfctl.errors import DeadlineExceededError, OverloadedError, RunError
from wfctl.web.asked import Asked
from wfctl.web.watch.failure_log import FailureLog
from wfctl.web.watch.logs import ServerLog
from wfctl.web.wire.messages import Fields, Head

TRACE = 'Traceback (most recent call last):\n  File "handler.py", line 3, in f\nValueError: no good'


class Written:
    """A log writer that keeps its lines."""

    def __init__(self):
        from wfctl.web.watch.log_lines import Form, Stamp

        self.form, self.stamp, self.text = Form.TEXT, Stamp(lambda: 0.0), io.StringIO()

    def add(self, line):
        self.text.write(line)


class Failed:
    def __init__(self, error):
        self.error = error


@pytest.fixture
def told():
    written = Written()
    now = [100.0]
    log = FailureLog(ServerLog(written), clock=lambda: now[0])

    def ran(error, *, after=0.0, workflow="flow"):
        now[0] += after
        asked = Asked(Head("POST", "/", 1, Fields({})), "id-1", 0.0)
        asked.workflow = workflow
        log.ran(asked, Failed(error))
        return written.text.getvalue()

    return ran


def failure(node="a", words="ValueError: no good"):
    return RunError(
        "Prediction failed",
        node=node,
        attempts=2,
        status=503,
        traceback_text=TRACE.replace("ValueError: no good", words),
    )


def test_a_failure_is_told_with_its_node_its_request_and_its_traceback(told):
    text = told(failure())
    assert "error run-failed workflow=flow node=a request_id=id-1" in text
    assert "no good" in text.splitlines()[0]
    assert '  |   File "handler.py", line 3, in f' in text


def test_what_fails_again_and_again_is_told_once_a_second_with_how_often(told):
    for _ in range(1000):
        text = told(failure(), after=0.0005)
    assert text.count("run-failed") == 1
    text = told(failure(), after=1)
    assert text.count("run-failed") == 2
    assert "untold=999" in text


def test_other_failures_are_told_meanwhile(told):
    told(failure())
    told(failure(node="b"))
    told(failure(words="KeyError: 'x'"))
    told(failure(), workflow="other")
    assert told(failure()).count("run-failed") == 4


def test_a_refusal_of_the_handlers_own_is_no_failure(told):
    assert not told(RunError("bad", node="a", attempts=1, status=400))
    assert not told(OverloadedError("full"))
    assert not told(None)
    assert "used up" in told(DeadlineExceededError("it used up its 5 ms", node="a", attempts=1))


def test_what_is_remembered_is_bounded(told):
    for number in range(2000):
        told(failure(words=f"ValueError: {number}"))
    assert told(failure(words="ValueError: last")).count("run-failed") == 2001
