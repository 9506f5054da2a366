import traceback
from collections.abc import Callable

import pytest

from wfctl.errors import RunError


def shown(function: Callable[[], None]) -> str:
    with pytest.raises((ValueError, KeyError, ExceptionGroup)) as caught:
        function()
    text = "".join(traceback.format_exception(caught.value))
    return str(RunError("Prediction failed", node="m", attempts=1, traceback_text=text))


def raising(raised: Exception) -> Callable[[], None]:
    def function() -> None:
        raise raised

    return function


def with_note(raised: Exception) -> Exception:
    raised.add_note("a note")
    return raised


@pytest.mark.parametrize(
    ("raised", "words"),
    [
        (KeyError("data"), "KeyError: 'data'"),
        (ValueError("what went wrong\nand some advice"), "ValueError: what went wrong"),
        (with_note(ValueError("said")), "ValueError: said"),
        (ExceptionGroup("many", [ValueError("a"), KeyError("b")]), "ExceptionGroup: many (2 sub-exceptions)"),
    ],
    ids=["plain", "lines", "note", "group"],
)
def test_what_a_handler_raised_is_shown_by_the_line_that_says_it(raised, words):
    assert shown(raising(raised)) == f'node "m" failed after 1 attempt: Prediction failed ({words})'


def test_of_several_exceptions_the_one_that_was_raised_at_last_is_shown():
    def function() -> None:
        try:
            {}["first"]
        except KeyError as first:
            raise ValueError("second") from first

    assert shown(function) == 'node "m" failed after 1 attempt: Prediction failed (ValueError: second)'


def test_a_reason_that_is_no_traceback_is_shown_as_it_is():
    error = RunError("Invalid answer", node="m", attempts=2, traceback_text="the handler returned nothing")
    assert str(error) == 'node "m" failed after 2 attempts: Invalid answer (the handler returned nothing)'
    assert str(RunError("gone", node="m", attempts=1, status=404)) == 'node "m" failed after 1 attempt: gone'
