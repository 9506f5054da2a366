"""Applies the safe edits that findings bring, by their marks.

Invariant: every character outside an edit, every byte outside the text (a byte order mark), and the file's mode stay
as they are. A file is replaced whole or not at all.
"""

import codecs
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from wfctl.diagnostics.model import Diagnostic, Edit, SourceText
from wfctl.errors import UnreadableInputError


def choose_edits(findings: Iterable[Diagnostic]) -> tuple[Edit, ...]:
    """Return the edits that can be made together: a finding's edits all or none, the first finding first."""
    chosen: list[Edit] = []
    for found in findings:
        new = [edit for edit in found.fix if edit not in chosen]
        if not any(_collide(edit, other) for edit in new for other in chosen):
            chosen.extend(new)
    return tuple(chosen)


def _collide(one: Edit, other: Edit) -> bool:
    if one.span.source != other.span.source:
        return False
    # Two insertions at one place collide too: their order would be a guess.
    first, second = sorted((one.span, other.span), key=lambda span: span.start.offset)
    return second.start.offset < first.end.offset or second.start.offset == first.start.offset


def edited(source: SourceText, edits: Iterable[Edit]) -> SourceText:
    """Return ``source`` with those of ``edits`` made that belong to it; none of them overlap."""
    text = source.text
    own = [edit for edit in edits if edit.span.source == source]
    for edit in sorted(own, key=lambda edit: edit.span.start.offset, reverse=True):
        text = text[: edit.span.start.offset] + edit.replacement + text[edit.span.end.offset :]
    return SourceText(source.name, text)


def rewrite(path: Path, *, old: SourceText, new: SourceText) -> None:
    """Put ``new`` in the place of the file that ``old`` was read from."""
    target = path.resolve()  # a link stays a link
    try:
        raw = target.read_bytes()
        mark = codecs.BOM_UTF8 if raw.startswith(codecs.BOM_UTF8) and not old.text.startswith("\ufeff") else b""
        if raw != mark + old.text.encode():
            raise UnreadableInputError(f'"{path}" changed while it was checked', hint="run the command again")
        _replace(target, mark + new.text.encode())
    except OSError as failure:
        raise UnreadableInputError(f'cannot write "{path}": {failure.strerror}') from failure


def _replace(target: Path, content: bytes) -> None:
    number, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(number, "wb") as file:
            file.write(content)
        Path(name).chmod(target.stat().st_mode & 0o7777)
        Path(name).replace(target)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise


def unified_diff(old: SourceText, new: SourceText) -> str:
    """Return the change as a patch; nothing where there is none."""
    import difflib  # only where somebody asked for a patch

    lines = difflib.unified_diff(_lines(old), _lines(new), f"a/{old.name}", f"b/{new.name}")
    return "".join(_ended(lines))


def _lines(source: SourceText) -> list[str]:
    lines = source.text.split("\n")
    return [f"{line}\n" for line in lines[:-1]] + [line for line in lines[-1:] if line]


def _ended(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
