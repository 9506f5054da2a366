"""Runs in flight are no garbage, and are not looked at all the time."""

import gc

from wfctl.service.own_process import only_handing_on


def collections_while(made: int) -> int:
    """Return how often the collector looked while so many containers came to be and stayed."""
    looked = []
    gc.callbacks.append(lambda phase, _: looked.append(phase))
    try:
        kept = [[number] for number in range(made)]
    finally:
        gc.callbacks.pop()
    assert len(kept) == made
    return looked.count("start")


def test_a_thousand_objects_in_flight_are_not_looked_at_and_afterwards_all_is_as_before():
    before = gc.get_threshold(), gc.get_freeze_count()
    assert collections_while(5_000) > 3
    with only_handing_on():
        assert collections_while(5_000) == 0
        assert collections_while(50_000) > 0, "circles of others are still found"
    assert (gc.get_threshold(), gc.get_freeze_count()) == before
