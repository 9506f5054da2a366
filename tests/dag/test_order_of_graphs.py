"""Orders of graphs: topological order, levels, reachability, circles."""

import time

from hypothesis import given, settings
from hypothesis import strategies as st

from wfctl.dag.graph import Dag
from wfctl.dag.order import cycles, levels, reachable, topological

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


def test_levels_count_the_longest_way():
    assert levels(graph("ab", "bc", "ac", "cd")) == {"a": 0, "b": 1, "c": 2, "d": 3}


def test_a_sound_graph_has_no_circle():
    assert cycles(graph("ab", "bc", "ac")) == ()


def test_a_circle_begins_with_its_first_node_and_follows_its_edges():
    assert cycles(graph("xb", "bc", "cd", "db", "dy")) == (("b", "c", "d"),)


def test_each_knot_gives_one_circle_in_the_order_of_the_nodes():
    found = cycles(Dag.from_edges("zyxw", [("y", "x"), ("x", "y"), ("z", "w"), ("w", "z"), ("x", "z")]))
    assert found == (("z", "w"), ("y", "x"))


def test_the_circle_through_the_first_node_is_as_short_as_can_be():
    assert cycles(graph("ab", "bc", "cd", "da", "ca")) == (("a", "b", "c"),)


def test_a_node_that_feeds_into_itself_is_no_circle():
    assert cycles(graph("aa", "ab")) == ()
    assert cycles(graph("aa", "ab", "ba")) == (("a", "b"),)


def test_graphs_of_ten_thousand_nodes_take_no_recursion_and_little_time():
    chain = [(str(n), str(n + 1)) for n in range(10_000)]
    started = time.process_time()
    line, ring = Dag.from_edges((), chain), Dag.from_edges((), [*chain, ("10000", "0")])
    assert len(topological(line)) == 10_001
    assert levels(line)["10000"] == 10_000
    assert cycles(line) == ()
    assert cycles(ring) == (ring.nodes,)
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
def test_every_edge_of_a_circle_is_an_edge_of_the_graph(pairs):
    dag = Dag.from_edges((), pairs)
    found = cycles(dag)
    for circle in found:
        assert len(set(circle)) == len(circle) > 1
        assert circle[0] == min(circle, key=dag.nodes.index)
        for name, following in zip(circle, (*circle[1:], circle[0]), strict=True):
            assert following in dag.children[name]
    assert list(found) == sorted(found, key=lambda circle: dag.nodes.index(circle[0]))


@settings(deadline=None)
@given(edges)
def test_there_is_a_circle_for_each_knot_and_only_then(pairs):
    dag = Dag.from_edges((), pairs)
    knots = {
        frozenset(other for other in reachable(dag, [name]) if name in reachable(dag, [other])) for name in dag.nodes
    }
    in_circles = [next(knot for knot in knots if circle[0] in knot) for circle in cycles(dag)]
    assert len(in_circles) == len(set(in_circles))
    assert set(in_circles) == {knot for knot in knots if len(knot) > 1}
