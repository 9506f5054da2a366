"""A workflow judged: its spec by the check, its functions and its models by the rules about code.

Invariant: as in ``judge``; a workflow's archive is unpacked, into a private folder, only where models lie inside.
"""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from wfctl.archive.digests import digests_in
from wfctl.archive.inside import look_through
from wfctl.archive.read_sources import Origin, ReadSources, missing_in, read_sources
from wfctl.archive.unpack import open_archive, unpack
from wfctl.check.check import check
from wfctl.check.model import Checked, ModelFact, Surroundings
from wfctl.compat.judge_model import rows_about
from wfctl.compat.merge import merged
from wfctl.compat.model import Code, HasLibrary, Judged, Row, Stores
from wfctl.compat.python_file import PythonFile, read_python
from wfctl.compat.read_model import read_files, read_model
from wfctl.compat.rules import about_code
from wfctl.compat.spec_rows import fetched_model, rows_of, sent_early, workers_follow_load
from wfctl.diagnostics.catalog import find
from wfctl.diagnostics.model import SourceText
from wfctl.errors import ArchiveError, UnreadableInputError
from wfctl.spec.model import WorkflowSpec
from wfctl.store.allow import parse_allowed
from wfctl.store.find import Places, facts_for, find_model, is_remote
from wfctl.workflow import Node, NodeKind


def judge_workflow(path: Path, stores: Stores, has_library: HasLibrary) -> Judged:
    """Judge a spec, a folder or a workflow's archive."""
    read = read_sources(path)
    places = Places(
        members=read.members,
        archive=read.archive or (path if read.members else None),
        beside=read.folder,
        model_store=stores.model_store,
        environment_store=stores.environment_store,
        allowed=parse_allowed(("file:///",)),  # what must be allowed by name is worth knowing all the same
    )
    facts: dict[str, ModelFact] = {}

    def look(spec: WorkflowSpec) -> Surroundings:
        """Look for the archives that the spec names."""
        facts.update(facts_for(spec.models, places, digest_of_member=digests_in(path), look_inside=look_through))
        return Surroundings(models=facts, missing_in_manifest=missing_in(read))

    checked = check(read.sources, look=look, compat=True)
    nodes = _nodes(checked)
    rows = list(rows_of(checked.report))
    if checked.spec is not None:
        rows += sent_early(checked.spec, nodes.values())
        rows += workers_follow_load(checked.spec, nodes.values(), facts)
    rows += about_code(_functions(path, read, nodes), has_library)
    with ExitStack() as stack:
        at = _finder(read, places, stack)
        for node in nodes.values():
            if node.kind is NodeKind.MODEL:
                rows += fetched_model(node, is_outside=_is_outside(node, places))
                rows += _about_model(node, at, rows, has_library)
    return Judged(path=str(path), name=read.name, rows=merged(rows))


def _nodes(checked: Checked) -> Mapping[str, Node]:
    """Return the nodes, those of an unsound workflow too: what is inside its models is worth knowing."""
    spec, dag = checked.spec, checked.dag
    if spec is None or dag is None:
        return {}
    return {
        name: Node(
            name=name,
            kind=NodeKind.MODEL if name in spec.models else NodeKind.FUNCTION,
            settings=spec.models[name].settings if name in spec.models else spec.function_settings(name),
            parents=dag.parents[name],
            children=dag.children[name],
            model=spec.models.get(name),
        )
        for name in dag.nodes
    }


def _functions(path: Path, read: ReadSources, nodes: Mapping[str, Node]) -> Code:
    functions = {name: node for name, node in nodes.items() if node.kind is NodeKind.FUNCTION}
    source = read.sources.handler
    handler = None if source is None else source.name.replace("\\", "/").rpartition("/")[2]
    if read.origin is not Origin.SPEC:
        with open_archive(path) as archive:
            files, members = read_files(archive, ""), archive.names()
    else:
        files = _beside(read.handler_path) if read.handler_path else ()
        members = frozenset(file.member for file in files)
    return Code(name="", files=files, members=members, handler=handler, functions=functions)


def _beside(handler: Path) -> tuple[PythonFile, ...]:
    from wfctl.archive.text_file import read_text_file

    paths = sorted(each for each in handler.parent.iterdir() if each.suffix == ".py" and each.is_file())
    texts = ((each.name, read_text_file(each).decode("utf-8", "replace")) for each in paths)
    return tuple(read_python(name, SourceText(name, text)) for name, text in texts)


def _finder(read: ReadSources, places: Places, stack: ExitStack) -> Callable[[str], Path | None]:
    """Return a function that says where a model is; the first one inside a packed workflow unpacks that."""
    unpacked: list[Path] = []

    def at(url: str) -> Path | None:
        """Find one model on this machine."""
        found = find_model(url, places)
        if found.path is not None or found.member is None:
            return found.path
        if read.archive is None:
            return read.folder / found.member
        if not unpacked:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="wfctl-compat-")))
            unpacked.append(unpack(read.archive, folder / "workflow").root)
        return unpacked[0] / found.member

    return at


def _is_outside(node: Node, places: Places) -> bool:
    """Whether a model is there, but only for those who allow it by name."""
    url = node.model.url if node.model else None
    if not url or is_remote(url):
        return False
    with_leave, without = find_model(url, places), find_model(url, replace(places, allowed=None))
    return with_leave.path is not None and without.path is None and without.member is None


def _about_model(
    node: Node, at: Callable[[str], Path | None], known: list[Row], has_library: HasLibrary
) -> Iterator[Row]:
    model = node.model
    if model is None or not model.url or is_remote(model.url):
        return
    place = at(model.url)
    if place is None:
        return  # the check says so
    about_it = [row for row in known if row.finding.span in {model.url_span, model.name_span}]
    try:
        yield from rows_about(read_model(place, place.name, node), about_it, has_library)
    except (ArchiveError, UnreadableInputError) as error:
        words = f"TorchServe could not load this archive either, or should not: {error.message}"
        yield Row(
            finding=find("WF937", words, model.url_span, help="get the archive again from where it was made"),
            nodes=(node.name,),
        )
