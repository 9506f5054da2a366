"""Numbers of bytes, and tables, for people."""

from collections.abc import Sequence

_STEP = 1000


def human_size(count: int) -> str:
    """Write a number of bytes with three significant digits."""
    if count < _STEP:
        return f"{count} B"
    value = float(count)
    for unit in ("kB", "MB", "GB", "TB"):
        value /= _STEP
        # 999.95 would round up to four digits.
        if value < _STEP - 0.05 or unit == "TB":
            return f"{value:.1f} {unit}"
    return f"{count} B"


def columns(rows: Sequence[tuple[str, ...]], *, is_first_right: bool = True) -> list[str]:
    """Set rows in columns two spaces apart; the first one, if numbers stand in it, ends at one line."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [_line(row, widths, is_first_right=is_first_right) for row in rows]


def _line(row: Sequence[str], widths: Sequence[int], *, is_first_right: bool) -> str:
    cells = [text.ljust(width) for text, width in zip(row, widths, strict=True)]
    if is_first_right:
        cells[0] = row[0].rjust(widths[0])
    return "  ".join(cells).rstrip()
