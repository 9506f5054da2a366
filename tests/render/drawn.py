"""Drawings for tests, and a reader that follows the lines of a terminal drawing the way an eye does."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from hypothesis import strategies as st

from wfctl.render.model import Drawing, DrawnEdge, DrawnNode, Shape

Pair = tuple[str, str]
CIRCLE = "WF301 cyclic-edge"


def drawing(
    edges: Iterable[Pair],
    *,
    models: Iterable[str] = (),
    unknown: Iterable[str] = (),
    alone: Iterable[str] = (),
    details: Mapping[str, str] | None = None,
    faults: Mapping[str | Pair, str] | None = None,
) -> Drawing:
    """Build a drawing; nodes stand in the order in which edges name them."""
    pairs = list(dict.fromkeys(edges))
    names = list(dict.fromkeys([*(name for pair in pairs for name in pair), *alone]))
    models, unknown = set(models), set(unknown)
    faults = faults or {}
    return Drawing(
        title="sample",
        nodes=tuple(
            DrawnNode(
                name=name,
                shape=Shape.MODEL if name in models else Shape.UNKNOWN if name in unknown else Shape.FUNCTION,
                detail=(details or {}).get(name, ""),
                fault=faults.get(name),
            )
            for name in names
        ),
        edges=tuple(DrawnEdge(source=a, target=b, fault=faults.get((a, b))) for a, b in pairs),
    )


@st.composite
def graphs(draw: st.DrawFn, *, is_acyclic: bool = False) -> Drawing:
    """Small random graphs of every kind: several parts, lonely nodes, long edges, circles, loops."""
    count = draw(st.integers(1, 9))
    ends = st.integers(0, count - 1)
    pairs = draw(st.lists(st.tuples(ends, ends), max_size=16, unique=True))
    if is_acyclic:
        pairs = list(dict.fromkeys((min(pair), max(pair)) for pair in pairs if pair[0] != pair[1]))
    names = [f"n{number}" for number in range(count)]
    edges = [(names[a], names[b]) for a, b in pairs]
    faulty = draw(st.sets(st.sampled_from(edges))) if edges and not is_acyclic else set()
    return drawing(
        edges,
        alone=names,
        models=draw(st.sets(st.sampled_from(names))),
        details=dict.fromkeys(draw(st.sets(st.sampled_from(names))), "batch 8"),
        faults=dict.fromkeys(faulty, CIRCLE),
    )


UP, DOWN, LEFT, RIGHT = (0, -1), (0, 1), (-1, 0), (1, 0)
_ARMS = {
    "│": (UP, DOWN),
    "┆": (UP, DOWN),
    "─": (LEFT, RIGHT),
    "┄": (LEFT, RIGHT),
    "╯": (UP, LEFT),
    "╮": (DOWN, LEFT),
    "╰": (UP, RIGHT),
    "╭": (DOWN, RIGHT),
    "┤": (UP, DOWN, LEFT),
    "├": (UP, DOWN, RIGHT),
    "┴": (UP, LEFT, RIGHT),
    "┬": (DOWN, LEFT, RIGHT),
    "┼": (UP, DOWN, LEFT, RIGHT),
}
_OPPOSITE = {UP: DOWN, DOWN: UP, LEFT: RIGHT, RIGHT: LEFT}


@dataclass(frozen=True)
class Frame:
    """The border of a box on the screen."""

    name: str
    left: int
    top: int
    right: int
    bottom: int

    def holds(self, x: int, y: int) -> bool:
        return self.left <= x <= self.right and self.top <= y <= self.bottom


class Reader:
    """Reads a drawing back: boxes by their names, edges by following lines from border to arrowhead."""

    def __init__(self, text: str, *, is_turned: bool = False) -> None:
        self._rows = text.split("\n")
        self._is_turned = is_turned

    def at(self, x: int, y: int) -> str:
        return self._rows[y][x] if 0 <= y < len(self._rows) and 0 <= x < len(self._rows[y]) else " "

    def frame(self, name: str) -> Frame:
        places = [(row.find(f" {name} ") + 1, y) for y, row in enumerate(self._rows) if f" {name} " in row]
        assert len(places) == 1, f"{name} stands {len(places)} times"
        x, y = places[0]
        left = next(i for i in range(x - 1, -1, -1) if self.at(i, y) != " ")
        right = next(i for i in range(x + len(name), x + 200) if self.at(i, y) != " ")
        top = next(j for j in range(y - 1, -1, -1) if self.at(left, j) in "┏╭┌")
        bottom = next(j for j in range(y + 1, len(self._rows)) if self.at(left, j) in "┗╰└")
        assert self.at(right, top) in "┓╮┐"
        assert self.at(right, bottom) in "┛╯┘"
        return Frame(name, left, top, right, bottom)

    def edges(self, names: Iterable[str]) -> set[Pair]:
        frames = [self.frame(name) for name in names]
        found: set[Pair] = set()
        for frame in frames:
            for x, y, way in self._exits(frame):
                found |= {(frame.name, self._box(frames, *end)) for end in self._follow(x, y, way)}
            if self._has_loop(frame):
                found.add((frame.name, frame.name))
        return found

    def _exits(self, frame: Frame) -> Iterator[tuple[int, int, tuple[int, int]]]:
        if self._is_turned:
            for y in range(frame.top + 1, frame.bottom):
                if self.at(frame.right, y) in "├┠":
                    yield frame.right + 1, y, RIGHT
                if self.at(frame.left, y) in "┤┨":
                    yield frame.left - 1, y, LEFT
            return
        for x in range(frame.left + 1, frame.right):
            if self.at(x, frame.bottom) in "┬┯":
                yield x, frame.bottom + 1, DOWN
            if self.at(x, frame.top) in "┴┷":
                yield x, frame.top - 1, UP

    def _has_loop(self, frame: Frame) -> bool:
        if self._is_turned:
            return any(self.at(x, frame.bottom + 1) == "▲" for x in range(frame.left, frame.right))
        return any(self.at(frame.right + 1, y) == "◀" for y in range(frame.top, frame.bottom))

    def _follow(self, x: int, y: int, way: tuple[int, int]) -> set[tuple[int, int]]:
        """Return the cells behind every arrowhead that a line leads to; it never turns back against ``way``."""
        head = {DOWN: "▼", UP: "▲", RIGHT: "▶", LEFT: "◀"}[way]
        ends, seen, stack = set(), set(), [(x, y, way)]
        while stack:
            here = stack.pop()
            if here in seen:
                continue
            seen.add(here)
            x, y, step = here
            glyph = self.at(x, y)
            if glyph == head:
                ends.add((x + way[0], y + way[1]))
                continue
            arms = _ARMS[glyph]
            if _OPPOSITE[step] not in arms:  # a line that passes over ours
                assert step != way, f"a line ends at {x},{y}"
                stack.append((x + step[0], y + step[1], step))
                continue
            onward = [arm for arm in arms if arm not in {_OPPOSITE[step], _OPPOSITE[way]}]
            stack.extend((x + arm[0], y + arm[1], arm) for arm in onward)
        return ends

    def _box(self, frames: Iterable[Frame], x: int, y: int) -> str:
        hit = [frame.name for frame in frames if frame.holds(x, y)]
        assert len(hit) == 1, f"an arrow ends at {x},{y}, where there is no box"
        return hit[0]
