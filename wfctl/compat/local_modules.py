"""Which imports stay inside an archive, and which of its files are read when the handler is loaded.

Invariant: names only. Handlers put folders of the archive on the import path, so a module may lie at any depth.
"""

from collections.abc import Iterable, Iterator

from wfctl.compat.model import Code
from wfctl.compat.python_file import Import, PythonFile


def is_local(module: str, code: Code) -> bool:
    """Whether a top-level module is a file or a folder of the archive."""
    return any(_is_called(part, module) for member in code.members for part in member.split("/"))


def _is_called(part: str, module: str) -> bool:
    return part == module or (part.startswith(f"{module}.") and part.endswith((".py", ".pyc", ".so")))


def files_that_run(code: Code) -> tuple[PythonFile, ...]:
    """Return the files that the handler may load: what it imports, or all where it imports by computed names."""
    needed = tuple(needed_files(code))
    return code.files if any(file.imports_by_name for file in needed) else needed


def needed_files(code: Code) -> Iterator[PythonFile]:
    """Yield the handler, the file with the model, and what they import from the archive, directly or not."""
    by_member = {file.member: file for file in code.files}
    by_ending = _by_ending(code.files)
    waiting = [name for name in (code.model_file, code.handler) if name in by_member]
    seen = set(waiting)
    while waiting:
        file = by_member[waiting.pop()]
        yield file
        for each in file.imports:
            for wanted in _members_of(each, file):
                for member in [wanted] if wanted in by_member else by_ending.get(wanted, ()):
                    if member not in seen:
                        seen.add(member)
                        waiting.append(member)


def _by_ending(files: Iterable[PythonFile]) -> dict[str, list[str]]:
    """Return the members below folders, by each name under which a folder on the import path would offer them."""
    found: dict[str, list[str]] = {}
    for file in files:
        _, slash, rest = file.member.partition("/")
        while slash:
            found.setdefault(rest, []).append(file.member)
            _, slash, rest = rest.partition("/")
    return found


def _members_of(each: Import, file: PythonFile) -> Iterator[str]:
    parts = each.module.split(".") if each.module else []
    if each.level:
        parts = [*file.member.split("/")[: -each.level], *parts]
    for end in range(1, len(parts)):  # the packages around a module are loaded before it
        yield "/".join([*parts[:end], "__init__.py"])
    for path in (parts, *([*parts, name] for name in each.names)):
        if path:
            base = "/".join(path)
            yield f"{base}.py"
            yield f"{base}/__init__.py"
