"""What to say to a handler that wants of ``ts`` what we do not have.

Invariant: looks at names and at exceptions; imports nothing, and changes nothing that a handler could catch.
"""

import re
import sys
from collections.abc import Mapping
from types import ModuleType
from typing import Final

from wfctl.errors import LoadError
from wfctl.hosting.ts_names import MADE, OURS, PACKAGES

_REAL: Final = "or run it with --ts real where TorchServe is installed"

_ADVICE: Final[Mapping[str, str]] = {
    "dali": f"decode and resize in a handler of your own (torchvision, pillow), {_REAL}",
    "pippy": f'let transformers divide the model (device_map="auto") in a handler of your own, {_REAL}',
    "deepspeed": f"call deepspeed.init_inference in a handler of your own, {_REAL}",
    "vllm": f"call vLLM's own LLM class in a handler of your own, {_REAL}",
    "trt_llm": f"call tensorrt_llm's own runner in a handler of your own, {_REAL}",
    "hf_batch_streamer": f"use transformers' TextIteratorStreamer, one for each request, {_REAL}",
    "model_loader": f"call the handler's own class, or open the archive with wfctl.open_deployment, {_REAL}",
    "model_server": "start the workflow with wfctl run",
    "torch_handler.unit_tests": f"build a wfctl.handlers.context.Context instead, {_REAL}",
}
"""Part of a name -> what to do without it."""

_MISSING_NAME: Final = re.compile(r"cannot import name '(.+?)' from")


class UnsupportedNameError(ModuleNotFoundError):
    """A module below ``ts`` that we do not have; handlers that guard their imports catch it as what it is."""

    def __init__(self, name: str, hint: str) -> None:
        super().__init__(f'"{name}" is not supported by wfctl; {hint}', name=name)
        self.hint = hint


def advice_on(name: str) -> str:
    """Return what to use instead of a module, or what there is."""
    if name.partition(".")[0] == "ts" and (found := known_advice(name)) is not None:
        return found
    return f"supported are {', '.join(_neighbours(name))}"


def known_advice(name: str) -> str | None:
    """Return what to use instead of a module that TorchServe has and we do not; ``None`` for an unknown name."""
    return next((advice for part, advice in _ADVICE.items() if part in name), None)


def _neighbours(name: str) -> list[str]:
    """Return the supported modules beside one that is missing, or all where nothing is near."""
    known = sorted({*OURS, *MADE} - PACKAGES)
    package = name.rpartition(".")[0]
    near = [each for each in known if package != "ts" and each.startswith(f"{package}.")]
    return near or known


def advised(error: LoadError) -> LoadError:
    """Return the error that a handler's failed import of ``ts`` became, with what to use instead as its hint."""
    reason = error.__cause__
    missing = _missing(reason)
    if missing is None:
        return error
    words, hint = missing
    better = LoadError(
        f'node "{error.node}" failed to load: {words}',
        node=error.node,
        traceback_text=(error.traceback_text or "").replace(f"; {hint}", ""),  # it is said once, and better below
        hint=hint,
    )
    better.__cause__ = reason
    return better


def _missing(reason: BaseException | None) -> tuple[str, str] | None:
    if isinstance(reason, UnsupportedNameError):
        return f'"{reason.name}" is not supported by wfctl', reason.hint
    module, name = _missing_attribute(reason)
    theirs = _their_name(module)
    if theirs is None or not name:
        return None
    words = f'"{theirs}" has no "{name}" in wfctl'
    if theirs in PACKAGES:
        return words, advice_on(f"{theirs}.{name}")
    return words, f"supported are {', '.join(_names_in(theirs))}, {_REAL}"


def _missing_attribute(reason: BaseException | None) -> tuple[str | None, str | None]:
    """Return module and name of ``from module import name``, or of ``module.name``, that failed."""
    if isinstance(reason, ImportError) and not isinstance(reason, ModuleNotFoundError):
        found = _MISSING_NAME.match(str(reason))
        return reason.name, found and found[1]
    if isinstance(reason, AttributeError) and isinstance(reason.obj, ModuleType):
        return reason.obj.__name__, reason.name
    return None, None


def _their_name(module: str | None) -> str | None:
    """Return the name below ``ts`` of a module, which we may know by our own."""
    if module is None or module in MADE or module in PACKAGES:
        return module
    return next((theirs for theirs, ours in OURS.items() if ours == module), None)


def _names_in(theirs: str) -> list[str]:
    if theirs in MADE:
        return sorted(MADE[theirs])
    module = sys.modules.get(OURS[theirs])
    return sorted(
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == OURS[theirs]
    )
