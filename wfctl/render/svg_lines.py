"""The lines of the SVG: smooth between ranks, straight beside boxes, arrowheads with their tip on the border.

Invariant: path data only, made of numbers; a tip lies exactly where its route ends.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from wfctl.render.plane import LOOP_ROOM, Box, Point

_LENGTH, _HALF = 9, 4.5
"""Of an arrowhead."""
_REACH = LOOP_ROOM - 8
_MOUTH = 11
"""From the middle of a side to the ends of an edge to the box itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """One edge as path data."""

    line: str
    head: str
    middle: Point
    """A point on the way, for a mark."""


def route(points: Sequence[Point], *, is_turned: bool) -> Drawn:
    """Draw an edge along its stretches."""
    way = [_flip(point) for point in points] if is_turned else list(points)
    is_downward = way[-1][1] > way[0][1]
    step = -_LENGTH if is_downward else _LENGTH
    tip = way[-1]
    neck = (tip[0], tip[1] + step)
    nearer = min if is_downward else max
    way[-2:] = [(tip[0], nearer(way[-2][1], neck[1])), neck]
    curve = (len(way) // 2 - 1) // 2 * 2 + 1
    (ax, ay), (bx, by) = way[curve], way[curve + 1]
    return Drawn(
        line=_path(way, is_turned=is_turned),
        head=_closed([tip, (tip[0] - _HALF, neck[1]), (tip[0] + _HALF, neck[1])], is_turned=is_turned),
        middle=_turn(((ax + bx) / 2, (ay + by) / 2), is_turned=is_turned),
    )


def loop(box: Box, *, is_turned: bool) -> Drawn:
    """Draw an edge from a box to itself: on its right side, or below it in a drawing from left to right."""
    x, y = box.centre
    side, middle = (box.y + box.height, x) if is_turned else (box.x + box.width, y)
    start, tip = (side, middle - _MOUTH), (side, middle + _MOUTH)
    neck = (side + _LENGTH, tip[1])
    far = side + _REACH
    points = [start, (far, start[1] - 4), (far, neck[1] + 4), neck]
    turned = [_flip(point) if is_turned else point for point in points]
    return Drawn(
        line=f"M{_at(turned[0])}C{' '.join(map(_at, turned[1:]))}",
        head=_closed(
            [_turn(p, is_turned=is_turned) for p in (tip, (neck[0], tip[1] - _HALF), (neck[0], tip[1] + _HALF))],
            is_turned=False,
        ),
        middle=_turn((side + 0.75 * _REACH, middle), is_turned=is_turned),
    )


def _flip(point: Point) -> Point:
    return (point[1], point[0])


def _turn(point: Point, *, is_turned: bool) -> Point:
    return _flip(point) if is_turned else point


def _at(point: Point) -> str:
    return f"{point[0]:g} {point[1]:g}"


def _path(way: Sequence[Point], *, is_turned: bool) -> str:
    """Return the path through the points; odd stretches are curves that begin and end along the drawing."""
    steps = [f"M{_at(_turn(way[0], is_turned=is_turned))}"]
    for number, (here, there) in enumerate(pairwise(way)):
        if here == there:
            continue
        end = _at(_turn(there, is_turned=is_turned))
        if number % 2 == 0 or here[0] == there[0]:
            steps.append(f"L{end}")
            continue
        half = (here[1] + there[1]) / 2
        bends = (_turn((here[0], half), is_turned=is_turned), _turn((there[0], half), is_turned=is_turned))
        steps.append(f"C{_at(bends[0])} {_at(bends[1])} {end}")
    return "".join(steps)


def _closed(corners: Sequence[Point], *, is_turned: bool) -> str:
    return "M" + "L".join(_at(_turn(corner, is_turned=is_turned)) for corner in corners) + "z"
