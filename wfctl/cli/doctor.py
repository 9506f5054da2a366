"""``wfctl doctor``: say what this machine has and lacks, and how to mend it."""

import json
from collections.abc import Sequence

import click

from wfctl.cli.console import answer
from wfctl.cli.examinations import State, Symptom, examine_machine
from wfctl.cli.exits import Exit
from wfctl.cli.printable import printable

_COLOURS = {State.OK: "green", State.LACKING: "cyan", State.DOUBTFUL: "yellow", State.MISSING: "red"}


@click.command(short_help="Say what this machine has and lacks.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(*, as_json: bool) -> int:
    """Say what this machine has and lacks.

    Exits with 1 if something is missing that a workflow cannot run without.
    """
    symptoms = examine_machine()
    answer(_json(symptoms) if as_json else "\n".join(_lines(symptoms)))
    return Exit.OK if _is_ready(symptoms) else Exit.FINDINGS


def _is_ready(symptoms: Sequence[Symptom]) -> bool:
    return all(symptom.state is not State.MISSING for symptom in symptoms)


def _json(symptoms: Sequence[Symptom]) -> str:
    checks = [
        {"name": each.name, "state": each.state.value, "found": each.found, "remedy": each.remedy} for each in symptoms
    ]
    return json.dumps({"ready": _is_ready(symptoms), "checks": checks}, indent=2)


def _lines(symptoms: Sequence[Symptom]) -> list[str]:
    words = max(len(state.value) for state in State)
    names = max(len(symptom.name) for symptom in symptoms)
    lines = []
    for symptom in symptoms:
        state = click.style(f"{symptom.state.value:<{words}}", fg=_COLOURS[symptom.state], bold=True)
        lines.append(f"{state}  {symptom.name:<{names}}  {printable(symptom.found, keep='')}")
        if symptom.remedy:
            lines.append(f"{'':<{words + names + 4}}{click.style('help', bold=True)}: {symptom.remedy}")
    return lines
