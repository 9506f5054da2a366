"""Findings about the shape of a spec: what the schema says, in the words of the house, at its place.

Invariant: what is right and wrong stands in the schema; here it is only told.
"""

from collections.abc import Callable, Iterator

from wfctl.diagnostics.catalog import find
from wfctl.diagnostics.model import Diagnostic, Edit, SourceText, Span
from wfctl.spec.compose import shortened
from wfctl.spec.mend import Close, given, mend_type, misspelt_setting, suggestion, wanted
from wfctl.spec.model import SETTING_FIELDS
from wfctl.spec.nodes import Mapping, Node, Scalar, Sequence, find_pair
from wfctl.spec.plain import json_value
from wfctl.spec.scalars import Kind
from wfctl.spec.schema import Fault, Schema, faults
from wfctl.spec.traps import exponent_finding, name_finding


class _Place:
    """Where a fault stands in the tree: the nodes on the way to it."""

    def __init__(self, source: SourceText, root: Node, path: tuple[str | int, ...]) -> None:
        self.source = source
        self.path = path
        self.key: Scalar | None = None
        self.node: Node = root
        for step in path:
            self._step(step)

    def _step(self, step: str | int) -> None:
        if isinstance(self.node, Sequence) and isinstance(step, int):
            self.node = self.node.items[step]
        elif isinstance(self.node, Mapping) and isinstance(step, str):
            pair = find_pair(self.node, step)
            if pair is not None:
                self.key, self.node = pair

    @property
    def span(self) -> Span:
        """The value; its key where the value has no characters of its own."""
        node: Node = self.node
        if node.start == node.end and self.key is not None:
            node = self.key
        return self.source.span(node.start, node.end)

    @property
    def key_span(self) -> Span:
        """The key that the value belongs to."""
        node = self.key or self.node
        return self.source.span(node.start, node.end)

    @property
    def subject(self) -> str:
        """What the place is called in messages."""
        return _subject(self.path)


def shape_findings(source: SourceText, root: Node, schema: Schema) -> Iterator[Diagnostic]:
    """Check the tree against the schema."""
    for fault in faults(json_value(root), schema):
        place = _Place(source, root, fault.path)
        yield from _TELL.get(fault.keyword, _not_allowed)(fault, place)


def _subject(path: tuple[str | int, ...]) -> str:
    names = [f'"{shortened(str(step))}"' for step in path]
    text = names[-1] if names else "the spec"
    match path:
        case ("models", name) if name not in SETTING_FIELDS:
            text = f"model {names[1]}"
        case ("models", _, _):
            text = f"{names[2]} of model {names[1]}"
        case ("dag", _):
            text = f"the targets of {names[1]}"
        case ("dag", _, _):
            text = f"a target of {names[1]}"
        case ("wfctl", "functions" | "edges" | "nodes" as kind, _, _, *_):
            text = f"{names[3]} of {kind[:-1]} {names[2]}"
        case _:
            pass
    return text


def _wrong_type(fault: Fault, place: _Place) -> Iterator[Diagnostic]:
    special = _special_type(fault, place)
    if special is not None:
        yield special
        return
    help_text, fix = mend_type(place.source, place.node, fault.schema)
    yield find(
        "WF201",
        f"{place.subject} must be {wanted(fault.schema)}, not {given(place.node)}",
        place.span,
        help=help_text,
        fix=fix,
    )


def _special_type(fault: Fault, place: _Place) -> Diagnostic | None:
    """Return the finding of a more telling code, where there is one."""
    node = place.node
    is_null = isinstance(node, Scalar) and node.kind is Kind.NULL
    match place.path:
        case ("dag",) if is_null:
            return _empty_dag(place)
        case ("dag", _, _) if isinstance(node, Scalar):
            return name_finding(place.source, node)
        case ("models", name) if isinstance(node, Scalar) and place.key is not None and name not in SETTING_FIELDS:
            close = misspelt_setting(place.key, node)
            if close is not None:
                return _unknown_key("WF203", place, place.key, close)
            return _without_url(place) if is_null else None
    if fault.schema.get("type") == "integer" and isinstance(node, Scalar):
        return exponent_finding(place.source, node, place.subject)
    return None


def _without_url(place: _Place) -> Diagnostic:
    name = shortened(str(place.path[1]))
    return find(
        "WF207",
        f'model "{name}" has no url',
        place.key_span,
        help='name its archive, as in "url: model1.mar"',
    )


def _empty_dag(place: _Place) -> Diagnostic:
    return find("WF205", "the dag names no node", place.key_span, help='write at least one node, as in "m1: []"')


