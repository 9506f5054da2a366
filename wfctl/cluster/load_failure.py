"""Why a node did not load, through Ray: which keeps of an exception in a constructor no more than its text."""

import json
import traceback
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import contextmanager

from wfctl.errors import LoadError, WfctlError

_MARK = "wfctl-load-failure:"
_LONGEST = 8000
"""Characters of a traceback; its end says most."""


class LoadFailure(Exception):  # noqa: N818 - what people find in Ray's own logs
    """Stands for a ``LoadError`` in another process; made by ``load_failure``."""


def load_failure(error: LoadError) -> LoadFailure:
    """Return what to raise on Ray for a node that did not load."""
    text = (error.traceback_text or "")[-_LONGEST:] or None
    told = json.dumps([error.node, error.message, text, error.hint])
    return LoadFailure(f"{_MARK}{b64encode(told.encode()).decode()}:")


@contextmanager
def told_through_ray(node: str) -> Iterator[None]:
    """Have whatever is raised in the block come through as the reason why ``node`` did not load.

    User code may raise anything while it loads, ``sys.exit`` included, and each of them is to be told.
    """
    try:
        yield
    except LoadError as error:
        raise load_failure(error) from None
    except WfctlError as error:
        told = LoadError(f'node "{node}" failed to load: {error.message}', node=node, hint=error.hint)
        raise load_failure(told) from None
    except BaseException as reason:  # noqa: BLE001
        message = f'node "{node}" failed to load: {type(reason).__name__}: {reason}'
        raise load_failure(LoadError(message, node=node, traceback_text=traceback.format_exc())) from None


def read_load_failure(text: str) -> LoadError | None:
    """Return what was raised so, found in what Ray says of it."""
    at = text.find(_MARK)
    end = text.find(":", at + len(_MARK))
    if at < 0 or end < 0:
        return None
    node, message, traceback_text, hint = json.loads(b64decode(text[at + len(_MARK) : end]))
    return LoadError(message, node=node, traceback_text=traceback_text, hint=hint)
