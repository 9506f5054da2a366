"""Ranks, orders and places, on random graphs."""

import random
from itertools import combinations, pairwise

import pytest
from drawn import drawing, graphs
from hypothesis import given, settings
from hypothesis import strategies as st

from wfctl.dag.graph import Dag
from wfctl.dag.order import topological
from wfctl.render.channel import Wire, assign_tracks, spread
from wfctl.render.crossing import count_crossings, order_ranks
from wfctl.render.grid import Grid, lay
from wfctl.render.layers import BEND_LIMIT, EDGE_LIMIT, BeyondDrawingError, Layers, layer
from wfctl.render.model import Drawing
from wfctl.render.plane import Plane, spread_out
from wfctl.render.ranks import assign_ranks, backward_edges, components
from wfctl.render.terminal import Way, extents_of

EDGES = st.integers(1, 12).flatmap(
    lambda count: st.tuples(
        st.just(count),
        st.lists(st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)), max_size=30, unique=True),
    )
)


@given(EDGES)
def test_without_its_backward_edges_a_graph_has_no_circle(graph: tuple[int, list[tuple[int, int]]]) -> None:
    count, edges = graph
    back = backward_edges(count, edges)
    left = [edge for edge in edges if edge not in back]
    dag = Dag.from_edges(map(str, range(count)), ((str(a), str(b)) for a, b in left))
    assert len(topological(dag)) == count


@given(EDGES)
def test_a_graph_without_circles_keeps_every_edge(graph: tuple[int, list[tuple[int, int]]]) -> None:
    count, edges = graph
    assert not backward_edges(count, [(a, b) for a, b in edges if a < b])


@given(EDGES)
def test_edges_lead_to_higher_ranks(graph: tuple[int, list[tuple[int, int]]]) -> None:
    count, edges = graph
    laid = [(a, b) for a, b in edges if a < b]
    ranks = assign_ranks(count, laid)
    assert all(ranks[a] < ranks[b] for a, b in laid)
    assert min(ranks) >= 0


def test_an_entry_stands_right_above_its_only_child() -> None:
    assert assign_ranks(4, [(0, 1), (1, 2), (3, 2)]) == [0, 1, 2, 1]


def test_parts_are_what_hangs_together() -> None:
    assert components(6, [(0, 3), (4, 3), (1, 2)]) == [[0, 3, 4], [1, 2], [5]]


def test_ordering_undoes_a_crossing() -> None:
    up, down = [[], [], [1], [0]], [[3], [2], [], []]
    ordered = order_ranks([[0, 1], [2, 3]], up, down)
    assert count_crossings(ordered, down) == 0


def test_crossings_are_counted_as_pairs() -> None:
    assert count_crossings([[0, 1, 2], [3, 4, 5]], [[5], [4], [3], [], [], []]) == 3


@given(graphs())
def test_every_item_stands_once_and_chains_go_down_rank_by_rank(graph: Drawing) -> None:
    layers = layer(graph)
    ranks = {item: number for part in layers.parts for number, rank in enumerate(part) for item in rank}
    items = [item for part in layers.parts for rank in part for item in rank]
    assert sorted(items) == list(range(len(layers.up)))
    for edge, chain in layers.chains.items():
        names = (graph.nodes[chain[0]].name, graph.nodes[chain[-1]].name)
        ends = (graph.edges[edge].source, graph.edges[edge].target)
        assert names == (ends[::-1] if layers.strands[edge].backward_edge is not None else ends)
        assert all(ranks[b] == ranks[a] + 1 for a, b in pairwise(chain))


@given(graphs())
def test_the_same_graph_gives_the_same_layers(graph: Drawing) -> None:
    assert layer(graph) == layer(graph)


def _grids(graph: Drawing, way: Way) -> list[tuple[Layers, Grid]]:
    layers = layer(graph)
    return [(layers, lay(layers, part, extents_of(graph, layers, part, way), way.pitch)) for part in layers.parts]


@given(graphs(), st.booleans())
@settings(max_examples=150, deadline=None)
def test_boxes_on_the_grid_keep_their_distance(graph: Drawing, is_turned: bool) -> None:
    way = Way(is_turned=is_turned, is_ascii=False)
    for _, grid in _grids(graph, way):
        for rank in grid.ranks:
            for left, right in pairwise(rank):
                end = grid.column[left] + grid.extents[left].after + grid.extents[left].margin
                assert end + 1 < grid.column[right] - grid.extents[right].before + 1
        for (_, end), (start, _) in pairwise(grid.bands):
            assert end < start


@given(graphs(), st.booleans())
@settings(max_examples=150, deadline=None)
def test_wires_of_two_bundles_never_share_a_cell_along_one_line(graph: Drawing, is_turned: bool) -> None:
    way = Way(is_turned=is_turned, is_ascii=False)
    for _, grid in _grids(graph, way):
        for channel in grid.channels:
            for a, b in combinations(channel.wires, 2):
                if a.track == b.track and a.track >= 0:
                    assert a.high + 1 < b.low or b.high + 1 < a.low
                if set(a.stems) & set(b.drops) and a.bundle != b.bundle:
                    assert a.track < b.track


