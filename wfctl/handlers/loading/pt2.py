"""What ``pt2`` in a model's configuration asks for: a compiled model, or one exported ahead of time.

``torch.compile`` compiles at the first call and not where it is called itself. So a compiler that fails (none may be
installed) shows at the first request: the request is then answered by the model as it was, with a warning, and so are
all later ones.
Invariant: a model that cannot be compiled still answers; the configuration is never changed.
"""

import logging
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

import torch

from wfctl.handlers.loading.pt2_backends import check_valid_pt2_backend
from wfctl.handlers.unloadable import UnfitFileError

_log = logging.getLogger(__name__)

_REGISTERED_BY = {"openvino": "openvino.torch", "tensorrt": "torch_tensorrt"}
"""Compilers that torch knows only once their package is imported."""


def is_aot_compiled(configuration: Mapping[str, Any]) -> bool:
    """Say whether the weights are a library made by export ahead of time."""
    pt2 = configuration.get("pt2")
    exported = pt2.get("export") if isinstance(pt2, Mapping) else None
    return isinstance(exported, Mapping) and exported.get("aot_compile") is True


def compile_options(configuration: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the arguments of ``torch.compile``; ``None`` if the model is to stay as it is."""
    options = _wanted(configuration.get("pt2"))
    if options is None or ("backend" in options and not check_valid_pt2_backend(options["backend"])):
        return None
    return options


def _wanted(pt2: Any) -> dict[str, Any] | None:
    match pt2:
        case None:
            return None
        case str():
            return {"backend": pt2}
        case {"compile": {"enable": True, **options}}:
            return {str(key): value for key, value in options.items()}
        case {"compile": _} | {"export": _}:
            return None
        case Mapping():
            return dict(pt2)
        case _:
            raise UnfitFileError(f'"pt2" in the configuration must be a text or a mapping, not {type(pt2).__name__}')


def compiled(model: Any, options: Mapping[str, Any]) -> Any:
    """Return the compiled model, or the model itself with a warning where that fails at once."""
    try:
        _register(options.get("backend"))
        made = torch.compile(model, **options)
    except Exception as reason:  # noqa: BLE001 - compilers are foreign code
        _warn(options, reason)
        return model
    if isinstance(made, torch.nn.Module):
        made.forward = _or_plain(made.forward, model, options)
        return made
    return _or_plain(made, model, options)


def _register(backend: Any) -> None:
    if isinstance(backend, str) and backend in _REGISTERED_BY:
        import_module(_REGISTERED_BY[backend])


def _or_plain(fast: Callable[..., Any], plain: Callable[..., Any], options: Mapping[str, Any]) -> Callable[..., Any]:
    """Call ``fast`` until the compiler fails where the model itself does not; from then on the model."""
    chosen = fast

    def call(*args: Any, **kwargs: Any) -> Any:
        nonlocal chosen
        if chosen is plain:
            return plain(*args, **kwargs)
        try:
            return chosen(*args, **kwargs)
        except Exception as reason:
            if not _is_compilers(reason):
                raise
            # Raises by itself where the input is at fault, which a compiler reports as a failure of its own.
            answer = plain(*args, **kwargs)
            chosen = plain
            _warn(options, reason)
            return answer

    return call


def _is_compilers(reason: Exception) -> bool:
    # Imported when there is something to look at: the compiler is half of torch.
    from torch._dynamo.exc import TorchDynamoException

    return isinstance(reason, TorchDynamoException)


def _warn(options: Mapping[str, Any], reason: Exception) -> None:
    words = " ".join(str(reason).strip().splitlines()[:2])  # which backend failed, and how
    shown = ", ".join(f"{key}={value}" for key, value in options.items()) or "no options"
    _log.warning("compiling the model (%s) failed, so it runs uncompiled: %s: %s", shown, type(reason).__name__, words)
