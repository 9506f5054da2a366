"""The manifests of ``.war`` and ``.mar`` archives: JSON bytes to values and back.

Invariant: pure. A file name read from a manifest stays inside the archive, or the manifest is refused.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from wfctl import __version__
from wfctl.archive.names import clean_name, shortened
from wfctl.errors import ArchiveError

WAR_MANIFEST: Final = "WAR-INF/MANIFEST.json"
MAR_MANIFEST: Final = "MAR-INF/MANIFEST.json"
UNDATED: Final = "01/01/1980 00:00:00"
RUNTIMES: Final = ("python", "python3", "LSP")
_DEMANDED: Final = {
    "archiverVersion": "Workflow archive version is not defined.",
    "createdOn": "Workflow archive createdOn is not defined.",
}
"""What nobody needs and the original refuses to do without -> its words, which scripts may know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WarManifest:
    """What ``WAR-INF/MANIFEST.json`` says."""

    workflow_name: str | None
    """``None`` where the archive leaves it to whoever registers it."""
    spec_file: str
    handler: str | None = None
    """Member with the functions; ``None`` where the dag has none."""
    created_on: str = UNDATED
    archiver_version: str = __version__
    description: str | None = None
    missing: Mapping[str, str] = field(default_factory=dict)
    """Key that is not there and that we can do without -> what the original says, which cannot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MarManifest:
    """What ``MAR-INF/MANIFEST.json`` says; what it leaves out has the original's defaults."""

    model_name: str | None = None
    model_version: str = "1.0"
    handler: str | None = None
    """``file.py``, ``module``, ``module:function`` or the name of a built-in."""
    serialized_file: str | None = None
    model_file: str | None = None
    config_file: str | None = None
    requirements_file: str | None = None
    envelope: str | None = None
    source_vocab: str | None = None
    """The words that a text handler knows; only old archivers wrote it."""
    runtime: str = "python"
    created_on: str | None = None
    archiver_version: str | None = None
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """The whole object as it stands in the archive, for handlers that read it."""


def parse_war_manifest(raw: bytes, *, name: str | None = None) -> WarManifest:
    """Read a workflow's manifest; ``name`` stands in for a missing ``workflowName`` and beats a given one.

    Raises ``ArchiveError`` for what no spec can be found by.
    """
    top = _read_object(raw, WAR_MANIFEST)
    workflow = _section(top, "workflow")
    workflow_name = name or _text(workflow, "workflowName")
    spec_file = _member(workflow, "specFile")
    if spec_file is None:
        raise _missing("workflow.specFile")
    handler = _member(workflow, "handler")
    if handler is not None and ":" in handler:
        raise ArchiveError(
            f'"handler" in the manifest is "{handler}"; a workflow\'s handler is a file, without a function',
            member=WAR_MANIFEST,
        )
    return WarManifest(
        workflow_name=workflow_name,
        spec_file=spec_file,
        handler=handler,
        created_on=_text(top, "createdOn") or UNDATED,
        archiver_version=_text(top, "archiverVersion") or "",
        description=_text(top, "description"),
        missing=_missing_in(top, is_named=workflow_name is not None),
    )


def _missing_in(top: Mapping[str, Any], *, is_named: bool) -> dict[str, str]:
    missing = {key: words for key, words in _DEMANDED.items() if _text(top, key) is None}
    return missing if is_named else {"workflow.workflowName": "Workflow name is not defined.", **missing}


def parse_mar_manifest(raw: bytes) -> MarManifest:
    """Read a model's manifest; raise ``ArchiveError`` where it is for a runtime that is none."""
    manifest = read_mar_manifest(raw)
    if manifest.runtime not in RUNTIMES:
        what = f'the runtime "{shortened(manifest.runtime)}"' if manifest.runtime else "an empty runtime"
        raise ArchiveError(
            f"the manifest names {what}; it is none of {', '.join(RUNTIMES)}",
            member=MAR_MANIFEST,
            hint='write "runtime": "python" in the manifest, or leave it out',
        )
    return manifest


