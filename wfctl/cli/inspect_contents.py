"""What there is to say about an archive, gathered once for both forms of output.

Invariant: members are streamed and hashed, texts are parsed; nothing is imported, unpickled or written.
"""

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from wfctl.archive.handler_member import handler_member, handler_module_of
from wfctl.archive.inside import inside_of, look_inside
from wfctl.archive.manifest import MAR_MANIFEST, RUNTIMES, WAR_MANIFEST, MarManifest, read_mar_manifest
from wfctl.archive.mar import PACKED_WITHOUT_FILE
from wfctl.archive.peek import ContentKind
from wfctl.archive.read_sources import ReadSources, missing_in, read_sources
from wfctl.archive.unpack import Container, ListedMember, open_archive
from wfctl.check.check import check
from wfctl.check.model import Checked, Inside, Surroundings
from wfctl.diagnostics.report import Report
from wfctl.errors import ArchiveError
from wfctl.hosting.ts_names import BUILT_IN_HANDLERS
from wfctl.spec.model import WorkflowSpec
from wfctl.store.find import Places, facts_for, find_model, is_remote

_RISKS: Final = {
    ContentKind.PICKLE: "is a pickle: loading it may run anything",
    ContentKind.TORCH_SAVE: "is a pickle (torch.save): loading it may run anything",
    ContentKind.TORCHSCRIPT: "is TorchScript: a program of its own, which torch runs",
    ContentKind.NATIVE: "is native code: loading it runs it",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeLine:
    """One node and what it would run."""

    name: str
    kind: str
    runs: str
    where: str | None
    """Where a model's archive is; ``None`` for a function, and for a model that is not found."""
    children: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """One archive."""

    path: Path
    kind: str
    """``war`` or ``mar``."""
    container: Container
    sha256: str | None
    """Digest of the file; ``None`` for a folder."""
    manifest: dict[str, Any]
    """As it stands in the archive."""
    summary: tuple[tuple[str, str], ...]
    """The manifest for people."""
    members: tuple[ListedMember, ...]
    nodes: tuple[NodeLine, ...] = ()
    report: Report | None = None
    """Findings about a workflow."""
    warnings: tuple[str, ...] = ()
    inside: Inside | None = None
    """What a model's archive says of itself; ``None`` for a workflow."""

    @property
    def size(self) -> int:
        """Bytes of all members together."""
        return sum(member.size for member in self.members)


def read_contents(path: Path, model_store: Path | None) -> Contents:
    """Gather all there is to say about the archive at ``path``."""
    with open_archive(path) as archive:
        members = tuple(sorted(archive.listing(), key=lambda member: member.name))
        names = {member.name for member in members}
        kind = "war" if WAR_MANIFEST in names else "mar"
        member = WAR_MANIFEST if kind == "war" else MAR_MANIFEST
        raw = archive.read(member, archive.budgets.manifest_bytes)
        if raw is None:
            hint = "wfctl validate looks at a folder that is not packed yet" if archive.root else None
            raise ArchiveError(f"it has neither {WAR_MANIFEST} nor {MAR_MANIFEST}", hint=hint)
        model = read_mar_manifest(raw) if kind == "mar" else None
        inside = inside_of(archive.read, judges_requirements=True) if model else None
        container, sha256 = archive.container, archive.sha256()
        nested = tuple(fault.message for fault in archive.nested_faults())
    about = _about_workflow(path, members, model_store) if model is None else _about_model(model, members)
    about["warnings"] += nested
    return Contents(
        path=path,
        kind=kind,
        container=container,
        sha256=sha256,
        manifest=json.loads(raw.decode("utf-8-sig")),
        members=members,
        inside=inside,
        **about,
    )


def _about_workflow(path: Path, members: tuple[ListedMember, ...], model_store: Path | None) -> dict[str, Any]:
    read = read_sources(path)
    manifest = read.manifest
    if manifest is None:
        raise ArchiveError(f"it has no {WAR_MANIFEST}")
    places = Places(members=read.members, archive=path, beside=read.folder, model_store=model_store)
    digests = {member.name: member.sha256 for member in members}

    def look(spec: WorkflowSpec) -> Surroundings:
        """Look for the models; one that is not here may be where the archive will run, and is no finding."""
        facts = facts_for(spec.models, places, digest_of_member=digests.get, look_inside=look_inside)
        there = {name: fact for name, fact in facts.items() if fact.found}
        return Surroundings(models=there, missing_in_manifest=missing_in(read))

    checked = check(read.sources, look=look)
    return {
        "summary": (
            ("name", manifest.workflow_name),
            ("spec", manifest.spec_file),
            ("handler", manifest.handler or "none"),
            ("created", f"{manifest.created_on} by {manifest.archiver_version or 'an unknown archiver'}"),
        ),
        "nodes": tuple(_nodes(read, checked, places)),
        "report": checked.report,
        "warnings": tuple(_risks(members)),
    }


def _nodes(read: ReadSources, checked: Checked, places: Places) -> Iterator[NodeLine]:
    handler = read.sources.handler
    file = "a handler that is missing" if handler is None else Path(handler.name).name
    for node in checked.workflow or ():
        url = node.model.url if node.model else None
        yield NodeLine(
            name=node.name,
            kind=node.kind.value,
            runs=f"{file}: {node.name}" if node.model is None else url or "nothing",
            where=_where(url, places),
            children=node.children,
        )


def _where(url: str | None, places: Places) -> str | None:
    if url is None or is_remote(url):
        return url
    found = find_model(url, places)
    return str(found.path) if found.path else (f"inside, {found.member}" if found.member else None)


def _about_model(manifest: MarManifest, members: tuple[ListedMember, ...]) -> dict[str, Any]:
    by_name = {member.name: member for member in members}
    rows = [
        ("name", manifest.model_name or "none"),
        ("version", manifest.model_version),
        ("handler", _handler(manifest, by_name.keys())),
        ("weights", _weights(manifest, by_name)),
        ("model file", manifest.model_file),
        ("config", manifest.config_file),
        ("requirements", manifest.requirements_file),
        ("runtime", manifest.runtime),
        ("created", f"{manifest.created_on or 'never'} by {manifest.archiver_version or 'an unknown archiver'}"),
    ]
    missing = [
        f'the manifest names "{name}", which is not in the archive'
        for name in (manifest.serialized_file, manifest.model_file, manifest.config_file, manifest.requirements_file)
        if name and name not in by_name
    ]
    return {
        "summary": tuple((label, value) for label, value in rows if value),
        "warnings": (*missing, *_other_runtime(manifest), *_risks(members)),
    }


def _other_runtime(manifest: MarManifest) -> Iterator[str]:
    if manifest.runtime == "LSP":
        yield "the model is for the C++ runtime, which wfctl run does not have"
    elif manifest.runtime not in RUNTIMES:
        yield f'the runtime "{manifest.runtime}" is none of {", ".join(RUNTIMES)}; such a model is refused'


def _handler(manifest: MarManifest, names: Collection[str]) -> str:
    if manifest.handler is None:
        return "none"
    file, colon, function = manifest.handler.partition(":")
    inside = handler_member(manifest.handler, names)
    if inside is None:
        return f"{file} ({_without_file(handler_module_of(file))})"
    return f"{inside}, function {function}" if colon else inside


def _without_file(name: str) -> str:
    if name in BUILT_IN_HANDLERS:
        return "built in"
    return "built into TorchServe, not here" if name in PACKED_WITHOUT_FILE else "not in the archive"


def _weights(manifest: MarManifest, members: dict[str, ListedMember]) -> str | None:
    name = manifest.serialized_file
    if name is None:
        return None
    member = members.get(name)
    return f"{name} ({member.content})" if member else f"{name} (not in the archive)"


def _risks(members: tuple[ListedMember, ...]) -> Iterator[str]:
    for member in members:
        risk = _RISKS.get(member.content)
        if risk:
            yield f'"{member.name}" {risk}'
