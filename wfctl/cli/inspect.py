"""``wfctl inspect``: what is inside a ``.war`` or ``.mar``, and what would run; nothing of it is run."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from wfctl.check.model import Inside, UnmetRequirement
from wfctl.check.rules.archives import fates
from wfctl.cli.console import answer
from wfctl.cli.discover import find_archive
from wfctl.cli.inspect_contents import Contents, NodeLine, read_contents
from wfctl.cli.options import model_store_option, workflow_store_option
from wfctl.cli.printable import printable
from wfctl.cli.reporters.summary import counted
from wfctl.cli.sizes import columns, human_size
from wfctl.diagnostics.model import Severity
from wfctl.workflow import NodeKind

_KINDS = {"war": "workflow", "mar": "model"}
_SHOWN_DIGITS = 12


@click.command(short_help="Show what is inside a .war or .mar archive.")
@click.argument("archive", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print all of it as one JSON object, digests in full.")
@model_store_option
@workflow_store_option
def command(*, archive: Path, as_json: bool, model_store: Path | None, workflow_store: Path | None) -> None:
    """Show what is inside a .war or .mar archive.

    ARCHIVE is a .war or .mar, a .tar.gz of either, or a folder that was one. Nothing in it is imported, unpickled or
    run, and an archive that could do harm while it is read is refused.
    """
    contents = read_contents(find_archive(archive, workflow_store), model_store)
    if as_json:
        answer(json.dumps(_record(contents), indent=2))
    else:
        answer("\n".join(_lines(contents)))


def _record(contents: Contents) -> dict[str, Any]:
    record: dict[str, Any] = {
        "archive": str(contents.path),
        "kind": contents.kind,
        "container": contents.container.value,
        "sha256": contents.sha256,
        "size": contents.size,
        "manifest": contents.manifest,
        "members": [
            {"name": each.name, "size": each.size, "sha256": each.sha256, "content": each.content.value}
            for each in contents.members
        ],
        "warnings": list(contents.warnings),
    }
    if contents.inside is not None:
        record["config"] = {"fault": contents.inside.config_fault, "keys": dict(fates(contents.inside.config))}
        record["requirements"] = {
            "count": contents.inside.requirements,
            "unmet": [asdict(unmet) for unmet in contents.inside.unmet],
        }
    if contents.report is not None:
        record["nodes"] = [_node_record(node) for node in contents.nodes]
        record["sound"] = not contents.report.has_errors
        record["findings"] = [
            {"code": each.code, "severity": each.severity.word, "message": each.message} for each in contents.report
        ]
    return record


def _node_record(node: NodeLine) -> dict[str, Any]:
    return {
        "name": node.name,
        "kind": node.kind,
        "runs": node.runs,
        "where": node.where,
        "children": list(node.children),
    }


def _lines(contents: Contents) -> Iterator[str]:
    count = counted(len(contents.members), "member")
    yield (
        f"{click.style(_safe(contents.path), bold=True)}: {_KINDS[contents.kind]} archive ({contents.container}), "
        f"{count}, {human_size(contents.size)}"
    )
    if contents.sha256:
        yield f"sha256 {contents.sha256}"
    yield from _section("manifest", [_pair(label, value) for label, value in contents.summary])
    rows = [
        (human_size(each.size), each.sha256[:_SHOWN_DIGITS], each.content.value, _safe(each.name))
        for each in contents.members
    ]
    yield from _section("members (size, sha256, content, name)", columns(rows))
    if contents.inside is not None:
        yield from _section("configuration (key, what becomes of it)", _config_lines(contents.inside))
        yield from _section("requirements", _requirement_lines(contents.inside))
    yield from _section("nodes", _node_lines(contents.nodes))
    yield from _section("findings", _finding_lines(contents))
    yield from _section("warnings", [_safe(warning) for warning in contents.warnings])


def _section(title: str, lines: Sequence[str]) -> Iterator[str]:
    if lines:
        yield ""
        yield click.style(title, bold=True)
        yield from (f"  {line}" for line in lines)


def _pair(label: str, value: str) -> str:
    return f"{label:<13} {_safe(value)}"


def _config_lines(inside: Inside) -> list[str]:
    if inside.config_fault is not None:
        return [f"cannot be read: {_safe(inside.config_fault)}"]
    rows = [(key, _safe(fate)) for key, fate in fates(inside.config)]
    handlers = [] if inside.config_file is None or rows else ["nothing for the server: all of it is the handler's"]
    return [*columns(rows, is_first_right=False), *handlers]


def _requirement_lines(inside: Inside) -> list[str]:
    if inside.requirements_file is None:
        return []
    lines = [_requirement_line(unmet) for unmet in inside.unmet]
    met = inside.requirements - len(lines)
    return [f"{counted(inside.requirements, 'requirement')}, {met} satisfied by this environment", *lines]


def _requirement_line(unmet: UnmetRequirement) -> str:
    there = unmet.fault or (f"{unmet.installed} is installed" if unmet.installed else "is not installed")
    if unmet.lacking:
        there = f"its extras need {unmet.lacking}, which is not here"
    where = f"{unmet.file}, line {unmet.line}" if unmet.line else unmet.file
    return _safe(f"{unmet.text} ({where}): {there}")


def _node_lines(nodes: Sequence[NodeLine]) -> list[str]:
    rows = [(_safe(node.name), node.kind, _safe(_runs(node)), _safe(_feeds(node))) for node in nodes]
    return columns(rows, is_first_right=False)


def _runs(node: NodeLine) -> str:
    if node.kind == NodeKind.FUNCTION:
        return node.runs
    return node.runs if node.where else f"{node.runs} (not found)"


def _feeds(node: NodeLine) -> str:
    return f"-> {', '.join(node.children)}" if node.children else "answers"


def _finding_lines(contents: Contents) -> list[str]:
    if contents.report is None:
        return []
    found = [each for each in contents.report if each.severity is not Severity.NOTE]
    lines = [f"{each.severity.word} {each.code}: {_safe(each.message)}" for each in found]
    return [*lines, f"wfctl validate {_safe(contents.path)} shows the places"] if lines else []


def _safe(text: object) -> str:
    return printable(str(text), keep="")
