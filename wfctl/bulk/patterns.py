"""Patterns of file names that the shell did not expand.

Invariant: the search ends and finds no file by two ways: ``**`` enters no folder by a link, as in a shell. Hidden
names match only what itself begins with a dot.
"""

import os
from collections.abc import Iterator
from fnmatch import fnmatchcase

_MAGIC = "*?["
_ANY_FOLDERS = "**"


def has_magic(text: str) -> bool:
    """Whether a text is more than a name."""
    return any(char in text for char in _MAGIC)


def paths_matching(pattern: str) -> list[str]:
    """Return what matches, by name; folders that cannot be listed hold nothing."""
    root = os.sep if pattern.startswith(os.sep) else ""
    parts = [part for part in pattern.split(os.sep) if part]  # noqa: PTH206 - a leading "./" stays
    return sorted(set(_matching(root, parts)))


def _matching(folder: str, parts: list[str]) -> Iterator[str]:
    if not parts:
        yield folder
        return
    part, rest = parts[0], parts[1:]
    if part == _ANY_FOLDERS:
        yield from _at_any_depth(folder, parts)
    elif has_magic(part):
        for entry in _entries(folder, hidden=part.startswith(".")):
            if fnmatchcase(entry.name, part):
                yield from _matching(os.path.join(folder, entry.name), rest)  # noqa: PTH118 - names as they were written
    else:
        path = os.path.join(folder, part)  # noqa: PTH118
        if os.path.lexists(path):
            yield from _matching(path, rest)


def _at_any_depth(folder: str, parts: list[str]) -> Iterator[str]:
    rest = parts[1:]
    if rest:
        yield from _matching(folder, rest)
    for entry in _entries(folder, hidden=False):
        path = os.path.join(folder, entry.name)  # noqa: PTH118
        if entry.is_dir(follow_symlinks=False):
            yield from _matching(path, parts)
        elif not rest:
            yield path


def _entries(folder: str, *, hidden: bool) -> list["os.DirEntry[str]"]:
    try:
        with os.scandir(folder or os.curdir) as listed:
            return [entry for entry in listed if hidden or not entry.name.startswith(".")]
    except OSError:
        return []
