r"""The pages that explain the codes: one Markdown file per row of the catalog, with examples that can be run.

A fenced block belongs to the bad or the good example when its first line says so, after the language::

    ```yaml bad                the spec
    ```python bad handler.py   the handler, and what its file is called
    ```text bad store          the archives that are found, one a line, each with its sha256 or without
    ```yaml bad m1.mar/f.yaml  a file inside the archive of a model that is found
    ```json bad WAR-INF/MANIFEST.json    the manifest, where the spec comes from a workflow's archive

``escaped`` after that means that ``\x1b`` and ``\u202e`` stand for the character, and ``${x * 80}`` for eighty "x":
what cannot stand in Markdown, or nobody wants to scroll through. ``bytes`` is the same, and ``\xe9`` a single byte.

Invariant: pages are shipped data; nothing here knows what a rule does.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files

from wfctl.diagnostics.catalog import RULES
from wfctl.errors import UnreadableInputError

_FENCE = re.compile(r"^```(\w+) (bad|good)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_ESCAPE = re.compile(r"\\(?:x([0-9a-f]{2})|u([0-9a-f]{4}))")
_REPEATED = re.compile(r"\$\{(.+?) \* (\d+)\}", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One workflow of a page, as its files would hold it."""

    spec: bytes
    handler: str | None = None
    handler_name: str = "handler.py"
    store: Mapping[str, str | None] | None = None
    """Archive -> its sha256, where it matters; ``None`` if nobody looks for archives."""
    members: Mapping[str, str] = field(default_factory=dict)
    """Archive, slash, file inside -> its text; without an archive, a file of the workflow's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page."""

    code: str
    text: str
    """The Markdown, as shipped."""
    bad: Example
    """Yields exactly this page's code."""
    good: Example
    """Yields nothing at all."""


def read_page(code: str) -> Page:
    """Return the page of a code of the catalog."""
    if code not in RULES:
        raise UnreadableInputError(f'there is no code "{code}"', hint='codes look like "WF301"')
    text = files("wfctl.check").joinpath("pages", f"{code}.md").read_text(encoding="utf-8")
    blocks = _FENCE.findall(text)
    return Page(code=code, text=text, bad=_example(blocks, "bad"), good=_example(blocks, "good"))


def _example(blocks: list[tuple[str, str, str, str]], which: str) -> Example:
    spec, handler, handler_name, store = b"", None, "handler.py", None
    members: dict[str, str] = {}
    for language, belongs_to, words, body in blocks:
        if belongs_to != which:
            continue
        if "/" in words:
            members[words.strip()] = body
        elif language == "python":
            handler, handler_name = body, words.strip() or handler_name
        elif language == "text":
            store = {name: digest or None for name, _, digest in (line.partition(" ") for line in body.splitlines())}
        else:
            spec = _unescaped(body, words)
    return Example(spec=spec, handler=handler, handler_name=handler_name, store=store, members=members)


def _unescaped(body: str, words: str) -> bytes:
    if not words.strip():
        return body.encode("utf-8")
    return expanded(body).encode("latin-1" if words.strip() == "bytes" else "utf-8")


def expanded(text: str) -> str:
    """Return ``text`` with its escapes and repetitions written out."""
    repeated = _REPEATED.sub(lambda found: found.group(1) * int(found.group(2)), text)
    return _ESCAPE.sub(lambda found: chr(int(found.group(1) or found.group(2), 16)), repeated)
