"""A decorator that times the steps of a handler.

Invariant: costs one attribute look-up where profiling is off.
"""

import functools
import time
from collections.abc import Callable
from typing import Any


def timed(method: Callable[..., Any]) -> Callable[..., Any]:
    """Report the time of a method as ``ts_handler_<method>``, if the configuration says ``handler: profile: true``."""

    @functools.wraps(method)
    def measured(self: Any, *args: Any, **kwargs: Any) -> Any:
        if not _is_profiled(self):
            return method(self, *args, **kwargs)
        started = time.perf_counter()
        result = method(self, *args, **kwargs)
        took_ms = (time.perf_counter() - started) * 1000
        self.context.metrics.add_time(f"ts_handler_{method.__name__}", took_ms)
        return result

    return measured


def _is_profiled(handler: Any) -> bool:
    configuration = getattr(getattr(handler, "context", None), "model_yaml_config", None) or {}
    options = configuration.get("handler")
    return isinstance(options, dict) and bool(options.get("profile", False))
