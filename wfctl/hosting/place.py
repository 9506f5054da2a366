"""Where user code finds itself: the model's folder as working directory and first on the import path.

Invariant: for a process that serves one node only; it is never undone.
"""

import os
import sys

from wfctl.hosting.held import hold_late_libraries


def enter_model_dir(model_dir: str) -> None:
    """Make ``model_dir`` the working directory and the first place to import from."""
    hold_late_libraries(model_dir)
    os.chdir(model_dir)
    sys.path[:] = [model_dir, *(each for each in sys.path if each not in {model_dir, ""})]
