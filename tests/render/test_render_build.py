"""From real specs and their findings to drawings."""

from pathlib import Path

import pytest

from wfctl.check.check import check
from wfctl.check.model import Sources
from wfctl.diagnostics.model import SourceText
from wfctl.render.build import draw
from wfctl.render.model import Drawing, Shape

CASES = Path(__file__).parent.parent / "cases"
HANDLER = """
def pre(data, context):
    return data


def post(data, context):
    return data
"""


def drawn(spec: str, handler: str | None = HANDLER) -> Drawing:
    checked = check(
        Sources(
            spec=SourceText("workflow.yaml", spec),
            handler=None if handler is None else SourceText("handler.py", handler),
        )
    )
    assert checked.spec is not None
    return draw(title="t", spec=checked.spec, dag=checked.dag, handler=checked.handler, report=checked.report)


def faults(drawing: Drawing) -> dict[str, str]:
    nodes = {node.name: node.fault for node in drawing.nodes if node.fault}
    return nodes | {f"{edge.source} -> {edge.target}": edge.fault for edge in drawing.edges if edge.fault}


MODELS = "models: {m1: {url: m1.mar}, m2: {url: m2.mar}}\n"


def test_nodes_stand_in_the_order_of_the_text_with_their_kinds() -> None:
    drawing = drawn(MODELS + "dag: {pre: [m1, m2], m1: [post], m2: [post]}\n")
    assert [(node.name, node.shape) for node in drawing.nodes] == [
        ("pre", Shape.FUNCTION),
        ("m1", Shape.MODEL),
        ("m2", Shape.MODEL),
        ("post", Shape.FUNCTION),
    ]
    assert [(edge.source, edge.target) for edge in drawing.edges] == [
        ("pre", "m1"),
        ("pre", "m2"),
        ("m1", "post"),
        ("m2", "post"),
    ]
    assert faults(drawing) == {}


def test_an_unknown_name_is_neither_and_marked() -> None:
    drawing = drawn(MODELS + "dag: {pre: [m1, m2], m1: [pots], m2: [post]}\n")
    assert {node.name: node.shape for node in drawing.nodes}["pots"] is Shape.UNKNOWN
    assert faults(drawing) == {"pots": "WF304 unknown-node"}


def test_without_a_handler_other_names_are_functions() -> None:
    drawing = drawn(MODELS + "dag: {pre: [m1, m2]}\n", handler=None)
    assert drawing.nodes[0].shape is Shape.FUNCTION
    assert faults(drawing) == {}


def test_circles_and_loops_are_marked_on_their_edges_only() -> None:
    drawing = drawn(MODELS + "dag: {pre: [m1], m1: [m2, m1], m2: [m1, post]}\n")
    assert faults(drawing) == {
        "m1 -> m2": "WF301 cyclic-edge",
        "m1 -> m1": "WF302 self-loop",
        "m2 -> m1": "WF301 cyclic-edge",
    }


def test_a_repeated_edge_is_drawn_once_and_marked() -> None:
    drawing = drawn(MODELS + "dag: {pre: [m1, m2, m1]}\n")
    assert len(drawing.edges) == 2
    assert faults(drawing) == {"pre -> m1": "WF303 repeated-edge"}


def test_an_unused_model_stands_alone() -> None:
    drawing = drawn(MODELS + "dag: {pre: [m1]}\n")
    assert [node.name for node in drawing.nodes] == ["pre", "m1", "m2"]
    assert faults(drawing) == {"m2": "WF307 unused-model"}


def test_a_fault_in_a_models_settings_marks_the_model() -> None:
    drawing = drawn("models: {m1: {url: m1.mar, batch-size: 0}}\ndag: {pre: [m1]}\n")
    assert faults(drawing) == {"m1": "WF202 out-of-range"}


def test_a_fault_in_the_handler_marks_the_function() -> None:
    drawing = drawn(MODELS + "dag: {pre: [m1], m1: [m2]}\n", "def pre(data):\n    return data\n")
    assert faults(drawing) == {"pre": "WF404 wrong-arity"}


@pytest.mark.parametrize(
    ("settings", "detail"),
    [
        ("", ""),
        ("min-workers: 1, max-workers: 1, batch-size: 1", ""),
        ("max-workers: 2", "workers 1-2"),
        ("min-workers: 3, max-workers: 3", "workers 3"),
        ("batch-size: 4", "batch 4 · delay 50 ms"),
        ("batch-size: 4, max-batch-delay: 2000", "batch 4 · delay 2 s"),
        ("batch-size: 4, max-batch-delay: 0", "batch 4 · delay 0 ms"),
        ("max-workers: 2, batch-size: 4, retry-attempts: 3", "workers 1-2 · batch 4 · delay 50 ms · retry 3"),
        ("timeout-ms: 2500", "timeout 2500 ms"),
    ],
)
def test_the_second_line_tells_what_is_not_the_default(settings: str, detail: str) -> None:
    drawing = drawn(f"models: {{m1: {{url: m1.mar, {settings}}}}}\ndag: {{pre: [m1]}}\n")
    assert [node.detail for node in drawing.nodes] == ["", detail]


def test_a_timeout_for_all_is_not_repeated_in_every_box() -> None:
    drawing = drawn("models: {timeout-ms: 5000, m1: {url: m1.mar}}\ndag: {pre: [m1]}\n")
    assert [node.detail for node in drawing.nodes] == ["", ""]


@pytest.mark.parametrize("path", sorted(CASES.rglob("*.yaml")), ids=lambda path: path.stem)
def test_every_case_that_parses_is_drawn(path: Path) -> None:
    text = path.read_bytes().decode("utf-8", "replace")
    checked = check(Sources(spec=SourceText(path.name, text)))
    if checked.spec is None:
        return
    drawing = draw(title=path.stem, spec=checked.spec, dag=checked.dag, handler=None, report=checked.report)
    named = {entry.name for entry in checked.spec.dag} | {t.name for e in checked.spec.dag for t in e.targets}
    assert {node.name for node in drawing.nodes} == named | set(checked.spec.models)
    assert len({node.name for node in drawing.nodes}) == len(drawing.nodes)


def test_settings_of_a_function_are_told_too() -> None:
    drawing = drawn("dag: {pre: [post]}\nwfctl: {functions: {pre: {max-workers: 2, min-workers: 2}}}\n")
    assert [node.detail for node in drawing.nodes] == ["workers 2", ""]
