"""The table of the forms of output: name -> reporter.

Invariant: a reporter's module is imported only when its form is asked for; each brings libraries of its own.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import cast

from wfctl.cli.reporters.interface import Reporter

REPORTERS: Mapping[str, str] = {
    "full": "full.FullReporter",
    "concise": "concise.ConciseReporter",
    "json": "records.JsonReporter",
    "jsonl": "records.JsonLinesReporter",
    "sarif": "sarif.SarifReporter",
    "github": "github.GithubReporter",
    "junit": "junit.JunitReporter",
}


def reporter_for(form: str, *, width: int | None = None) -> Reporter:
    """Return the reporter of a form; ``width`` is that of the terminal, if there is one."""
    module, _, name = REPORTERS[form].partition(".")
    kind = getattr(import_module(f"wfctl.cli.reporters.{module}"), name)
    return cast("Reporter", kind(width=width) if form == "full" else kind())
