"""Safe edits of names.

Invariant: only a name that stands there bare or in plain quotes is touched; aliases, anchors and escapes are not.
"""

from collections.abc import Iterator

from wfctl.check.closest import is_slip
from wfctl.check.subject import Subject
from wfctl.diagnostics.model import Edit, Span
from wfctl.spec.model import DagEntry, Target


def replacement(span: Span, written: str, meant: str) -> tuple[Edit, ...]:
    """Return the edit that puts ``meant`` where ``written`` stands, in the same quotes."""
    text = span.source.text[span.first : span.beyond]
    for quote in ("", '"', "'"):
        if text == f"{quote}{written}{quote}":
            return (Edit(span=span, replacement=f"{quote}{meant}{quote}"),)
    return ()


def renamed_target(subject: Subject, entry: DagEntry, target: Target) -> tuple[Edit, ...]:
    """Rename one target where there is one candidate only, and the edge is a new one."""
    meant = _sure(subject, target.name)
    if meant is None or meant == entry.name:
        return ()
    others = dict.fromkeys(other.name for other in entry.targets if other.name != target.name)
    if any(subject.names.meant(name) == meant for name in others):
        return ()
    return replacement(target.span, target.name, meant)


def renamed_key(subject: Subject, entry: DagEntry) -> tuple[Edit, ...]:
    """Rename a key of the dag and every edge to it, where the dag does not have the right name yet."""
    meant = _sure(subject, entry.name)
    if meant is None or meant in subject.dag.children:
        return ()
    if sum(matches[:1] == (meant,) for matches in subject.names.matches.values()) > 1:
        return ()
    if any(sum(target.name == entry.name for target in each.targets) > 1 for each in subject.spec.dag):
        return ()  # a repetition is taken out first, by an edit of its own
    edits = [replacement(span, entry.name, meant) for span in _places(subject, entry.name)]
    return tuple(edit for found in edits for edit in found) if all(edits) else ()


def _sure(subject: Subject, name: str) -> str | None:
    matches = subject.names.matches.get(name, ())
    if len(matches) != 1 or not matches[0].isidentifier() or not is_slip(name, matches[0]):
        return None
    fact = subject.handler.functions.get(matches[0]) if subject.handler else None
    is_seen = matches[0] in subject.spec.models or (fact is not None and not fact.is_opaque)
    return matches[0] if is_seen else None  # "json" may be imported, and is no function


def _places(subject: Subject, name: str) -> Iterator[Span]:
    for entry in subject.spec.dag:
        if entry.name == name:
            yield entry.span
        yield from (target.span for target in entry.targets if target.name == name)
