"""A requirements file inside an archive: which packages it asks for, and which of them this environment lacks.

The lines are pip's; what concerns how to fetch a package is kept as it stands, for pip to read again.
Invariant: nothing is imported or fetched; only the metadata of what is installed is looked at.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import PurePosixPath
from posixpath import normpath
from typing import Final

from packaging.markers import UndefinedComparison, UndefinedEnvironmentName
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion

from wfctl.archive.member import ReadMember
from wfctl.archive.names import clean_name
from wfctl.check.model import UnmetRequirement
from wfctl.errors import ArchiveError

_MOST_BYTES: Final = 1 << 20
_DEEPEST: Final = 8
_COMMENT: Final = re.compile(r"(^|\s+)#.*$")
_SECRETS: Final = re.compile(r"//[^/@\s]*@")
"""User and password in a url: they are for pip, and not for a report."""
_OF_ONE: Final = re.compile(r"\s--?[a-z]")
"""Where the options of one requirement begin (``--hash=...``)."""
_OTHER_FILE: Final = re.compile(r"^(?:-r|--requirement)[\s=]*(.+)$")
_EDITABLE: Final = ("-e", "--editable")
_EGG: Final = re.compile(r"[#&]egg=([A-Za-z0-9._-]+)")
_VARIABLE: Final = re.compile(r"\$\{[A-Z0-9_]+\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One requirement of a file."""

    file: str
    number: int
    whole: str
    """With its options, as pip reads it; without the comment."""
    wish: Requirement | None = None
    """What it asks for; ``None`` where that cannot be told."""
    fault: str | None = None

    @property
    def text(self) -> str:
        """Return the requirement without its options."""
        return _OF_ONE.split(self.whole, maxsplit=1)[0].strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirements:
    """What a file asks for, the files that it names included."""

    requirements: tuple[Line, ...] = ()
    options: tuple[tuple[str, str], ...] = ()
    """Name of the file and one line on where packages come from (``--find-links ...``)."""


def read_requirements(name: str, read: ReadMember) -> Requirements:
    """Read the file ``name`` of an archive; ``read`` gives the content of a member."""
    found: list[Line] = []
    options: list[tuple[str, str]] = []
    for line in _lines(name, read, ()):
        if line.fault is None and line.whole.startswith("-") and not line.whole.startswith(_EDITABLE):
            options.append((line.file, line.whole))
        else:
            found.append(_understood(line))
    return Requirements(requirements=tuple(found), options=tuple(options))


def judge(found: Requirements) -> tuple[UnmetRequirement, ...]:
    """Return the requirements that the environment does not satisfy, and those that cannot be judged."""
    return tuple(unmet for line in found.requirements if (unmet := _unmet(line)) is not None)


def is_met(line: Line) -> bool:
    """Whether the environment satisfies a requirement."""
    return _unmet(line) is None


def _lines(name: str, read: ReadMember, outer: tuple[str, ...]) -> Iterator[Line]:
    try:
        raw = read(name, _MOST_BYTES)
        text = None if raw is None else raw.decode("utf-8-sig")
    except ArchiveError as error:
        yield Line(file=name, number=0, whole=name, fault=error.message)
        return
    except UnicodeDecodeError:
        yield Line(file=name, number=0, whole=name, fault="the file is not UTF-8 text")
        return
    if text is None:
        yield Line(file=name, number=0, whole=name, fault="the file is not in the archive")
        return
    for number, whole in _joined(text):
        other = _OTHER_FILE.match(whole)
        if other is None:
            yield Line(file=name, number=number, whole=whole)
        else:
            yield from _included(Line(file=name, number=number, whole=whole), other[1].strip(), read, (*outer, name))


def _joined(text: str) -> Iterator[tuple[int, str]]:
    """Yield the lines with the number of the first of each, those that end in a backslash joined."""
    first, parts = 0, ""
    for number, line in enumerate(text.splitlines(), 1):
        first = first if parts else number
        if line.endswith("\\") and not line.lstrip().startswith("#"):
            parts += line[:-1]
            continue
        whole, parts = _COMMENT.sub("", parts + line).strip(), ""
        if whole:
            yield first, whole
    if parts.strip():
        yield first, parts.strip()


