"""What the rules look at: one spec, its graph, its handler, and what was found around them.

Invariant: facts only, gathered once; a rule reads them and yields findings.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from wfctl.check.model import ModelFact, Sources, Surroundings
from wfctl.check.names import NameKind, Names, resolve
from wfctl.check.parts import connected_parts
from wfctl.check.url import Url, read_url
from wfctl.dag.graph import Dag
from wfctl.diagnostics.model import Span
from wfctl.handler_facts import FunctionFact, HandlerFacts
from wfctl.spec.model import ModelSpec, WorkflowSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One workflow under examination."""

    sources: Sources
    spec: WorkflowSpec
    dag: Dag
    mended: Dag
    """The dag as it was surely meant: mistyped names replaced by what they look like, so that one slip of the
    fingers is not also reported as a second entry and an unused model."""
    parts: tuple[frozenset[str], ...]
    """The connected parts of ``mended``: the one around the first entry, then the others in the order of the text."""
    handler: HandlerFacts | None
    """``None`` if there is no handler, or it is not Python."""
    surroundings: Surroundings
    names: Names
    places: Mapping[str, Span]
    """Name -> where the dag has it: its key, or else the first edge that leads to it. What a mistyped name was
    surely meant to be stands at the place of the mistyped one."""
    urls: tuple[tuple[ModelSpec, Url], ...]
    """Each model that has a url, with the url taken apart."""
    is_whole: bool = True
    """False where parts of the dag could not be read: what is missing from it says nothing."""

    @property
    def handler_is_missing(self) -> bool:
        """Whether there is no handler file at all."""
        return self.sources.handler is None

    def fact_about(self, model: ModelSpec) -> ModelFact | None:
        """Return what was found of a model's archive; ``None`` if nobody looked."""
        return (self.surroundings.models or {}).get(model.name)

    def used_functions(self) -> tuple[FunctionFact, ...]:
        """Return the handler's functions that the dag calls, in the order of the dag."""
        if self.handler is None:
            return ()
        return tuple(self.handler.functions[name] for name in self.names.of_kind(NameKind.FUNCTION))


def examine(
    sources: Sources,
    spec: WorkflowSpec,
    handler: HandlerFacts | None,
    surroundings: Surroundings,
    *,
    is_whole: bool = True,
) -> Subject:
    """Gather what the rules need."""
    dag = graph_of(spec)
    names = resolve(spec, dag, handler)
    meant = {name: matches[0] for name, matches in names.matches.items() if matches}
    mended = _mended(dag, meant)
    return Subject(
        sources=sources,
        spec=spec,
        dag=dag,
        mended=mended,
        parts=connected_parts(mended),
        handler=handler,
        surroundings=surroundings,
        names=names,
        places=_places(spec, meant),
        urls=tuple((model, read_url(model.url)) for model in spec.models.values() if model.url),
        is_whole=is_whole,
    )


def graph_of(spec: WorkflowSpec) -> Dag:
    """Return the graph of names that ``dag`` describes."""
    return Dag.from_edges(
        (entry.name for entry in spec.dag),
        ((entry.name, target.name) for entry in spec.dag for target in entry.targets),
    )


def _mended(dag: Dag, meant: Mapping[str, str]) -> Dag:
    if not meant:
        return dag
    return Dag.from_edges(
        (meant.get(name, name) for name in dag.nodes),
        ((meant.get(a, a), meant.get(b, b)) for a in dag.nodes for b in dag.children[a]),
    )


def _places(spec: WorkflowSpec, meant: Mapping[str, str]) -> Mapping[str, Span]:
    places: dict[str, Span] = {}
    for entry in spec.dag:
        places.setdefault(entry.name, entry.span)
    for entry in spec.dag:
        for target in entry.targets:
            places.setdefault(target.name, target.span)
    for written, name in meant.items():
        places.setdefault(name, places[written])
    return places
