"""From parser events to the marked tree: anchors, merge keys, duplicate keys, tags, and the budgets.

Iterative throughout, for the text decides how deep it goes. Aliases share the node they name, and what a full
expansion would hold is counted as they come, so that a small text cannot become a large value later.

Called once for each of up to a quarter of a million values: hence the positional arguments.

Invariant: knows no YAML library; whoever owns the parser calls ``scalar``, ``open_*``, ``close`` and ``alias``.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import cast

from wfctl.diagnostics.catalog import find
from wfctl.diagnostics.model import Diagnostic, Label, SourceText
from wfctl.spec.nodes import Mapping, Node, Scalar, Sequence
from wfctl.spec.scalars import Kind, kind_of

MAX_DEPTH = 100
MAX_VALUES = 250_000
"""10,000 models with all their settings and edges are 200,000; a million would cost 200 MB before the refusal."""
MAX_EXPANDED = 100_000
MAX_FINDINGS = 1_000

_CORE = "tag:yaml.org,2002:"
_SCALAR_TAGS = {
    "!": Kind.TEXT,
    f"{_CORE}str": Kind.TEXT,
    f"{_CORE}int": Kind.INTEGER,
    f"{_CORE}float": Kind.FLOAT,
    f"{_CORE}bool": Kind.BOOLEAN,
    f"{_CORE}null": Kind.NULL,
    f"{_CORE}timestamp": Kind.TIMESTAMP,
    f"{_CORE}merge": Kind.MERGE,
}


Properties = tuple[str | None, str | None]
"""What YAML lets stand before a value: a tag, an anchor."""


class BudgetSpentError(Exception):
    """The text holds more than is read; the finding stands in the composer's list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Anchored:
    node: Node
    weight: int
    """Values in it, aliases expanded."""
    height: int


class _Frame:
    """One open list or mapping."""

    __slots__ = ("anchor", "expanded", "height", "is_flow", "is_mapping", "parts", "start")

    def __init__(self, start: int, is_mapping: bool, is_flow: bool) -> None:
        self.start = start
        self.is_mapping = is_mapping
        self.is_flow = is_flow
        self.anchor: str | None = None
        self.expanded = 0
        self.height = 0
        self.parts: list[Node] = []
        """Items; keys and values in turn."""


