"""A request to give up reaches everybody once, early or late."""

from wfctl.store.stop import Stop


def test_who_listens_is_told_once() -> None:
    stop, heard = Stop(), []
    with stop.heard_by(lambda: heard.append("a")), stop.heard_by(lambda: heard.append("b")):
        stop.set()
        stop.set()
    assert heard == ["a", "b"]


def test_who_comes_too_late_is_told_too() -> None:
    stop, heard = Stop(), []
    stop.set()
    with stop.heard_by(lambda: heard.append("late")):
        assert heard == ["late"]


def test_who_has_left_is_not_told() -> None:
    stop, heard = Stop(), []
    with stop.heard_by(lambda: heard.append("gone")):
        pass
    stop.set()
    assert heard == []
