"""What a handler needs beyond torch, and which extra of ours brings it.

Invariant: imports none of them; only puts words to an import that failed, or would.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from wfctl.handlers.unloadable import MissingExtraError, UnfitExtraError

EXTRA_OF: Final = {"PIL": "vision", "torchvision": "vision", "onnxruntime": "onnx", "captum": "explain", "ray": "ray"}
"""Import name -> our extra that brings it."""


def command_for(name: str, *, renews: bool = False) -> str:
    """Return what installs an extra; ``renews`` brings it to the version that fits."""
    return f'pip install {"--upgrade " if renews else ""}"wfctl[{name}]"'


@contextmanager
def extra(name: str) -> Iterator[None]:
    """Name the extra to install where a library imported in the block is missing, or does not fit torch."""
    try:
        yield
    except ModuleNotFoundError as missing:
        words = f'the handler needs "{missing.name}", which is not installed; install it by: {command_for(name)}'
        raise MissingExtraError(words, name=missing.name) from missing
    except RuntimeError as reason:
        # What torchvision says where it was built for another torch names an operator, and nothing to do about it.
        words = f"what the handler needs does not load ({reason}); mend it by: {command_for(name, renews=True)}"
        raise UnfitExtraError(words) from reason