class Composer:
    """Builds one tree; offsets count characters of ``source`` from ``offset`` on."""

    def __init__(self, source: SourceText, offset: int = 0) -> None:
        self.source = source
        self.offset = offset
        self.findings: list[Diagnostic] = []
        self.is_broken = False
        """An alias leads nowhere: the tree would say something else than the text."""
        self._stack: list[_Frame] = []
        self._anchors: dict[str, _Anchored | None] = {}
        self._document: list[Node] = []
        self._open_parts = self._document
        """Where the next node goes: the parts of the innermost open list or mapping."""
        self._values = 0
        self._repeated = 0
        """Values that aliases bring beyond those written."""

    @property
    def root(self) -> Node | None:
        """The tree, once it is whole."""
        return self._document[0] if self._document else None

    @property
    def open_bracket(self) -> int | None:
        """Offset of the innermost bracket that is not closed yet."""
        return next((frame.start for frame in reversed(self._stack) if frame.is_flow), None)

    def scalar(self, start: int, end: int, text: str, is_plain: bool, properties: Properties | None) -> None:
        """Take one word or text."""
        start += self.offset
        end += self.offset
        node = Scalar(start, end, text, kind_of(text) if is_plain else Kind.TEXT, is_plain)
        if properties is not None:
            tag, anchor = properties
            node.kind = self._tagged_kind(node.kind, text, tag, (start, end))
            if anchor is not None:
                self._anchors[anchor] = _Anchored(node=node, weight=1, height=0)
        self._open_parts.append(node)
        self._count(start)

    def open_mapping(self, start: int, is_flow: bool, properties: Properties | None) -> None:
        """Begin a mapping."""
        self._open(_Frame(start + self.offset, is_mapping=True, is_flow=is_flow), properties)

    def open_sequence(self, start: int, is_flow: bool, properties: Properties | None) -> None:
        """Begin a list."""
        self._open(_Frame(start + self.offset, is_mapping=False, is_flow=is_flow), properties)

    def _open(self, frame: _Frame, properties: Properties | None) -> None:
        start = frame.start
        if len(self._stack) >= MAX_DEPTH:
            self._stop("WF106", f"more than {MAX_DEPTH} levels of nesting", start)
        frame.expanded = self._values + self._repeated
        if properties is not None:
            tag, frame.anchor = properties
            if tag is not None and tag not in {"!", _CORE + ("map" if frame.is_mapping else "seq")}:
                self._report(_tag_finding, start, start + 1, tag)
            if frame.anchor is not None:
                self._anchors[frame.anchor] = None
        self._stack.append(frame)
        self._open_parts = frame.parts
        self._count(start)

    def close(self, end: int) -> None:
        """End the innermost open list or mapping."""
        frame = self._stack.pop()
        self._open_parts = self._stack[-1].parts if self._stack else self._document
        end += self.offset
        if not frame.is_flow:
            # A block ends for the parser where the next thing begins, blank lines and comments included.
            end = max(frame.start, frame.parts[-1].end) if frame.parts else frame.start
        node: Node
        if frame.is_mapping:
            keys, values = self._own_pairs(frame)
            node = Mapping(frame.start, end, keys, values)
            if any(key.kind is Kind.MERGE for key in keys):
                self._merge(node)
        else:
            node = Sequence(frame.start, end, frame.parts)
        height = frame.height + 1
        if frame.anchor is not None:
            weight = self._values + self._repeated - frame.expanded
            self._anchors[frame.anchor] = _Anchored(node=node, weight=weight, height=height)
        self._add(node, height)

    def alias(self, start: int, end: int, name: str) -> None:
        """Put what the anchor ``name`` stands for once more."""
        start += self.offset
        end += self.offset
        anchored = self._anchors.get(name)
        if anchored is None:
            self._unusable_alias(name, start, end)
            return
        self._count(start)
        self._repeated += anchored.weight - 1
        if self._repeated > MAX_EXPANDED:
            self._stop("WF105", f"aliases expand to more than {MAX_EXPANDED:,} values", start, end)
        if len(self._stack) + anchored.height > MAX_DEPTH:
            self._stop("WF106", f"aliases nest more than {MAX_DEPTH} levels", start, end)
        self._add(anchored.node, anchored.height)

    def _count(self, start: int) -> None:
        self._values += 1
        if self._values > MAX_VALUES:
            self._stop("WF108", f"more than {MAX_VALUES:,} values", start)

    def _add(self, node: Node, height: int) -> None:
        self._open_parts.append(node)
        if self._stack:
            self._stack[-1].height = max(self._stack[-1].height, height)

    def _own_pairs(self, frame: _Frame) -> tuple[list[Scalar], list[Node]]:
        """Return the pairs of a closed mapping; of a key that stands twice the last, as every reader takes it."""
        pairs: dict[tuple[Kind, str], tuple[Scalar, Node]] = {}
        first: dict[tuple[Kind, str], Scalar] = {}
        keys, values = frame.parts[::2], frame.parts[1::2]
        if _are_distinct(keys):
            return cast("list[Scalar]", keys), values
        for key, value in zip(keys, values, strict=True):
            if not isinstance(key, Scalar):
                self._report(_key_finding, key)
                continue
            identity = (key.kind, key.text)
            if identity in pairs:
                self._report(_duplicate_finding, key, first[identity])
            else:
                first[identity] = key
            pairs[identity] = (key, value)
        return [key for key, _ in pairs.values()], [value for _, value in pairs.values()]

    def _merge(self, node: Mapping) -> None:
        """Replace ``<<`` by the pairs of the mappings it names; own keys count before merged ones."""
        own = {key.text: (key, value) for key, value in node.pairs() if key.kind is not Kind.MERGE}
        merged: dict[str, tuple[Scalar, Node]] = {}
        for key, value in node.pairs():
            if key.kind is not Kind.MERGE:
                continue
            for each in value.items if isinstance(value, Sequence) else [value]:
                if isinstance(each, Mapping):
                    for pair in each.pairs():
                        merged.setdefault(pair[0].text, pair)
                elif not self.is_broken:
                    self._report(_merge_finding, each)
        pairs = [pair for name, pair in merged.items() if name not in own] + list(own.values())
        node.keys = [key for key, _ in pairs]
        node.values = [value for _, value in pairs]

    def _tagged_kind(self, read: Kind, text: str, tag: str | None, place: tuple[int, int]) -> Kind:
        if tag is None:
            return read
        kind = _SCALAR_TAGS.get(tag)
        if kind is None:
            self._report(_tag_finding, *place, tag)
            return Kind.TEXT
        if kind is Kind.TEXT:
            return kind
        read = kind_of(text)
        if kind is read or (kind is Kind.FLOAT and read is Kind.INTEGER):
            return kind
        self._report(_misfit_finding, *place, text, kind)
        return read

    def _unusable_alias(self, name: str, start: int, end: int) -> None:
        self.is_broken = True
        self._report(_inner_alias_finding if name in self._anchors else _unknown_alias_finding, start, end, name)
        self._count(start)
        self._open_parts.append(Scalar(start, end, "", Kind.NULL, is_plain=True))

    def _report(self, make: Callable[..., Diagnostic], *told: object) -> None:
        if len(self.findings) < MAX_FINDINGS:
            self.findings.append(make(self.source, *told))
        elif not self.findings[-1].notes:
            self.findings[-1] = replace(self.findings[-1], notes=("more findings of this kind are not listed",))

    def _stop(self, code: str, message: str, start: int, end: int | None = None) -> None:
        span = self.source.span(start, start + 1 if end is None else end)
        self.findings.append(find(code, message, span, help="a workflow needs nothing like it"))
        raise BudgetSpentError


