"""The straight line through some points."""

from collections.abc import Sequence


def fitted(xs: Sequence[float], ys: Sequence[float]) -> tuple[float, float]:
    """Return base and slope of the line with the least squares."""
    x, y = sum(xs) / len(xs), sum(ys) / len(ys)
    slope = sum((one - x) * (two - y) for one, two in zip(xs, ys, strict=True)) / sum((one - x) ** 2 for one in xs)
    return y - slope * x, slope
