"""Names for torchvision's C++ operators, which its wheel cannot load on some CPU builds of torch.

Its Python transforms need only that the names are there.
"""

import importlib
import importlib.util

import torch

_libraries: list[object] = []  # an operator goes when its library does


def define_placeholders() -> None:
    """Import torchvision, with as many names defined as it asks for."""
    if importlib.util.find_spec("torchvision") is None:
        raise RuntimeError('these tests need the "vision" extra')
    for _ in range(20):
        try:
            importlib.import_module("torchvision")
        except RuntimeError as missing:
            name = str(missing).partition("operator torchvision::")[2].partition(" ")[0]
            if not name:
                raise
            library = torch.library.Library("torchvision", "FRAGMENT")
            library.define(f"{name}(Tensor a) -> Tensor")
            _libraries.append(library)
            _forget_torchvision()
        else:
            return
    raise RuntimeError("torchvision asks for ever more operators")


def _forget_torchvision() -> None:
    import sys

    for name in [each for each in sys.modules if each.partition(".")[0] == "torchvision"]:
        del sys.modules[name]