def shortened(text: str, most: int = 60) -> str:
    """Return ``text`` short enough for a message."""
    return text if len(text) <= most else text[: most - 3] + "..."


def _are_distinct(keys: list[Node]) -> bool:
    """Whether every key is a word that stands once, as nearly always."""
    texts = {key.text for key in keys if isinstance(key, Scalar)}
    return len(texts) == len(keys)


def _inner_alias_finding(source: SourceText, start: int, end: int, name: str) -> Diagnostic:
    said = f'"*{shortened(name)}" stands inside "&{shortened(name)}", which it repeats'
    return find("WF109", said, source.span(start, end), help="a value cannot hold itself; write out what is meant")


def _unknown_alias_finding(source: SourceText, start: int, end: int, name: str) -> Diagnostic:
    name = shortened(name)
    return find(
        "WF113",
        f'"*{name}" repeats nothing: no "&{name}" stands above',
        source.span(start, end),
        help=f'write "&{name}" before the value that it repeats, or put the text in quotes',
    )


def _misfit_finding(source: SourceText, start: int, end: int, text: str, kind: Kind) -> Diagnostic:
    said = f'"{shortened(text)}" is tagged as {kind.value}, and is {kind_of(text).value}'
    return find("WF110", said, source.span(start, end), help="delete the tag")


def _tag_finding(source: SourceText, start: int, end: int, tag: str) -> Diagnostic:
    shown = tag.replace(_CORE, "!!", 1) if tag.startswith(_CORE) else tag
    return find(
        "WF110",
        f'tag "{shortened(shown)}" is not allowed here',
        source.span(start, end),
        help="delete it; only texts, numbers, lists and mappings are read, objects are never built",
    )


def _key_finding(source: SourceText, key: Node) -> Diagnostic:
    what = "a list" if isinstance(key, Sequence) else "a mapping"
    return find(
        "WF201",
        f"a key must be a name, not {what}",
        source.span(key.start, key.end),
        help='write "name: value"; put a name that begins with a bracket in quotes',
    )


def _duplicate_finding(source: SourceText, key: Scalar, first: Scalar) -> Diagnostic:
    return find(
        "WF103",
        f'key "{shortened(key.text)}" stands twice; only the last counts',
        source.span(key.start, key.end),
        label="again here",
        help="delete one of them, or rename it",
        secondary=(Label(span=source.span(first.start, first.end), text="first here"),),
    )


def _merge_finding(source: SourceText, node: Node) -> Diagnostic:
    return find(
        "WF201",
        '"<<" takes a mapping, or a list of mappings',
        source.span(node.start, node.end),
        help='name an anchored mapping, as in "<<: *defaults"',
    )
