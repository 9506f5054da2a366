"""The side-car of an output: what its run was about, so that only the same run is continued.

It names inputs, workflow and options. It does not say how far the run is: the output itself does.
Invariant: written before the first answer, whole or not at all, and never changed by the run that it describes.
"""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from wfctl.bulk.line_file import TakenOutputError
from wfctl.bulk.sink import not_written, part_of

_VERSION = 1
_DIGEST = "digest"


class OtherRunError(TakenOutputError):
    """An output cannot be continued: its run was another one."""

    code = "another-run"


@dataclass(frozen=True, slots=True, kw_only=True)
class Charter:
    """What decides every answer of a run."""

    inputs: Mapping[str, Any]
    """Words, how much there is, digest."""
    workflow: str
    """Its digest."""
    options: Mapping[str, Any]


def _first_form(written: Mapping[str, Any]) -> Charter:
    return Charter(inputs=dict(written["inputs"]), workflow=str(written["workflow"]), options=dict(written["options"]))


_BY_VERSION = {_VERSION: _first_form}


def write_charter(charter: Charter, path: Path) -> None:
    """Write the side-car."""
    part = part_of(path)
    try:
        with part.open("w", encoding="utf-8") as stream:
            json.dump({"version": _VERSION, **asdict(charter)}, stream, indent=2)
            stream.write("\n")
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(path)
    except OSError as error:
        with suppress(OSError):
            part.unlink()
        raise not_written(path, error) from error


def read_charter(path: Path, output: Path) -> Charter:
    """Return what a run was about; raises ``OtherRunError`` where nothing says so."""
    try:
        written = json.loads(path.read_bytes())
        return _BY_VERSION[written["version"]](written)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise OtherRunError(
            f'"{output}" cannot be continued: "{path}", which says what its run was about, is missing or broken',
            hint="--overwrite starts anew",
        ) from error


def refuse_other_inputs(now: Charter, before: Charter, output: Path) -> None:
    """Raise ``OtherRunError`` where inputs or options differ from those of the run before."""
    differences = _differences("option", before.options, now.options)
    if now.inputs.get(_DIGEST) != before.inputs.get(_DIGEST):
        # Words alone may differ, seen from another folder.
        differences += _differences("inputs,", before.inputs, now.inputs) or ["the inputs have changed"]
    _refuse(differences, output)


def refuse_other_workflow(now: Charter, before: Charter, output: Path) -> None:
    """Raise ``OtherRunError`` where the workflow is not that of the run before."""
    _refuse([] if now.workflow == before.workflow else ["the workflow has changed"], output)


def _differences(what: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    names = [name for name in {**before, **now} if before.get(name) != now.get(name) and name != _DIGEST]
    return [f"{what} {name}: {_shown(before.get(name))} then, {_shown(now.get(name))} now" for name in names]


def _shown(value: Any) -> str:
    return "none" if value is None else json.dumps(value)


def _refuse(differences: list[str], output: Path) -> None:
    if differences:
        raise OtherRunError(
            f'"{output}" belongs to another run: {"; ".join(differences)}',
            hint="run it as it was begun, or start anew with --overwrite",
        )
