"""Which imports stay inside an archive, and which of its files are read when the handler is loaded.

Invariant: names only.
"""

from collections.abc import Iterator

from wfctl.compat.model import Code
from wfctl.compat.python_file import PythonFile


def is_local(module: str, code: Code) -> bool:
    """Whether a top-level module is a file or a folder of the archive."""
    return f"{module}.py" in code.members or any(name.startswith(f"{module}/") for name in code.members)


def needed_files(code: Code) -> Iterator[PythonFile]:
    """Yield the handler, the file with the model, and what they import from the archive, directly or not."""
    by_member = {file.member: file for file in code.files}
    waiting = [name for name in (code.model_file, code.handler) if name in by_member]
    seen = set(waiting)
    while waiting:
        file = by_member[waiting.pop()]
        yield file
        for each in file.imports:
            for member in _members_of(each.module, each.names):
                if member in by_member and member not in seen:
                    seen.add(member)
                    waiting.append(member)


def _members_of(module: str, names: tuple[str, ...]) -> Iterator[str]:
    base = module.replace(".", "/")
    for path in (base, *(f"{base}/{name}" for name in names)):
        yield f"{path}.py"
        yield f"{path}/__init__.py"
