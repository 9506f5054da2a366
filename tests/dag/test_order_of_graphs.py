"""Orders of graphs: topological order, reachability, knots."""

import time

from hypothesis import given, settings
from hypothesis import strategies as st

from wfctl.dag.graph import Dag
from wfctl.dag.knots import knots
from wfctl.dag.order import reachable, topological

names = st.sampled_from("abcdefgh")
edges = st.lists(st.tuples(names, names), max_size=25)


def graph(*pairs: str) -> Dag:
    return Dag.from_edges((), [tuple(pair) for pair in pairs])


def test_nodes_stand_in_the_order_of_their_first_naming():
    dag = Dag.from_edges("ab", [("c", "a"), ("a", "d"), ("c", "a")])
    assert dag.nodes == ("a", "b", "c", "d")
    assert dag.children["c"] == ("a",)
    assert dag.entries == ("b", "c")
    assert dag.leaves == ("b", "d")


def test_graphs_of_ten_thousand_nodes_take_no_recursion_and_little_time():
    chain = [(str(n), str(n + 1)) for n in range(10_000)]
    started = time.process_time()
    line, ring = Dag.from_edges((), chain), Dag.from_edges((), [*chain, ("10000", "0")])
    assert len(topological(line)) == 10_001
    assert knots(line.nodes, line.children) == []
    assert [set(knot) for knot in knots(ring.nodes, ring.children)] == [set(ring.nodes)]
    assert reachable(ring, ["5000"]) == set(ring.nodes)
    assert time.process_time() - started < 2


@settings(deadline=None)
@given(edges)
def test_a_topological_order_has_parents_first_and_leaves_out_what_is_on_or_behind_circles(pairs):
    dag = Dag.from_edges((), pairs)
    order = topological(dag)
    place = {name: index for index, name in enumerate(order)}
    assert all(place[parent] < place[name] for name in order for parent in dag.parents[name])
    looped = {name for name in dag.nodes if name in reachable(dag, dag.children[name])}
    assert set(order) == set(dag.nodes) - reachable(dag, looped)


@settings(deadline=None)
@given(edges)
def test_a_knot_is_who_reaches_each_other(pairs):
    dag = Dag.from_edges((), pairs)
    mutual = {
        frozenset(other for other in reachable(dag, [name]) if name in reachable(dag, [other])) for name in dag.nodes
    }
    found = [frozenset(knot) for knot in knots(dag.nodes, dag.children)]
    assert len(found) == len(set(found))
    assert set(found) == {knot for knot in mutual if len(knot) > 1}
