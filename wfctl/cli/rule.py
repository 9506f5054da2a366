"""``wfctl rule``: what a finding's code means, with a bad and a good example.

Invariant: the pages are those of ``wfctl.check``; nothing is explained here.
"""

import json
from collections.abc import Iterator, Mapping, Sequence

import click

from wfctl.check.page import Page, read_page
from wfctl.cli.console import answer, terminal_width
from wfctl.cli.options import colour_choice, complete_rules
from wfctl.cli.reporters.cells import wrap
from wfctl.cli.reporters.full import COLOURS
from wfctl.cli.selection import ask_for
from wfctl.diagnostics.catalog import RULES, Rule

FAMILIES: Mapping[str, str] = {
    "WF1": "the file and its YAML",
    "WF2": "the schema and the values",
    "WF3": "names and the graph",
    "WF4": "the handler",
    "WF5": "archives, models and URLs",
    "WF6": "security",
    "WF7": "performance advice",
    "WF9": "differences from TorchServe",
}
_FORMS = ("text", "json")


@click.command(short_help="Explain a finding's code.")
@click.argument("code", required=False, shell_complete=complete_rules)
@click.option("--output-format", "form", type=click.Choice(_FORMS), default="text", show_default=True)
def command(*, code: str | None, form: str) -> None:
    """Explain a finding's code.

    CODE is a code (WF301) or a name (cyclic-edge); its beginning (WF3) lists a family, and without one all codes are
    listed.
    """
    listed = [row for row in RULES.values() if code is None or row.code.startswith(code.upper())]
    rule = None if code is None or len(listed) > 1 else _found(code)
    if form == "json":
        rows = [_record(row) for row in listed] if rule is None else _record(rule, read_page(rule.code))
        answer(json.dumps(rows, indent=2))
    elif rule is None:
        answer("\n".join(_list(listed, terminal_width())))
    else:
        _explain(rule, read_page(rule.code))


def _found(word: str) -> Rule:
    for rule in RULES.values():
        if word.upper() == rule.code or word.lower() == rule.name:
            return rule
    raise click.BadParameter(f'no rule is called "{word}"{ask_for(word)}', param_hint="CODE")


def _record(rule: Rule, page: Page | None = None) -> dict[str, object]:
    row: dict[str, object] = {
        "code": rule.code,
        "name": rule.name,
        "severity": rule.severity.word,
        "summary": rule.summary,
        "tolerated": rule.tolerated,
    }
    return row if page is None else {**row, "page": page.text}


def _list(rules: Sequence[Rule], width: int | None) -> Iterator[str]:
    names = max(len(rule.name) for rule in rules)
    indent = len("  WF000  ") + names + len("  warning  ")
    for start, title in FAMILIES.items():
        family = [rule for rule in rules if rule.code.startswith(start)]
        if family:
            yield click.style(f"{start}xx: {title}", bold=True)
        for rule in family:
            severity = click.style(f"{rule.severity.word:<7}", fg=COLOURS[rule.severity])
            lead = f"  {rule.code}  {rule.name:<{names}}  {severity}  "
            for line in wrap(rule.summary, width and max(width - indent, 20)):
                yield lead + line
                lead = " " * indent


def _explain(rule: Rule, page: Page) -> None:
    """Show a page: as it is written to a pipe, set in type on a terminal."""
    if terminal_width() is None:
        answer(page.text, newline=False)
        return
    from wfctl.cli.rule_page import show_page

    _, _, body = page.text.partition("\n")  # the first line is the heading
    heading = click.style(rule.code, fg=COLOURS[rule.severity], bold=True) + click.style(f" {rule.name}", bold=True)
    mild = ", a warning under --compat" if rule.tolerated else ""
    answer(f"{heading} ({rule.severity.word}{mild})\n")
    show_page(body.strip(), is_coloured=colour_choice() is not False)
