"""What stands under ``wfctl:``: the part that the engine can do as a value, the rest as findings.

Invariant: nothing that is written is ignored.
"""

from collections.abc import Iterator
from itertools import islice

from wfctl.diagnostics.catalog import find
from wfctl.diagnostics.model import Diagnostic, SourceText
from wfctl.spec.compose import MAX_FINDINGS, shortened
from wfctl.spec.model import Batching, Extension, FunctionSettings, NodeOptions, Payload, WorkerSettings
from wfctl.spec.nodes import Mapping, Node, Scalar, find_pair
from wfctl.spec.scalars import Kind, value_of
from wfctl.spec.settings import read_number, read_settings
from wfctl.spec.spans import Spans
from wfctl.spec.traps import name_finding

_DEFAULTS = Extension()


def build_extension(
    source: SourceText, root: Mapping, defaults: WorkerSettings, findings: list[Diagnostic]
) -> Extension:
    """Build what can be done, and report what cannot."""
    pair = find_pair(root, "wfctl")
    if pair is None or not isinstance(pair[1], Mapping):
        return _DEFAULTS
    part = {key.text: value for key, value in pair[1].pairs()}
    findings.extend(islice(_unsupported(source, pair[1]), MAX_FINDINGS))

    def number(key: str) -> int | None:
        return read_number(source, part[key], findings) if key in part else None

    objects = part.get("payload")
    gives_objects = _is_word(objects, Payload.OBJECT)
    return Extension(
        functions=_functions(source, part.get("functions"), defaults, findings),
        nodes=_nodes(source, part.get("nodes")),
        batching=Batching.FIXED if _is_word(part.get("batching"), Batching.FIXED) else Batching.ADAPTIVE,
        payload=Payload.OBJECT if gives_objects else Payload.BYTES,
        objects_span=source.span(objects.start, objects.end) if objects and gives_objects else None,
        allows_many_entries=_is_word(part.get("entries"), "many"),
        queue_size=number("queue-size"),
        idle_s=_DEFAULTS.idle_s if (idle_s := number("idle-s")) is None else idle_s,
    )


def _is_word(node: Node | None, word: str) -> bool:
    return isinstance(node, Scalar) and node.text == word


def _functions(
    source: SourceText, node: Node | None, defaults: WorkerSettings, findings: list[Diagnostic]
) -> dict[str, FunctionSettings]:
    if not isinstance(node, Mapping):
        return {}
    base = WorkerSettings(max_batch_delay_ms=0, retry_attempts=defaults.retry_attempts, timeout_ms=defaults.timeout_ms)
    found = {}
    for key, value in node.pairs():
        entry = value if isinstance(value, Mapping) else Mapping(0, 0, [], [])
        found[key.text] = FunctionSettings(
            name=key.text,
            span=source.span(key.start, key.end),
            settings=read_settings(source, entry, base, findings),
            spans=Spans(source, {each.text: setting for each, setting in entry.pairs()}),
        )
        findings.extend(filter(None, [name_finding(source, key)]))
    return found


def _nodes(source: SourceText, node: Node | None) -> dict[str, NodeOptions]:
    """Return the options of nodes; those that the engine cannot honour are findings by then."""
    if not isinstance(node, Mapping):
        return {}
    found = {}
    for key, value in node.pairs():
        entry = {each.text: setting for each, setting in value.pairs()} if isinstance(value, Mapping) else {}
        found[key.text] = NodeOptions(
            name=key.text,
            span=source.span(key.start, key.end),
            isolates=not _is_false(entry.get("isolate")),
            resources=_numbers(entry.get("resources")),
            spans=Spans(source, {**entry, **_parts_of(entry, "resources")}),
        )
    return found


def _parts_of(entry: dict[str, Node], name: str) -> dict[str, Node]:
    """Return the values below a key, under ``name.key``."""
    node = entry.get(name)
    return {f"{name}.{key.text}": value for key, value in node.pairs()} if isinstance(node, Mapping) else {}


def _numbers(node: Node | None) -> dict[str, float]:
    """Return the numbers of a mapping; what is none is a finding by then."""
    if not isinstance(node, Mapping):
        return {}
    read = {key.text: value_of(each.kind, each.text) for key, each in node.pairs() if isinstance(each, Scalar)}
    return {name: value for name, value in read.items() if isinstance(value, int | float)}


def _is_false(node: Node | None) -> bool:
    return isinstance(node, Scalar) and node.kind is Kind.BOOLEAN and value_of(node.kind, node.text) is False


_NOT_YET = frozenset({"map", "max-items", "when", "on-error", "warm-up", "combine"})
"""Keys of ``edges`` and ``nodes`` that the engine does not act on."""


def _unsupported(source: SourceText, part: Mapping) -> Iterator[Diagnostic]:
    for name in ("edges", "nodes"):
        pair = find_pair(part, name)
        if pair is None or not isinstance(pair[1], Mapping):
            continue
        for owner, settings in pair[1].pairs():
            yield from filter(None, [name_finding(source, owner)])
            for key in settings.keys if isinstance(settings, Mapping) else ():
                if key.text in _NOT_YET:
                    yield _not_yet(source, key.text, key, f' of "{shortened(owner.text)}"')


def _not_yet(source: SourceText, written: str, node: Node, of: str = "") -> Diagnostic:
    return find(
        "WF209",
        f'"{shortened(written)}"{of} is not supported yet',
        source.span(node.start, node.end),
        help="leave it out; this version would not act on it",
    )
