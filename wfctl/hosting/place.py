"""Where user code finds itself: the model's folder as working directory and first on the import path.

Invariant: for a process that serves one node only; it is never undone.
"""

import os
import sys

from wfctl.hosting.held import hold_late_libraries


def enter_model_dir(model_dir: str, import_paths: tuple[str, ...] = ()) -> None:
    """Make ``model_dir`` the working directory and the first place to import from, before ``import_paths``."""
    hold_late_libraries(model_dir, *import_paths)
    # Python takes compiled code for that of a file by its size and second: of one that is changed and loaded again at
    # once it would be the old one. And a user's folder is not ours to write into.
    sys.dont_write_bytecode = True
    os.chdir(model_dir)
    sys.path[:] = path_beginning_with(model_dir, import_paths)


def path_beginning_with(model_dir: str, import_paths: tuple[str, ...]) -> list[str]:
    """Return the import path of a node."""
    own = [model_dir, *import_paths]
    return [*own, *(each for each in sys.path if each not in {*own, ""})]
