"""A row about one place in one file.

Invariant: pure.
"""

from wfctl.compat.model import Code, Row
from wfctl.compat.python_file import PythonFile, Use
from wfctl.diagnostics.catalog import find

NOTHING_TO_DO = "nothing to do"


def found(code: str, message: str, file: PythonFile, use: Use, of: Code, *, remedy: str = NOTHING_TO_DO) -> Row:
    """Make the row; its node is that whose code the place belongs to, if that is known."""
    node = of.node_at(use.function)
    return Row(finding=find(code, message, file.place(use.line), help=remedy), nodes=(node.name,) if node else ())
