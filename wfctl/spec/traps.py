"""What YAML 1.1 reads otherwise than it looks: names that are booleans, numbers in odd bases.

Invariant: a scalar in, a finding or nothing out; who asks knows where names and where numbers are wanted.
"""

import re

from wfctl.diagnostics.catalog import find
from wfctl.diagnostics.model import Diagnostic, Edit, SourceText
from wfctl.spec.compose import shortened
from wfctl.spec.mend import is_verbatim, quoted
from wfctl.spec.nodes import Scalar
from wfctl.spec.scalars import Kind, value_of

_EXPONENT = re.compile(r"(?P<digits>[1-9]\d{0,3})[eE]\+?(?P<zeros>\d)", re.ASCII)


def name_finding(source: SourceText, node: Scalar) -> Diagnostic | None:
    """Find a name that YAML does not read as text."""
    if node.kind in {Kind.TEXT, Kind.MERGE}:
        return None
    return find(
        "WF115",
        f'YAML reads the name "{shortened(node.text)}" as {node.kind.value}',
        source.span(node.start, node.end),
        help="put it in quotes",
        fix=quoted(source, node),
    )


def number_finding(source: SourceText, node: Scalar) -> Diagnostic | None:
    """Find a whole number that looks like another one."""
    text = node.text
    if node.kind is not Kind.INTEGER or (text.isdecimal() and text[0] != "0") or not node.is_plain:
        return None
    digits = text.lstrip("+-")
    if digits.startswith(("0x", "0b")) or digits == "0":
        return _underscored(source, node)
    if digits.startswith("0"):
        return _other_base(source, node, "WF116", f"the leading zero makes YAML read {text} as")
    if ":" in digits:
        return _other_base(source, node, "WF117", f"YAML reads {text} in base 60, as")
    return _underscored(source, node)


def _other_base(source: SourceText, node: Scalar, code: str, text: str) -> Diagnostic | None:
    try:
        value = value_of(Kind.INTEGER, node.text)
    except ValueError:
        return None
    # Which number was meant is not known: no edit.
    span = source.span(node.start, node.end)
    return find(code, f"{text} {value}", span, help="write the number that you mean in plain digits")


def _underscored(source: SourceText, node: Scalar) -> Diagnostic | None:
    if "_" not in node.text:
        return None
    plain = node.text.replace("_", "")
    span = source.span(node.start, node.end)
    return find(
        "WF118",
        f"only some YAML readers take the underscores in {shortened(node.text)}",
        span,
        help=f"write {shortened(plain)}",
        fix=(Edit(span=span, replacement=plain),) if is_verbatim(source, node) else (),
    )


def exponent_finding(source: SourceText, node: Scalar, subject: str) -> Diagnostic | None:
    """Find a text like 1e3 where a whole number is wanted."""
    match = _EXPONENT.fullmatch(node.text)
    if match is None or node.kind is not Kind.TEXT or not is_verbatim(source, node):
        return None
    plain = match["digits"] + "0" * int(match["zeros"])
    span = source.span(node.start, node.end)
    return find(
        "WF119",
        f"YAML reads {node.text} as text, for it has no dot; {subject} must be a whole number",
        span,
        help=f"write {plain}",
        fix=(Edit(span=span, replacement=plain),),
    )
