"""Where a difference shows, in the words of both forms of output.

Invariant: places are inside of the archive: its own path is said once, above them.
"""

from wfctl.compat.model import Judged, Row


def place_of(row: Row, judged: Judged) -> tuple[str, int] | None:
    """Return file and line; ``None`` for what concerns the archive as a whole."""
    span = row.finding.span
    return None if span is None else (span.source.name.removeprefix(f"{judged.path}/"), span.start.line)
