"""YAML text to a marked tree, within budgets; the only user of the YAML library.

The library's loaders and composers recurse and forget places; its events do neither. A parser of events feeds the
composer of ``compose``, which counts depth, values and what aliases expand to, and stops at the first budget that
is spent.

Invariant: nothing here builds an object that the text asks for; text in, tree or plain values out.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, cast

import yaml
from yaml.parser import Parser
from yaml.reader import Reader
from yaml.scanner import Scanner

from wfctl.diagnostics.catalog import find
from wfctl.diagnostics.model import Diagnostic, SourceText
from wfctl.errors import ArchiveError
from wfctl.spec.compose import BudgetSpentError, Composer, Properties, shortened
from wfctl.spec.nodes import Mapping, Node, Scalar
from wfctl.spec.plain import plain_value
from wfctl.spec.scalars import Kind
from wfctl.spec.syntax import Refusal, syntax_finding
from wfctl.spec.text import first_character, misleading_characters, unreadable_characters

_TOO_DEEP = "maximum nesting depth"
"""In what libyaml says from 0.2.6 on, at 1,000 open brackets or blocks."""


class _PythonParser(Reader, Scanner, Parser):
    """The library's parser without its composer, where libyaml was not built in."""

    def __init__(self, text: str) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)


def _events(text: str) -> Iterator[Any]:
    make: Any = yaml.cyaml.CParser if yaml.__with_libyaml__ else _PythonParser  # type: ignore[attr-defined]  # no stub
    return iter(make(text).get_event, None)


def compose(source: SourceText) -> tuple[Node | None, tuple[Diagnostic, ...]]:
    """Read the first document of ``source``; no tree where the text cannot be read or holds nothing."""
    unreadable = unreadable_characters(source)
    if unreadable:
        return None, unreadable
    findings = list(misleading_characters(source))
    root, found = _read(source, len(source.text))
    findings += found
    if root is None and not findings:
        findings.append(_empty(source))
    return root, tuple(findings)


def _read(source: SourceText, end: int) -> tuple[Node | None, list[Diagnostic]]:
    """Read the text up to ``end``."""
    composer = Composer(source, first_character(source))
    findings: list[Diagnostic] = []
    try:
        for event in _events(source.text[composer.offset : end]):
            if isinstance(event, yaml.DocumentStartEvent) and composer.root is not None:
                findings.append(_second_document(source, composer.offset + _start(event)))
                break
            _hand_over(event, composer)
    except BudgetSpentError:
        return None, composer.findings
    except yaml.MarkedYAMLError as error:
        refusal = _refusal(error, composer)
        if _TOO_DEEP in refusal.problem and composer.offset < refusal.problem_at < end:
            # libyaml reads ahead and gives up deep inside, with no event told. Up to there our own budget is spent.
            return _read(source, refusal.problem_at)
        return None, [*findings, syntax_finding(source, refusal), *composer.findings]
    findings += composer.findings
    if composer.is_broken:
        return None, findings
    root = composer.root
    return None if isinstance(root, Scalar) and root.kind is Kind.NULL else root, findings


def _start(event: Any) -> int:
    return int(event.start_mark.index)


def _hand_over(event: Any, composer: Composer) -> None:
    start, end = event.start_mark.index, event.end_mark.index
    kind = type(event)
    if kind is yaml.ScalarEvent:
        # libyaml calls the plain style "", the Python parser None.
        composer.scalar(start, end, event.value, not event.style, _properties(event))
    elif kind is yaml.MappingStartEvent:
        composer.open_mapping(start, bool(event.flow_style), _properties(event))
    elif kind is yaml.SequenceStartEvent:
        composer.open_sequence(start, bool(event.flow_style), _properties(event))
    elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
        composer.close(end)
    elif kind is yaml.AliasEvent:
        composer.alias(start, end, str(event.anchor))


def _properties(event: Any) -> Properties | None:
    return None if event.tag is None and event.anchor is None else (event.tag, event.anchor)


def _refusal(error: yaml.MarkedYAMLError, composer: Composer) -> Refusal:
    problem, context = error.problem_mark, error.context_mark
    said = Refusal(
        problem=error.problem or "",
        problem_at=composer.offset + problem.index if problem else composer.offset,
        context=error.context or "",
        context_at=composer.offset + context.index if context else None,
    )
    bracket = composer.open_bracket
    if bracket is not None and not composer.source.text[said.problem_at :].strip():
        # At the end of the text the parsers miss a value; the reader misses the bracket.
        return replace(said, context="flow sequence", context_at=bracket)
    return said


def _second_document(source: SourceText, start: int) -> Diagnostic:
    return find(
        "WF104",
        "a second document begins here; a spec is one",
        source.span(start, start + 3),
        help='delete the line "---" and what is below it, or keep it in a file of its own',
    )


def _empty(source: SourceText) -> Diagnostic:
    return find("WF112", "the spec holds nothing", source.span(0, 0), help='write at least a "dag"')


_HARMLESS = frozenset(("WF103", "WF601"))


def read_mapping(text: str) -> dict[str, Any]:
    """Return the values of a plain configuration file, an empty one included; ``ArchiveError`` if it is unfit.

    Keys may be of any core type, as plain YAML readers have them. Of a key that stands twice the last counts.
    """
    source = SourceText("configuration", text)
    root, findings = compose(source)
    refused = next((finding for finding in findings if finding.code not in _HARMLESS), None)
    if refused is not None and refused.code == "WF112":
        return {}
    if refused is not None:
        where = f" (line {refused.span.start.line})" if refused.span else ""
        words = "a second document begins here" if refused.code == "WF104" else refused.message  # that speaks of specs
        raise ArchiveError(f"the YAML cannot be used: {words}{where}", hint=refused.help)
    if not isinstance(root, Mapping):
        raise ArchiveError("the YAML must be a mapping", hint='write "key: value"')
    try:
        return cast("dict[str, Any]", plain_value(root))
    except ValueError as error:
        raise ArchiveError(f'the YAML cannot be used: "{shortened(str(error))}" is no value') from error
