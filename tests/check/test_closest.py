"""What counts as a slip of the fingers, and is mended without asking."""

import pytest

from wfctl.check.closest import closest, is_slip


@pytest.mark.parametrize(
    ("word", "meant"),
    [("postprocesing", "postprocessing"), ("anwser", "answer"), ("prepaer", "prepare"), ("asnwer", "answer")],
)
def test_a_letter_too_few_or_two_that_changed_places_is_a_slip(word: str, meant: str) -> None:
    assert is_slip(word, meant)


@pytest.mark.parametrize(("word", "meant"), [("m1", "m2"), ("m12", "m21"), ("stage1", "stage2"), ("wander", "answer")])
def test_names_that_may_both_be_meant_are_none(word: str, meant: str) -> None:
    assert not is_slip(word, meant)


def test_one_slip_leaves_no_doubt_and_two_leave_both() -> None:
    assert closest("postprocesing", ["pre_processing", "postprocessing"]) == ("postprocessing",)
    assert set(closest("proces", ["process", "procesx", "unlike"])) == {"process", "procesx"}