def _out_of_range(fault: Fault, place: _Place) -> Iterator[Diagnostic]:
    bound = (
        f"at least {fault.schema['minimum']}" if fault.keyword == "minimum" else f"at most {fault.schema['maximum']:,}"
    )
    text = f"{place.subject} must be {bound}, not {shortened(getattr(place.node, 'text', ''))}"
    if fault.value == 0 and str(place.path[-1]) in {"min-workers", "max-workers"}:
        yield find("WF211", text, place.span, help="write at least 1; a node without workers answers nothing")
        return
    yield find("WF202", text, place.span)


def _missing(fault: Fault, place: _Place) -> Iterator[Diagnostic]:
    if not place.path:
        yield find(
            "WF204",
            "the spec has no dag",
            place.source.span(place.node.start, place.node.start),
            help='add "dag:" with each node and the list of nodes that it feeds into',
        )
    elif place.path[0] == "models":
        yield _without_url(place)
    else:
        missing = " and ".join(f'"{name}"' for name in fault.schema["required"])
        yield find("WF210", f"{place.subject} lacks {missing}", place.span, help=f"write {missing}")


def _extra_keys(fault: Fault, place: _Place) -> Iterator[Diagnostic]:
    known = fault.schema["properties"]
    if not isinstance(place.node, Mapping):
        return
    listed = ", ".join(f'"{name}"' for name in known)
    written = {key.text for key in place.node.keys}
    for key in place.node.keys:
        if key.text not in known:
            close = suggestion(key.text, known)
            if close is not None and close.name in written:
                close = Close(close.name, is_sure=False)
            yield _unknown_key("WF203" if place.path else "WF206", place, key, close, listed)


def _unknown_key(code: str, place: _Place, key: Scalar, close: Close | None, listed: str = "") -> Diagnostic:
    name = shortened(key.text)
    where = "at the top of a spec" if code == "WF206" else "here"
    span = place.source.span(key.start, key.end)
    if close is None:
        return find(code, f'no key "{name}" {where}; it would be ignored', span, help=f"keys here: {listed}")
    return find(
        code,
        f'no key "{name}" {where}; it would be ignored',
        span,
        help=f'did you mean "{close.name}"?',
        fix=(Edit(span=span, replacement=close.name),) if close.is_sure else (),
    )


def _not_allowed(fault: Fault, place: _Place) -> Iterator[Diagnostic]:
    if fault.keyword == "anyOf":
        help_text = 'write "fail", "skip", or "{default: VALUE}"'
        text = f"{place.subject} must be one of these, not {given(place.node)}"
        yield find("WF210", text, place.span, help=help_text)
        return
    allowed = [str(value) for value in fault.schema.get("enum", ())]
    close = suggestion(str(fault.value), allowed) if isinstance(fault.value, str) else None
    fix = (Edit(span=place.span, replacement=close.name),) if close and close.is_sure else ()
    text = f"{place.subject} must be {wanted(fault.schema)}, not {given(place.node)}"
    yield find("WF210", text, place.span, help=f'did you mean "{close.name}"?' if close else None, fix=fix)


def _bad_pattern(fault: Fault, place: _Place) -> Iterator[Diagnostic]:
    if place.path[-1] == "sha256":
        text = f"{place.subject} must be 64 hexadecimal digits, not {given(place.node)}"
        yield find("WF505", text, place.span, help='"sha256sum FILE" prints them')
        return
    pair = find_pair(place.node, str(fault.value)) if isinstance(place.node, Mapping) else None
    span = place.source.span(pair[0].start, pair[0].end) if pair else place.span
    text = f'"{shortened(str(fault.value))}" names no edge'
    yield find("WF210", text, span, help='write its two nodes, as in "detect -> classify"')


def _too_short(_fault: Fault, place: _Place) -> Iterator[Diagnostic]:
    if place.path[-1] == "url":
        yield find("WF207", f"{place.subject} is empty", place.span, help="name the model's archive")
    else:
        yield find("WF210", f"{place.subject} is empty", place.span)


def _too_few(_fault: Fault, place: _Place) -> Iterator[Diagnostic]:
    yield _empty_dag(place)


_TELL: dict[str, Callable[[Fault, _Place], Iterator[Diagnostic]]] = {
    "type": _wrong_type,
    "minimum": _out_of_range,
    "maximum": _out_of_range,
    "required": _missing,
    "additionalProperties": _extra_keys,
    "pattern": _bad_pattern,
    "minLength": _too_short,
    "minProperties": _too_few,
}