def test_wires_that_block_each_other_make_a_detour() -> None:
    wires = [Wire(bundle=0, stems=[0], drops=[8]), Wire(bundle=1, stems=[8], drops=[0])]
    assert assign_tracks(wires) == 3
    detour = wires[2]
    assert detour.parent is wires[0]
    assert detour.drops == [8]
    assert detour.stems == wires[0].drops
    assert wires[0].track < wires[1].track < detour.track


@given(st.integers(-20, 20), st.lists(st.integers(-40, 40), min_size=2, max_size=6), st.integers(1, 2))
def test_ports_stay_in_reach_and_apart(centre: int, wanted: list[int], pitch: int) -> None:
    half = pitch * len(wanted)
    found = spread(centre, sorted(wanted), (centre - half, centre + half), pitch)
    assert all(b - a >= pitch for a, b in pairwise(found))
    assert found[0] >= centre - half
    assert found[-1] <= centre + half


def _plane(graph: Drawing, *, is_turned: bool) -> Plane:
    sizes = [(60 + 7 * (number % 3), 40 + 18 * (number % 2)) for number in range(len(graph.nodes))]
    return spread_out(layer(graph), sizes, is_turned=is_turned)


@given(graphs(), st.booleans())
@settings(max_examples=200, deadline=None)
def test_boxes_on_the_plane_never_overlap(graph: Drawing, is_turned: bool) -> None:
    plane = _plane(graph, is_turned=is_turned)
    assert len(plane.boxes) == len(graph.nodes)
    for a, b in combinations(plane.boxes.values(), 2):
        apart_x = a.x + a.width < b.x or b.x + b.width < a.x
        apart_y = a.y + a.height < b.y or b.y + b.height < a.y
        assert apart_x or apart_y
    for box in plane.boxes.values():
        assert box.x >= 0
        assert box.y >= 0
        assert box.x + box.width <= plane.width
        assert box.y + box.height <= plane.height


@given(graphs(), st.booleans())
@settings(max_examples=200, deadline=None)
def test_routes_begin_and_end_on_the_borders_of_their_boxes(graph: Drawing, is_turned: bool) -> None:
    plane = _plane(graph, is_turned=is_turned)
    number = {node.name: index for index, node in enumerate(graph.nodes)}
    for index, edge in enumerate(graph.edges):
        if edge.source == edge.target:
            assert index not in plane.routes
            continue
        points = plane.routes[index].points
        for (x, y), name in ((points[0], edge.source), (points[-1], edge.target)):
            box = plane.boxes[number[name]]
            if is_turned:
                assert x in {box.x, box.x + box.width}
                assert box.y < y < box.y + box.height
            else:
                assert y in {box.y, box.y + box.height}
                assert box.x < x < box.x + box.width


@given(graphs(), st.booleans())
@settings(max_examples=200, deadline=None)
def test_no_route_touches_a_foreign_box(graph: Drawing, is_turned: bool) -> None:
    plane = _plane(graph, is_turned=is_turned)
    for index, edge in enumerate(graph.edges):
        if index not in plane.routes:
            continue
        foreign = [
            box for number, box in plane.boxes.items() if graph.nodes[number].name not in {edge.source, edge.target}
        ]
        # A curve stays in the rectangle between its ends, so the rectangles tell. Ends may lie on a line with borders.
        for (ax, ay), (bx, by) in pairwise(plane.routes[index].points):
            for box in foreign:
                beside = (max(ax, bx) - box.x, box.x + box.width - min(ax, bx))
                above = (max(ay, by) - box.y, box.y + box.height - min(ay, by))
                along, across = (beside, above) if is_turned else (above, beside)
                assert min(along) <= 0 or min(across) < 0


def test_edges_that_skip_too_many_levels_are_refused_before_they_cost_time() -> None:
    count = 2_000
    chain = [(f"n{number}", f"n{number + 1}") for number in range(count)]
    skips = [(f"n{number}", f"n{count}") for number in range(0, count, 20)]
    with pytest.raises(BeyondDrawingError, match="skip too many levels"):
        layer(drawing([*chain, *skips]))
    assert count * len(skips) // 2 > BEND_LIMIT


def test_more_edges_than_a_picture_can_show_are_refused_before_they_cost_time() -> None:
    dense = [(f"a{a}", f"b{b}") for a in range(101) for b in range(100)]
    with pytest.raises(BeyondDrawingError, match="10100 edges are too many"):
        layer(drawing(dense))
    assert layer(drawing(dense[:EDGE_LIMIT])).count == 200


def test_a_thousand_nodes_on_thirty_ranks_are_laid_out() -> None:
    chance = random.Random(7)
    ranks = [[f"n{rank}_{number}" for number in range(33)] for rank in range(30)]
    edges = [(chance.choice(above), name) for above, below in pairwise(ranks) for name in below]
    edges += [(chance.choice(above), chance.choice(below)) for above, below in pairwise(ranks) for _ in range(18)]
    layers = layer(drawing(edges, alone=[name for rank in ranks for name in rank]))
    assert sum(item < 990 for part in layers.parts for rank in part for item in rank) == 990
