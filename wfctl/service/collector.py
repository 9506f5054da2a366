"""How often a process that only hands on runs looks for circular garbage.

Invariant: for processes without user code; what a handler leaves in a circle may be large, and must not wait.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_YOUNG = 20_000
"""Objects that may be new before it is looked: more than the runs in flight are made of."""


@contextmanager
def collecting_seldom() -> Iterator[None]:
    """Look seldom, and not at what is there already.

    Runs in flight are a thousand young objects that are no garbage, and that the usual threshold of 700 has looked at
    all the time, for a tenth of the engine's; the engine makes no circles.
    """
    usual = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(_YOUNG, *usual[1:])
    try:
        yield
    finally:
        gc.set_threshold(*usual)
        gc.unfreeze()
