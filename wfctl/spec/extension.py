"""What stands under ``wfctl:``: the part that the engine can do as a value, the rest as findings.

Invariant: nothing that is written is ignored.
"""

from collections.abc import Iterator
from itertools import islice

from wfctl.diagnostics.catalog import find
from wfctl.diagnostics.model import Diagnostic, SourceText
from wfctl.spec.compose import MAX_FINDINGS, shortened
from wfctl.spec.model import Extension, FunctionSettings, Payload, WorkerSettings
from wfctl.spec.nodes import Mapping, Node, Scalar, find_pair
from wfctl.spec.settings import read_number, read_settings
from wfctl.spec.spans import Spans
from wfctl.spec.traps import name_finding


def build_extension(
    source: SourceText, root: Mapping, defaults: WorkerSettings, findings: list[Diagnostic]
) -> Extension:
    """Build what can be done, and report what cannot."""
    pair = find_pair(root, "wfctl")
    if pair is None or not isinstance(pair[1], Mapping):
        return Extension()
    part = {key.text: value for key, value in pair[1].pairs()}
    findings.extend(islice(_unsupported(source, pair[1]), MAX_FINDINGS))
    queue_size = read_number(source, part["queue-size"], findings) if "queue-size" in part else None
    objects = _word(part.get("payload"), Payload.OBJECT)
    return Extension(
        functions=_functions(source, part.get("functions"), defaults, findings),
        allows_many_entries=_word(part.get("entries"), "many") is not None,
        payload=Payload.BYTES if objects is None else Payload.OBJECT,
        objects_span=None if objects is None else source.span(objects.start, objects.end),
        queue_size=Extension().queue_size if queue_size is None else queue_size,
    )


def _word(node: Node | None, word: str) -> Node | None:
    """Return the value if it is this word."""
    return node if isinstance(node, Scalar) and node.text == word else None


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


_UNSUPPORTED_WORDS = (("batching", "adaptive"),)


def _unsupported(source: SourceText, part: Mapping) -> Iterator[Diagnostic]:
    for name, word in _UNSUPPORTED_WORDS:
        pair = find_pair(part, name)
        if pair is not None and isinstance(pair[1], Scalar) and pair[1].text == word:
            yield _not_yet(source, f"{name}: {word}", pair[1])
    for name in ("edges", "nodes"):
        pair = find_pair(part, name)
        if pair is None or not isinstance(pair[1], Mapping):
            continue
        for owner, settings in pair[1].pairs():
            yield from filter(None, [name_finding(source, owner)])
            for key in settings.keys if isinstance(settings, Mapping) else ():
                yield _not_yet(source, key.text, key, f' of "{shortened(owner.text)}"')


def _not_yet(source: SourceText, written: str, node: Node, of: str = "") -> Diagnostic:
    return find(
        "WF209",
        f'"{shortened(written)}"{of} is not supported yet',
        source.span(node.start, node.end),
        help="leave it out; this version would not act on it",
    )
