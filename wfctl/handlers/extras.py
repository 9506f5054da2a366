"""What a handler needs beyond torch, and which extra of ours brings it.

Invariant: imports nothing itself; only puts words to an import that failed.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from wfctl.handlers.unloadable import MissingExtraError, UnfitExtraError


@contextmanager
def extra(name: str) -> Iterator[None]:
    """Name the extra to install where a library imported in the block is missing, or does not fit torch."""
    try:
        yield
    except ModuleNotFoundError as missing:
        words = (
            f'the handler needs "{missing.name}", which is not installed; install it by: pip install "wfctl[{name}]"'
        )
        raise MissingExtraError(words, name=missing.name) from missing
    except RuntimeError as reason:
        # What torchvision says where it was built for another torch names an operator, and nothing to do about it.
        words = f'what the handler needs does not load ({reason}); mend it by: pip install --upgrade "wfctl[{name}]"'
        raise UnfitExtraError(words) from reason
