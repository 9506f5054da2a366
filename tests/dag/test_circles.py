from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wfctl.dag.circles import circles
from wfctl.dag.graph import Dag
from wfctl.dag.order import topological

NAMES = "abcdefg"


def _dag(*edges: str) -> Dag:
    return Dag.from_edges((), ((edge[0], edge[1]) for edge in edges))


@pytest.mark.parametrize(
    ("edges", "expected"),
    [
        (("ab", "bc"), []),
        (("aa",), []),
        (("ab", "ba"), ["ab"]),
        (("ab", "bc", "ca"), ["abc"]),
        (("xa", "ab", "bc", "ca", "cy"), ["abc"]),
        (("ab", "bc", "cd", "da", "ca"), ["abc", "abcd"]),
        (("ab", "ba", "bc", "cb"), ["ab", "bc"]),
        (("cd", "dc", "ab", "ba"), ["cd", "ab"]),
    ],
)
def test_circles_start_at_their_first_node_and_go_the_shortest_way(edges: tuple[str, ...], expected: list[str]) -> None:
    assert ["".join(circle) for circle in circles(_dag(*edges))] == expected


@given(st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES)), max_size=20))
def test_there_are_circles_exactly_where_there_is_no_order(pairs: list[tuple[str, str]]) -> None:
    edges = [(a, b) for a, b in pairs if a != b]
    dag = Dag.from_edges(NAMES, edges)
    found = list(circles(dag))
    assert bool(found) == (len(topological(dag)) < len(NAMES))
    assert len(set(found)) == len(found)
    for circle in found:
        assert len(set(circle)) == len(circle)
        assert all(b in dag.children[a] for a, b in zip(circle, (*circle[1:], circle[0]), strict=True))


def test_a_knot_of_everything_ends_after_bounded_work() -> None:
    names = [str(number) for number in range(300)]
    dag = Dag.from_edges(names, ((a, b) for a in names for b in names if a != b))
    assert 1 <= len(list(circles(dag))) <= 10


def test_a_circle_of_many_thousand_nodes_needs_no_recursion() -> None:
    count = 10_000
    dag = Dag.from_edges((), ((str(n), str((n + 1) % count)) for n in range(count)))
    (circle,) = circles(dag)
    assert len(circle) == count


def test_many_circles_are_all_found() -> None:
    dag = Dag.from_edges((), (edge for n in range(1000) for edge in ((f"a{n}", f"b{n}"), (f"b{n}", f"a{n}"))))
    assert list(islice(circles(dag), 2)) == [("a0", "b0"), ("a1", "b1")]
    assert len(list(circles(dag))) == 1000
