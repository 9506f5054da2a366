"""What a process does for itself that has nothing to do but to hand on runs.

Invariant: for processes without user code; what a handler leaves in a circle may be large, and must not wait.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

from wfctl.engine.worker.surroundings import keep_memory

_YOUNG = 20_000
"""Objects that may be new before it is looked: more than the runs in flight are made of."""


@contextmanager
def only_handing_on() -> Iterator[None]:
    """Keep what is freed, look seldom for circular garbage, and not at what is there already.

    Runs in flight are a thousand young objects that are no garbage, and that the usual threshold of 700 has looked at
    all the time, for a tenth of the engine's; the engine makes no circles. The allocator stays as it is made.
    """
    usual = gc.get_threshold()
    keep_memory()
    gc.freeze()
    gc.set_threshold(_YOUNG, *usual[1:])
    try:
        yield
    finally:
        gc.set_threshold(*usual)
        gc.unfreeze()
