"""A spec whose models move into the archive: urls rewritten and digests pinned, every other character kept.

Invariant: the new text says exactly what was meant, or the embedding is refused; it is read again to be sure.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from wfctl.diagnostics.model import Edit, SourceText, Span
from wfctl.errors import ArchiveError
from wfctl.spec.model import ModelSpec
from wfctl.spec.parse import parse_spec

_PLAIN: Final = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*")
_FOLDER: Final = "models"


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedded:
    """One model of the spec and the archive that it becomes a member of."""

    model: ModelSpec
    path: Path
    sha256: str

    @property
    def member(self) -> str:
        """Its name in the archive, which is its new url."""
        return f"{_FOLDER}/{self.path.name}"


def embed(source: SourceText, models: Sequence[Embedded]) -> str:
    """Return the text of a spec in which each of ``models`` names its member and pins its digest."""
    if not models:
        return source.text
    edits = {(edit.span.start.offset, edit.span.end.offset, edit.replacement) for m in models for edit in _edits(m)}
    text = source.text
    for start, end, replacement in sorted(edits, reverse=True):
        text = text[:start] + replacement + text[end:]
    _verify(SourceText(source.name, text), models)
    return text


def _edits(embedded: Embedded) -> Iterator[Edit]:
    model = embedded.model
    if model.url_span is None:
        raise _refused(model)
    yield Edit(span=model.url_span, replacement=_scalar(embedded.member))
    pinned = model.spans.get("sha256")
    if pinned is not None:
        yield Edit(span=pinned, replacement=f'"{embedded.sha256}"')
    else:
        yield _pin(model, model.url_span, embedded.sha256)


def _pin(model: ModelSpec, url: Span, digest: str) -> Edit:
    """Insert the digest beside the url: on a line of its own, or in the same brackets."""
    text = url.source.text
    after_name = text[model.name_span.end.offset : url.start.offset]
    if "{" in after_name:
        return Edit(span=url.source.span(url.end.offset, url.end.offset), replacement=f', sha256: "{digest}"')
    line = url.source.line(url.start.line)
    indent = line[: len(line) - len(line.lstrip())]
    end = url.end.offset
    while end < len(text) and text[end] not in "\r\n":
        end += 1
    line_end = "\r\n" if text.startswith("\r\n", end) else "\n"
    return Edit(span=url.source.span(end, end), replacement=f'{line_end}{indent}sha256: "{digest}"')


def _scalar(value: str) -> str:
    return value if _PLAIN.fullmatch(value) else json.dumps(value, ensure_ascii=False)


def _verify(source: SourceText, models: Sequence[Embedded]) -> None:
    spec, _ = parse_spec(source)
    for embedded in models:
        now = None if spec is None else spec.models.get(embedded.model.name)
        if now is None or (now.url, now.sha256) != (embedded.member, embedded.sha256):
            raise _refused(embedded.model)


def _refused(model: ModelSpec) -> ArchiveError:
    return ArchiveError(
        f'the entry of "{model.name}" cannot be rewritten to name a model inside the archive',
        hint='write it as a block of its own with a line "url: ..."',
    )
