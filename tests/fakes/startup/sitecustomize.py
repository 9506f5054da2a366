"""Lets torchvision be imported where its own C++ operators do not fit the installed torch.

Its transforms are Python and need none of them; but its import asks for their names. With this folder in ``PYTHONPATH``
a new interpreter, a worker included, defines the names just before torchvision is imported. Tests import it as
``fakes.startup.sitecustomize``. Where the operators do load, nothing is defined.
"""

import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import PathFinder
from pathlib import Path

_OPERATORS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
_kept = []


class OperatorNames(MetaPathFinder):
    """Finds nothing, and is asked in time."""

    def find_spec(self, fullname, path=None, target=None):
        if fullname == "torchvision":
            sys.meta_path.remove(self)
            spec = PathFinder.find_spec(fullname)
            if spec is not None and not _loads(Path(spec.origin).parent):
                _define()


def _loads(folder):
    import torch

    try:
        torch.ops.load_library(str(folder / "_C.so"))
    except (OSError, ImportError):
        return False
    return True


def _define():
    from torch.library import Library

    library = Library("torchvision", "FRAGMENT")  # kept for the life of the process
    for operator in _OPERATORS:
        library.define(operator)
    _kept.append(library)


if "torchvision" not in sys.modules and not any(type(each).__name__ == "OperatorNames" for each in sys.meta_path):
    sys.meta_path.insert(0, OperatorNames())
