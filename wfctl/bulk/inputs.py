"""From the words of a command line to the files that are read: folders, patterns, many files, standard input.

Invariant: only names are looked at here. The order is the same on every machine: words as they were given, what is
in a folder or matches a pattern by name. Memory holds the names of one folder at a time.
"""

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile
from pathlib import Path

from wfctl.archive.read_sources import SPEC_NAMES, is_unpacked
from wfctl.bulk.item import Form
from wfctl.bulk.patterns import has_magic, paths_matching
from wfctl.errors import UnreadableInputError

STDIN = "-"
STDIN_NAME = "standard input"
LINE_ENDINGS = (".jsonl", ".ndjson")
_FORMS = {".csv": Form.ROWS, **dict.fromkeys(LINE_ENDINGS, Form.LINES)}


@dataclass(frozen=True, slots=True, kw_only=True)
class InputFile:
    """One file to read."""

    path: Path | None
    """``None`` for standard input."""
    name: str
    """As messages and answers call it."""
    stem: str
    """What the answer's file is called where the file is one input: its path below the place it was found in."""
    form: Form


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What a bulk run was told to read."""

    words: tuple[str, ...]
    form: Form | None = None
    """How to read all of them; by default what each name tells."""
    content_type: str | None = None
    """Of files that are one input; by default what each name tells."""
    left_out: frozenset[str] = field(default_factory=frozenset)
    """Absolute paths that are no inputs, though they lie among them: what the run itself writes."""

    def files(self) -> Iterator[InputFile]:
        """Yield the files in order; raises ``UnreadableInputError`` for a word that names nothing."""
        base = _common_folder(self.words)
        for word in self.words:
            found = 0
            for path in self._paths_of(word):
                found += 1
                yield self._file(path, base)
            if not found:
                raise nothing_at(word)

    def without(self, own: Iterable[Path]) -> "Inputs":
        """Return the inputs without what the run itself writes, which a pattern of the shell may have named."""
        left_out = frozenset(os.path.abspath(path) for path in own)  # noqa: PTH100 - links are not followed
        words = tuple(word for word in self.words if word == STDIN or os.path.abspath(word) not in left_out)  # noqa: PTH100
        if not words:
            raise UnreadableInputError(f'"{self.words[0]}" is the output of this run, and cannot be its input too')
        return replace(self, words=words, left_out=left_out)

    @property
    def is_stream(self) -> bool:
        """Whether something can be read only once."""
        return any(word == STDIN or is_stream(word) for word in self.words)

    @property
    def has_one_file(self) -> bool:
        """Whether only one file is named, so that a number is enough to tell what is inside it apart."""
        return len(self.words) == 1 and not is_pattern(self.words[0]) and not os.path.isdir(self.words[0])  # noqa: PTH112

    def _file(self, path: str, base: str) -> InputFile:
        if path == STDIN:
            return InputFile(path=None, name=STDIN_NAME, stem="stdin", form=self.form or Form.LINES)
        form = self.form or form_of(path)
        return InputFile(path=Path(path), name=path, stem=_below(path, base), form=form)

    def _paths_of(self, word: str) -> Iterator[str]:
        if word == STDIN or not (is_pattern(word) or os.path.isdir(word)):  # noqa: PTH112
            if word == STDIN or os.path.exists(word):  # noqa: PTH110
                yield word
        elif is_pattern(word):
            for path in paths_matching(word):
                if _is_to_be_read(path) and not self._is_left_out(path):
                    yield path
        else:
            yield from self._below_folder(word)

    def _below_folder(self, folder: str) -> Iterator[str]:
        try:
            with os.scandir(folder) as listed:
                entries = sorted(listed, key=lambda entry: entry.name)
        except OSError as error:
            raise UnreadableInputError(f'"{folder}" cannot be listed: {(error.strerror or "").lower()}') from error
        for entry in entries:
            if entry.name.startswith(".") or self._is_left_out(entry.path):
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from self._below_folder(entry.path)
            elif entry.is_file(follow_symlinks=False) or _is_to_be_read(entry.path):
                yield entry.path

    def _is_left_out(self, path: str) -> bool:
        return bool(self.left_out) and os.path.abspath(path) in self.left_out  # noqa: PTH100 - links are not followed


def _is_to_be_read(path: str) -> bool:
    """Whether a name that was found is an input: no folder, and no pipe or device, which nobody meant.

    A link that leads nowhere, or in a circle, is one: it fails, instead of being missed without a word.
    """
    try:
        return stat.S_ISREG(os.stat(path).st_mode)  # noqa: PTH116
    except OSError:
        return True


def form_of(path: str) -> Form:
    """Return how a file is read by what its name tells."""
    return _FORMS.get(os.path.splitext(path)[1].lower(), Form.WHOLE)  # noqa: PTH122


def is_pattern(word: str) -> bool:
    """Whether a word is a pattern that the shell did not expand; a file that has such a name is a file."""
    return has_magic(word) and not os.path.lexists(word)


def is_stream(word: str) -> bool:
    """Whether a word names a pipe or the like, which can be read only once."""
    return os.path.exists(word) and not os.path.isfile(word) and not os.path.isdir(word)  # noqa: PTH110, PTH112, PTH113


def is_workflow(word: str) -> bool:
    """Whether a word names a workflow, which nobody means as an input."""
    if not os.path.isdir(word):  # noqa: PTH112
        return word.endswith(".war")
    return any(os.path.exists(os.path.join(word, name)) for name in SPEC_NAMES) or is_unpacked(Path(word))  # noqa: PTH110, PTH118


def nothing_at(word: str) -> UnreadableInputError:
    """Return the error for a word that names no input."""
    if is_pattern(word):
        return UnreadableInputError(f'no file matches "{word}"')
    if os.path.isdir(word):  # noqa: PTH112
        return UnreadableInputError(f'the folder "{word}" holds no file')
    return UnreadableInputError(
        f'"{word}" cannot be read: no such file or directory', hint="INPUT is a file or a folder"
    )


def _common_folder(words: Sequence[str]) -> str:
    """Return the folder that all words lie in: a folder itself, the folder of a file, what stands before a pattern."""
    folders = [os.path.abspath(_folder_of(word)) for word in words if word != STDIN]  # noqa: PTH100
    return os.path.commonpath(folders) if folders else ""


def _folder_of(word: str) -> str:
    if os.path.isdir(word):  # noqa: PTH112
        return word
    path = Path(word)
    if not is_pattern(word):
        return str(path.parent)
    return str(Path(*takewhile(lambda part: not has_magic(part), path.parts[:-1])))


def _below(path: str, base: str) -> str:
    below = os.path.relpath(os.path.abspath(path), base)  # noqa: PTH100
    # A pattern may lead out of its own beginning; answers never leave their folder.
    return os.path.basename(path) if below.startswith(os.pardir) else below  # noqa: PTH119