def read_mar_manifest(raw: bytes) -> MarManifest:
    """Read a model's manifest, whatever runtime it is for; an empty one is ``""``."""
    top = _read_object(raw, MAR_MANIFEST)
    model = _section(top, "model")
    runtime = (_text(top, "runtime") or "") if "runtime" in top else "python"
    return MarManifest(
        model_name=_text(model, "modelName"),
        model_version=_text(model, "modelVersion") or "1.0",
        handler=_model_handler(model),
        serialized_file=_member(model, "serializedFile"),
        model_file=_member(model, "modelFile"),
        config_file=_member(model, "configFile"),
        requirements_file=_member(model, "requirementsFile"),
        envelope=_text(model, "envelope"),
        source_vocab=_text(model, "sourceVocab"),
        runtime=runtime,
        created_on=_text(top, "createdOn"),
        archiver_version=_text(top, "archiverVersion"),
        raw=top,
    )


def format_war_manifest(manifest: WarManifest) -> bytes:
    """Write a workflow's manifest."""
    return _write_object(
        {
            "createdOn": manifest.created_on,
            "archiverVersion": manifest.archiver_version,
            "description": manifest.description,
            "workflow": {
                "workflowName": manifest.workflow_name,
                "specFile": manifest.spec_file,
                "handler": manifest.handler,
            },
        }
    )


def format_mar_manifest(manifest: MarManifest) -> bytes:
    """Write a model's manifest, with the keys of the original archiver."""
    return _write_object(
        {
            "createdOn": manifest.created_on or UNDATED,
            "runtime": manifest.runtime,
            "model": {
                "modelName": manifest.model_name,
                "serializedFile": manifest.serialized_file,
                "handler": manifest.handler,
                "modelFile": manifest.model_file,
                "modelVersion": manifest.model_version,
                "requirementsFile": manifest.requirements_file,
                "configFile": manifest.config_file,
            },
            "archiverVersion": manifest.archiver_version or __version__,
        }
    )


def _write_object(value: Mapping[str, Any]) -> bytes:
    text = json.dumps(_without_nones(value), indent=2, ensure_ascii=False) + "\n"
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        word = ascii(error.object[error.start : error.end])
        raise ArchiveError(f"the manifest cannot hold {word}: a name in it is no UTF-8 text") from error


def _without_nones(value: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: _without_nones(item) if isinstance(item, dict) else item for key, item in value.items() if item is not None
    }


def _read_object(raw: bytes, member: str) -> dict[str, Any]:
    try:
        # Not strict: the original's reader takes tabs and line ends inside a text, and hand-made manifests have them.
        value = json.loads(raw.decode("utf-8-sig"), object_pairs_hook=_unique, strict=False)
    except (ValueError, RecursionError) as error:
        why = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise ArchiveError(f"the manifest is not JSON: {why}", member=member) from error
    if not isinstance(value, dict):
        raise ArchiveError("the manifest is no JSON object", member=member)
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ArchiveError(f'"{shortened(key)}" stands twice in one object of the manifest')
        found[key] = value
    return found


def _section(top: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    section = top.get(key, {})
    if not isinstance(section, dict):
        raise ArchiveError(f'"{key}" in the manifest is no JSON object')
    return section


def _text(section: Mapping[str, Any], key: str) -> str | None:
    value = section.get(key)
    if value is None or isinstance(value, str):
        return value or None
    # As the original reads them: hand-made manifests write versions and dates as numbers.
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    raise ArchiveError(f'"{key}" in the manifest is no text')


def _missing(key: str) -> ArchiveError:
    return ArchiveError(f'the manifest has no "{key}"', member=WAR_MANIFEST)


def _member(section: Mapping[str, Any], key: str) -> str | None:
    value = _text(section, key)
    if value is None:
        return None
    return _inside(value, key)


def _inside(value: str, key: str) -> str:
    try:
        name = clean_name(value)
    except ArchiveError:
        name = ""
    if not name:
        raise ArchiveError(f'"{key}" in the manifest names no file of the archive: "{value}"', member=value)
    return name


def _model_handler(model: Mapping[str, Any]) -> str | None:
    value = _text(model, "handler")
    if value is None:
        return None
    file, colon, function = value.partition(":")
    return f"{_inside(file, 'handler')}{colon}{function}"
