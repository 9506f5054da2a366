"""Which findings the user wants to hear of: ``--select`` and ``--ignore``.

Invariant: a word that matches no rule is refused, so that a slip of the fingers never silences anything.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import click

from wfctl.diagnostics.catalog import RULES
from wfctl.diagnostics.report import Report


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Codes that are reported."""

    codes: frozenset[str]

    def of(self, report: Report) -> Report:
        """Return the part of ``report`` that was asked for."""
        if len(self.codes) == len(RULES):
            return report
        return Report(tuple(found for found in report if found.code in self.codes))


def parse_selection(select: Iterable[str], ignore: Iterable[str]) -> Selection:
    """Read codes, beginnings of codes and names, with commas between them; without ``select`` all are meant."""
    wanted = _codes("--select", select) or frozenset(RULES)
    return Selection(codes=wanted - _codes("--ignore", ignore))


def _codes(option: str, values: Iterable[str]) -> frozenset[str]:
    words = [word.strip() for value in values for word in value.split(",")]
    return frozenset(code for word in words if word for code in _matching(option, word))


def _matching(option: str, word: str) -> list[str]:
    codes = [code for code, rule in RULES.items() if code.startswith(word.upper()) or rule.name == word.lower()]
    if not codes:
        raise click.BadParameter(f'no rule is called "{word}"{ask_for(word)}', param_hint=option)
    return codes


def ask_for(word: str) -> str:
    """Return a question about the rule that was meant, or where to look; begins with punctuation."""
    from wfctl.check.closest import closest  # only on the way to an error

    if any(char.isdigit() for char in word):
        near = closest(word.upper().replace("O", "0"), list(RULES), count=1)
    else:
        near = closest(word.lower(), [rule.name for rule in RULES.values()], count=1)
    return f"; did you mean {near[0]}?" if near else "; wfctl rule lists all"
