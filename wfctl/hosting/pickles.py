"""Whether user code's own ``torch.load`` may read whole pickles, as it could when most handlers were written.

Since torch 2.6 ``torch.load`` reads tensors only unless it is told otherwise; old handlers do not tell it. For trusted
archives torch is told by its environment variable. Invariant: what the user set stands, and a call that says
``weights_only`` itself is never changed.
"""

import os
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager

_ALLOW = "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"
_FORBID = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"


def pickle_settings(*, is_trusted: bool, environ: Mapping[str, str]) -> dict[str, str]:
    """Return what is to be added to the environment of a node's code."""
    if not is_trusted or _ALLOW in environ or _FORBID in environ:
        return {}
    return {_ALLOW: "1"}


def allow_own_pickles(*, is_trusted: bool, environ: MutableMapping[str, str] = os.environ) -> None:
    """Set it for good, in a process that serves one node."""
    environ.update(pickle_settings(is_trusted=is_trusted, environ=environ))


@contextmanager
def own_pickles_allowed(*, is_trusted: bool, environ: MutableMapping[str, str] = os.environ) -> Iterator[None]:
    """Set it while the block runs, in a process that serves others too; what the block sets itself stays."""
    added = pickle_settings(is_trusted=is_trusted, environ=environ)
    environ.update(added)
    try:
        yield
    finally:
        for name, value in added.items():
            if environ.get(name) == value:
                del environ[name]
