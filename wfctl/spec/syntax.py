"""Words for what a YAML parser refuses.

Invariant: no parser here; it gets what the parser said, and where, and says it in the words of the house.
"""

from dataclasses import dataclass

from wfctl.diagnostics.catalog import find
from wfctl.diagnostics.model import Diagnostic, Label, SourceText


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """What a parser said; offsets count characters of the source."""

    problem: str
    problem_at: int
    context: str = ""
    context_at: int | None = None


def syntax_finding(source: SourceText, refusal: Refusal) -> Diagnostic:
    """Explain ``refusal`` at the place that has to be changed."""
    unclosed = _unclosed(source, refusal)
    if unclosed is not None:
        return unclosed
    at = min(refusal.problem_at, len(source.text))
    message, help_text = _explain(source, refusal, at)
    secondary: tuple[Label, ...] = ()
    if refusal.context_at is not None and refusal.context_at < at:
        opened = source.span(refusal.context_at, refusal.context_at + 1)
        secondary = (Label(span=opened, text="in what begins here"),)
    return find("WF102", message, source.span(at, at + 1), help=help_text, secondary=secondary)


_CLOSING = {"[": "]", "{": "}", '"': '"', "'": "'"}


def _unclosed(source: SourceText, refusal: Refusal) -> Diagnostic | None:
    if refusal.context_at is None or not refusal.context.endswith(("flow sequence", "flow mapping", "quoted scalar")):
        return None
    opening = source.text[refusal.context_at : refusal.context_at + 1]
    if opening not in _CLOSING or "escape" in refusal.problem:
        return None
    closing = _CLOSING[opening]
    what = "quote" if opening == closing else "bracket"
    end = min(refusal.problem_at, len(source.text))
    return find(
        "WF102",
        f"the {what} {opening} is never closed",
        source.span(refusal.context_at, refusal.context_at + 1),
        label="opened here",
        help=f"write the {closing} that closes it" + (", and a comma between items" if what == "bracket" else ""),
        secondary=(Label(span=source.span(end, end), text=f"a {closing} was missed here at the latest"),),
    )


_BY_PROBLEM = (
    # Part of what the parsers say -> message, help. The first that fits counts.
    (
        "mapping values are not allowed",
        'a second ":" in one entry, or an entry indented differently from the one above',
        "give each entry a line of its own with equal indent; put a text that holds a colon in quotes",
    ),
    (
        "could not find expected ':'",
        "a line that is neither an entry nor the rest of one",
        'write "key: value", with a space after the colon',
    ),
    (
        "expected key",
        "this does not continue the mapping above",
        'check the indent, and write "key: value" with a space after the colon',
    ),
    (
        "expected '-' indicator",
        "this does not continue the list above",
        'begin each item with "- " at the same indent',
    ),
    ("escape", "no such escape in a text in double quotes", r"write a backslash as \\, or use single quotes"),
    (
        "block scalar",
        "a block text begins on the line after | or >",
        "write nothing but a comment after | or >",
    ),
    ("anchor", "an anchor or alias needs a name of letters and digits", 'put a text that begins with "&" in quotes'),
    ("alias", "an alias needs a name of letters and digits", 'put a text that begins with "*" in quotes'),
    ("tag", "a tag is not well-formed", 'put a text that begins with "!" in quotes'),
    ("directive", "a directive is not well-formed", 'put a text that begins with "%" in quotes'),
    ("document start", "something stands where the document was over", "keep everything in one indented document"),
)


def _explain(source: SourceText, refusal: Refusal, at: int) -> tuple[str, str | None]:
    char = source.text[at : at + 1]
    if char == "\t":
        return "a tab stands where YAML indents", "indent with spaces"
    said = f"{refusal.problem} {refusal.context}"
    if "cannot start any token" in said:
        return f'a text cannot begin with "{char}"', "put the text in quotes"
    if "expected node content" in said or "expected the node content" in said:
        return _missing_value(char)
    if "expected <block end>" in said:
        said = "expected '-' indicator" if "collection" in said else "expected key"
    for part, message, help_text in _BY_PROBLEM:
        if part in said:
            return message, help_text
    return "this is not YAML", None


def _missing_value(char: str) -> tuple[str, str]:
    if not char.strip():
        return "the text ends where a value is wanted", "write the value, or close the bracket"
    return f'"{char}" stands where a value is wanted', "write the value, or delete the mark before it"
