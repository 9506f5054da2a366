"""A decorator for functions that will go.

Invariant: warns, and changes nothing else.
"""

import functools
import warnings
from collections.abc import Callable
from typing import Any


def deprecated(
    version: str, replacement: str = "", klass: type[Warning] = PendingDeprecationWarning
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Warn with each call that a function goes in ``version``, and what takes its place."""

    def mark(function: Callable[..., Any]) -> Callable[..., Any]:
        instead = f"; use {replacement}" if replacement else ""

        @functools.wraps(function)
        def warned(*args: Any, **kwargs: Any) -> Any:
            warnings.warn(f"{function.__name__} is deprecated in {version}{instead}", klass, stacklevel=2)
            return function(*args, **kwargs)

        return warned

    return mark
