"""The form for editors and grep: one line for each finding."""

from collections.abc import Sequence
from dataclasses import dataclass

import click

from wfctl.cli.printable import printable
from wfctl.cli.reporters.full import COLOURS
from wfctl.cli.reporters.interface import Verdict
from wfctl.diagnostics.model import Diagnostic


@dataclass(frozen=True, slots=True)
class ConciseReporter:
    """``file:line:col: CODE message``; a finding without a place stands at the file's first character."""

    def render(self, verdicts: Sequence[Verdict]) -> str:
        """Return one line for each finding."""
        return "".join(_line(verdict.path, found) for verdict in verdicts for found in verdict.report)


def _line(path: str, found: Diagnostic) -> str:
    where = f"{path}:1:1" if found.span is None else str(found.span)
    code = click.style(found.code, fg=COLOURS[found.severity], bold=True)
    return f"{printable(where, keep='')}: {code} {printable(found.message, keep='')}\n"
