"""Model workflows: build, check, draw and run DAGs of PyTorch models and Python functions.

The Python door is ``open_deployment``. It is imported on first use, so that a worker process, which imports this
package too, pays for none of it.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wfctl.service.answer import Answer
    from wfctl.service.deployment import Deployment, open_deployment

__version__ = "0.1.0"
__all__ = ["Answer", "Deployment", "__version__", "open_deployment"]


_HOMES = {"Answer": "answer", "Deployment": "deployment", "open_deployment": "deployment"}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(f"wfctl.service.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