def _included(line: Line, other: str, read: ReadMember, outer: tuple[str, ...]) -> Iterator[Line]:
    try:
        name = clean_name(normpath((PurePosixPath(line.file).parent / other).as_posix()))
    except ArchiveError:
        yield Line(file=line.file, number=line.number, whole=line.whole, fault="it names no file of the archive")
        return
    if name in outer or len(outer) > _DEEPEST:
        yield Line(file=line.file, number=line.number, whole=line.whole, fault="the files name each other in a circle")
        return
    yield from _lines(name, read, outer)


def _understood(line: Line) -> Line:
    if line.fault is not None:
        return line
    wish, fault = _wish(line.text)
    return Line(file=line.file, number=line.number, whole=line.whole, wish=wish, fault=fault)


def _wish(text: str) -> tuple[Requirement | None, str | None]:
    if text.startswith(_EDITABLE):
        return None, "an editable install has no place in an archive"
    if _VARIABLE.search(text):
        return None, "it depends on an environment variable"
    try:
        wish = Requirement(text)
        _holds(wish)
    except InvalidRequirement as invalid:
        by_address = _wish_by_address(text)
        return by_address, None if by_address else str(invalid).partition("\n")[0].lower()
    except (UndefinedComparison, UndefinedEnvironmentName):
        return None, "nobody can say whether its condition holds"
    return wish, None


def _wish_by_address(text: str) -> Requirement | None:
    """Return what a path or an address says of its package: the name of a wheel, or ``#egg=``."""
    egg = _EGG.search(text)
    try:
        if egg is not None:
            return Requirement(egg[1])
        name, number, _, _ = parse_wheel_filename(text.partition("#")[0].rpartition("/")[2])
        return Requirement(f"{name}=={number}")
    except (InvalidRequirement, InvalidWheelFilename):
        return None


def _unmet(line: Line) -> UnmetRequirement | None:
    installed, lacking = None, None
    if line.wish is not None:
        if not _holds(line.wish):
            return None
        installed = installed_version(line.wish.name)
        if installed is not None and _fits(line.wish, installed):
            lacking = _lacking_for(line.wish)
            if lacking is None:
                return None
    return UnmetRequirement(
        file=line.file,
        line=line.number,
        text=_SECRETS.sub("//", line.text),
        installed=installed,
        lacking=lacking,
        fault=line.fault,
    )


def _holds(wish: Requirement, extra: str = "") -> bool:
    """Whether a requirement counts in this environment."""
    return wish.marker is None or wish.marker.evaluate({"extra": extra})


def _lacking_for(wish: Requirement) -> str | None:
    """Return the first thing that the extras of a requirement ask for and that is not here as they want it."""
    left = [wish]
    asked: set[tuple[str, str]] = set()
    while left:
        one = left.pop()
        for pair in {(canonicalize_name(one.name), canonicalize_name(extra)) for extra in one.extras} - asked:
            asked.add(pair)
            for needed in _needs_of(*pair):
                there = installed_version(needed.name)
                if there is None or not _fits(needed, there):
                    return f"{needed.name}{needed.specifier}"
                left.append(needed)
    return None


def _needs_of(name: str, extra: str) -> Iterator[Requirement]:
    """Yield what an installed package asks for on behalf of one extra."""
    for text in requires(name) or ():
        try:
            needed = Requirement(text)
            if not _holds(needed) and _holds(needed, extra):
                yield needed
        except (InvalidRequirement, UndefinedComparison, UndefinedEnvironmentName):
            continue  # what is installed has been judged by whoever installed it


def installed_version(name: str) -> str | None:
    """Return the version of a package of this environment, ``None`` if it is not there."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _fits(wish: Requirement, installed: str) -> bool:
    try:
        return wish.specifier.contains(installed, prereleases=True)
    except InvalidVersion:
        return True  # nobody can compare it
