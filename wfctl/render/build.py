"""From a spec and what was found in it to a drawing; unsound graphs are drawn too, with their faults marked.

Invariant: pure. Every node of the dag is drawn once and every edge once, whatever the report says; a model that
stands in no edge is drawn alone.
"""

from collections.abc import Iterator, Mapping, Sequence

from wfctl.dag.graph import Dag
from wfctl.dag.knots import knots
from wfctl.diagnostics.catalog import RULES
from wfctl.diagnostics.model import Severity, Span
from wfctl.diagnostics.report import Report
from wfctl.handler_facts import HandlerFacts
from wfctl.render.model import Drawing, DrawnEdge, DrawnNode, Shape
from wfctl.spec.model import WorkerSettings, WorkflowSpec

_Place = tuple[str, int, int]

# Findings that are said of an edge, or of the whole, though they point at a name.
_NOT_OF_NODES = frozenset({"WF301", "WF302", "WF303", "WF401"})
_DEFAULTS = WorkerSettings()
_SECOND_MS = 1000


def draw(
    *, title: str, spec: WorkflowSpec, dag: Dag | None = None, handler: HandlerFacts | None = None, report: Report
) -> Drawing:
    """Return the drawing of a spec; ``dag`` is its graph where somebody built it already."""
    graph = graph_of(spec) if dag is None else dag
    names = (*graph.nodes, *(name for name in spec.models if name not in graph.children))
    faults = _node_faults(spec, handler, report)
    return Drawing(
        title=title,
        nodes=tuple(
            DrawnNode(name=name, shape=_shape(name, spec, handler), detail=_detail(name, spec), fault=faults.get(name))
            for name in names
        ),
        edges=tuple(_edges(graph, spec, report)),
    )


def graph_of(spec: WorkflowSpec) -> Dag:
    """Return the graph that ``dag`` describes."""
    return Dag.from_edges(
        (entry.name for entry in spec.dag),
        ((entry.name, target.name) for entry in spec.dag for target in entry.targets),
    )


def _shape(name: str, spec: WorkflowSpec, handler: HandlerFacts | None) -> Shape:
    if name in spec.models:
        return Shape.MODEL
    # Without a handler nobody knows better: any other name is a function then.
    is_function = handler is None or handler.has_star_import or name in handler.functions
    return Shape.FUNCTION if is_function else Shape.UNKNOWN


def _detail(name: str, spec: WorkflowSpec) -> str:
    model = spec.models.get(name)
    settings = spec.function_settings(name) if model is None else model.settings
    return " · ".join(_worth_saying(settings, spec.defaults.timeout_ms))


def _worth_saying(settings: WorkerSettings, usual_timeout_ms: int) -> Iterator[str]:
    """Yield what differs from the defaults; of the timeouts only those that are not the spec's own for all nodes."""
    low, high = settings.min_workers, settings.max_workers
    if (low, high) != (_DEFAULTS.min_workers, _DEFAULTS.max_workers):
        yield f"workers {high}" if low == high else f"workers {low}-{high}"
    if settings.batch_size != _DEFAULTS.batch_size:
        yield f"batch {settings.batch_size}"
        # A delay means something only where a batch can fill.
        yield f"delay {_time(settings.max_batch_delay_ms)}"
    if settings.retry_attempts != _DEFAULTS.retry_attempts:
        yield f"retry {settings.retry_attempts}"
    if settings.timeout_ms != usual_timeout_ms:
        yield f"timeout {_time(settings.timeout_ms)}"


def _time(milliseconds: int) -> str:
    if milliseconds and milliseconds % _SECOND_MS == 0:
        return f"{milliseconds // _SECOND_MS} s"
    return f"{milliseconds} ms"


def _edges(graph: Dag, spec: WorkflowSpec, report: Report) -> Iterator[DrawnEdge]:
    knot_of = {name: index for index, knot in enumerate(knots(graph.nodes, graph.children)) for name in knot}
    pairs = ((parent, child) for parent in graph.nodes for child in graph.children[parent])
    said = _edge_faults(spec, report)
    for source, target in pairs:
        fault = said.get((source, target))
        if source == target:
            fault = _named("WF302")
        elif source in knot_of and knot_of[source] == knot_of.get(target):
            fault = _named("WF301")
        yield DrawnEdge(source=source, target=target, fault=fault)


def _named(code: str) -> str:
    return f"{code} {RULES[code].name}"


def _place(span: Span) -> _Place:
    return (span.source.name, span.start.offset, span.end.offset)


def _edge_faults(spec: WorkflowSpec, report: Report) -> dict[tuple[str, str], str]:
    """Return the repeated edges; circles and loops are seen in the graph itself."""
    at = {_place(finding.span): finding.code for finding in report if finding.code == "WF303" and finding.span}
    return {
        (entry.name, target.name): _named(at[_place(target.span)])
        for entry in spec.dag
        for target in entry.targets
        if _place(target.span) in at
    }


def _node_faults(spec: WorkflowSpec, handler: HandlerFacts | None, report: Report) -> dict[str, str]:
    """Return the first and worst finding at a place that belongs to a node."""
    owner = dict(_owners(spec, handler))
    worst: dict[str, tuple[Severity, str]] = {}
    for finding in report:
        if finding.span is None or finding.severity is Severity.NOTE or finding.code in _NOT_OF_NODES:
            continue
        name = owner.get(_place(finding.span))
        if name is not None and (name not in worst or finding.severity > worst[name][0]):
            worst[name] = (finding.severity, _named(finding.code))
    return {name: fault for name, (_, fault) in worst.items()}


def _owners(spec: WorkflowSpec, handler: HandlerFacts | None) -> Iterator[tuple[_Place, str]]:
    for entry in spec.dag:
        yield from ((_place(target.span), target.name) for target in entry.targets)
        yield _place(entry.span), entry.name
    for model in spec.models.values():
        spans: Sequence[Span | None] = (model.url_span, *model.spans.values(), model.name_span)
        yield from ((_place(span), model.name) for span in spans if span)
    functions: Mapping[str, Span] = {} if handler is None else {f.name: f.span for f in handler.functions.values()}
    yield from ((_place(span), name) for name, span in functions.items())
