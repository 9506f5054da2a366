"""The form of ``wfctl check-compat`` for programs; ``schemas/compat-report.json`` describes it.

Invariant: texts stand as they are; JSON escapes what is not ASCII.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from wfctl import __version__
from wfctl.cli.compat_places import place_of
from wfctl.compat.model import Judged, Row, Verdict
from wfctl.diagnostics.catalog import RULES

FORMAT_VERSION: Final = 1
_WORDS: Final[Mapping[Verdict, str]] = {
    Verdict.SAME: "same",
    Verdict.DIFFERS: "differs",
    Verdict.UNSUPPORTED: "unsupported",
}


def record(judged: Sequence[Judged]) -> dict[str, object]:
    """Return the document."""
    return {
        "version": FORMAT_VERSION,
        "tool": {"name": "wfctl", "version": __version__},
        "archives": [_archive(each) for each in judged],
        "summary": {
            "archives": len(judged),
            **{word: sum(each.verdict is verdict for each in judged) for verdict, word in _WORDS.items()},
        },
    }


def _archive(judged: Judged) -> dict[str, object]:
    error = judged.error
    return {
        "path": judged.path,
        "kind": judged.kind.value if judged.kind else None,
        "name": judged.name,
        "verdict": _WORDS[judged.verdict],
        "rows": [_row(row, judged) for row in judged.rows],
        "error": {"code": error.code, "message": error.message, "hint": error.hint} if error else None,
    }


def _row(row: Row, judged: Judged) -> dict[str, object]:
    place = place_of(row, judged)
    return {
        "code": row.finding.code,
        "name": RULES[row.finding.code].name,
        "severity": row.finding.severity.word,
        "nodes": list(row.nodes),
        "place": None if place is None else {"file": place[0], "line": place[1]},
        "count": row.count,
        "difference": row.finding.message,
        "remedy": row.finding.help,
    }
