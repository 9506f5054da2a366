"""A handler's exception as a verdict about its calls, with the traceback that its author wants to see.

Invariant: the message is what a remote client may read; code and paths of the handler are in the traceback only.
"""

import traceback
from collections.abc import Sequence
from pathlib import Path

from wfctl.engine.call import CallAnswer, CallError
from wfctl.handlers.prediction_exception import PredictionException
from wfctl.handlers.unloadable import Unloadable

_FAILED, UNAVAILABLE, OUT_OF_RESOURCES = 500, 503, 507
_CLIENT_ERRORS, _ERRORS = range(400, 500), range(400, 600)
_LONGEST = 64 * 1024
"""Characters of a message or a traceback: an exception may quote a whole picture."""
_OURS = str(Path(__file__).parent)


def all_failed(call_ids: Sequence[int], reason: BaseException) -> list[CallAnswer]:
    """Return the answers to a whole batch for what got past the host: a `sys.exit`, an interrupt, a fault of ours."""
    text = "".join(traceback.format_exception(reason))
    error = CallError(
        f"the handler raised {type(reason).__name__}", status=UNAVAILABLE, traceback_text=text, is_of_batch=True
    )
    return [CallAnswer(call_id, error.status, error=error) for call_id in call_ids]


def verdict_on(exception: BaseException) -> CallError:
    """Return what an exception of the handler means for the calls of its batch."""
    if _is_refusal(exception):
        message, status = _own_words(exception)
        if status in _CLIENT_ERRORS:
            # The author's own words about the request are the whole answer; where they were raised mends nothing.
            return CallError(message, status=status, is_final=True)
        return CallError(message, status=status, traceback_text=traceback_of(exception))
    text = traceback_of(exception)
    if is_out_of_memory(exception):
        return CallError("Out of resources", status=OUT_OF_RESOURCES, traceback_text=text)
    return CallError("Prediction failed", status=UNAVAILABLE, traceback_text=text)


def _is_refusal(exception: BaseException) -> bool:
    """Say whether this is the exception for refusals, ours or that of an installed TorchServe."""
    return isinstance(exception, PredictionException) or any(
        kind.__name__ == "PredictionException" and kind.__module__.partition(".")[0] == "ts"
        for kind in type(exception).__mro__
    )


def _own_words(exception: BaseException) -> tuple[str, int]:
    """Return message and status, also of a subclass that forgot to hand them on."""
    code = getattr(exception, "error_code", None)
    message = getattr(exception, "message", None)
    if message is None:
        message = _plain_words_of(exception)
    return _cut(str(message)), int(code) if isinstance(code, int) and code in _ERRORS else _FAILED


def _plain_words_of(exception: BaseException) -> str:
    """Return the words without the status that ``str`` puts beside them."""
    return str(exception.args[0]) if len(exception.args) == 1 else _words_of(exception)


def is_out_of_memory(exception: BaseException) -> bool:
    """Say whether memory of the machine or of a device ran out."""
    return isinstance(exception, MemoryError) or "CUDA" in _words_of(exception)


def is_load_out_of_memory(exception: BaseException) -> bool:
    """Say whether memory ran out while loading: as in the original only runtime errors tell of a device's."""
    return isinstance(exception, MemoryError) or (isinstance(exception, RuntimeError) and is_out_of_memory(exception))


def _words_of(exception: BaseException) -> str:
    try:
        return str(exception)
    except Exception:  # noqa: BLE001 - an exception of the user's may fail even at this
        return ""


def traceback_of(exception: BaseException) -> str:
    """Return the traceback without frames that only host the user's; none of what is said in full by its words."""
    if isinstance(exception, Unloadable):
        return ""
    told = traceback.TracebackException.from_exception(exception)
    each: traceback.TracebackException | None = told
    while each is not None:
        each.stack[:] = [frame for frame in each.stack if _is_users(frame.filename)]
        each = each.__cause__ or each.__context__
    return _cut("".join(told.format()).rstrip())


def last_line_of(exception: BaseException) -> str:
    """Return kind and words of an exception on one line."""
    words = _words_of(exception).strip().splitlines()
    if words and isinstance(exception, Unloadable):
        return _cut(words[0])
    return _cut(f"{type(exception).__name__}: {words[0]}") if words else type(exception).__name__


def _cut(text: str) -> str:
    """Leave out the middle of a text that is too long: what was raised where, and how it ends, are at its ends."""
    if len(text) <= _LONGEST:
        return text
    half = _LONGEST // 2
    return f"{text[:half]} ... ({len(text) - 2 * half} characters left out) ... {text[-half:]}"


def _is_users(file: str) -> bool:
    is_import = file.startswith("<frozen importlib") or file.endswith("importlib/__init__.py")
    return not is_import and not file.startswith(_OURS)
