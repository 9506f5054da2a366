"""The forms for programs: well-formed, complete, and deaf to what a user writes into a name."""

import json
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree as ET

import click
import pytest
from jsonschema import Draft202012Validator

from wfctl.cli.reporters.interface import Verdict
from wfctl.cli.reporters.summary import closing
from wfctl.cli.reporters.table import REPORTERS, reporter_for
from wfctl.diagnostics.catalog import find
from wfctl.diagnostics.model import Edit, Label, SourceText
from wfctl.diagnostics.report import Report
from wfctl.errors import ArchiveError, UnreadableInputError

SCHEMA = json.loads((Path(__file__).parents[2] / "schemas/diagnostics-report.json").read_text(encoding="utf-8"))

EVIL = "a\n::error::b%0A,c:d\r\x1b[31m\x00]]>&\"'<script>\u202e"
SPEC = SourceText("flows/my spec.yaml", "dag:\n  a: [b]\n  b: [a]\n")
HANDLER = SourceText("flows/handler.py", "def a(data): ...\n")


def verdicts() -> list[Verdict]:
    cycle = find(
        "WF301",
        '"a" and "b" feed into each other',
        SPEC.span(7, 8),
        label="first edge",
        help="take one out",
        notes=("nothing ever starts",),
        secondary=(Label(span=SPEC.span(16, 17), text="second edge"), Label(span=HANDLER.span(4, 5), text="here")),
        fix=(Edit(span=SPEC.span(16, 22), replacement=""), Edit(span=HANDLER.span(0, 3), replacement="async def")),
    )
    note = find("WF901", "no models", SPEC.span(0, 22))
    warning = find("WF307", "unused", SPEC.span(16, 17))
    return [
        Verdict(path="flows/my spec.yaml", report=Report.of([cycle, note, warning, find("WF401", "no handler.py")])),
        Verdict(path="fine.yaml"),
        Verdict(path="gone.yaml", error=UnreadableInputError("there is no file", hint="look elsewhere")),
    ]


def evil_verdicts() -> list[Verdict]:
    source = SourceText(EVIL, f"{EVIL}\n")
    label = Label(span=source.span(0, 1), text=EVIL)
    edit = Edit(span=source.span(0, 1), replacement=EVIL)
    found = find(
        "WF304", EVIL, source.span(0, 3), label=EVIL, help=EVIL, notes=(EVIL,), secondary=(label,), fix=(edit,)
    )
    return [
        Verdict(path=EVIL, report=Report.of([found, find("WF401", EVIL)])),
        Verdict(path=EVIL, error=ArchiveError(EVIL, hint=EVIL)),
    ]


def render(form: str, given: list[Verdict]) -> str:
    return click.unstyle(reporter_for(form).render(given))


def test_concise_is_one_line_for_each_finding() -> None:
    assert render("concise", verdicts()).splitlines() == [
        "flows/my spec.yaml:1:1: WF401 no handler.py",
        "flows/my spec.yaml:1:1: WF901 no models",
        'flows/my spec.yaml:2:3: WF301 "a" and "b" feed into each other',
        "flows/my spec.yaml:3:3: WF307 unused",
    ]


def test_concise_keeps_one_line_whatever_the_user_wrote() -> None:
    lines = render("concise", evil_verdicts()).split("\n")
    assert len(lines) == 3
    assert all(line.isprintable() for line in lines)


@pytest.mark.parametrize("given", [[], verdicts(), evil_verdicts()], ids=["nothing", "all kinds", "evil"])
def test_json_is_as_its_schema_says(given: list[Verdict]) -> None:
    Draft202012Validator.check_schema(SCHEMA)
    Draft202012Validator(SCHEMA).validate(json.loads(render("json", given)))


def test_json_holds_everything_a_finding_holds() -> None:
    document = json.loads(render("json", verdicts()))
    assert document["summary"] == {
        "workflows": 3,
        "unreadable": 1,
        "errors": 2,
        "warnings": 1,
        "notes": 1,
        "fixable": 1,
    }
    first, second, third = document["workflows"]
    assert second == {"workflow": "fine.yaml", "diagnostics": []}
    assert third["error"] == {"code": "unreadable-input", "message": "there is no file", "hint": "look elsewhere"}
    assert [each["code"] for each in first["diagnostics"]] == ["WF401", "WF901", "WF301", "WF307"]
    assert first["diagnostics"][0]["location"] is None
    cycle = first["diagnostics"][2]
    assert cycle["name"] == "cyclic-edge"
    assert cycle["severity"] == "error"
    assert cycle["location"] == {
        "file": "flows/my spec.yaml",
        "start": {"line": 2, "column": 3, "offset": 7},
        "end": {"line": 2, "column": 4, "offset": 8},
    }
    assert cycle["help"] == "take one out"
    assert cycle["notes"] == ["nothing ever starts"]
    assert [each["text"] for each in cycle["related"]] == ["second edge", "here"]
    assert [each["replacement"] for each in cycle["fix"]] == ["", "async def"]


@pytest.mark.parametrize("given", [verdicts(), evil_verdicts()], ids=["all kinds", "evil"])
def test_jsonl_is_one_described_object_a_line(given: list[Verdict]) -> None:
    line_schema = Draft202012Validator({"$ref": "#/$defs/line", "$defs": SCHEMA["$defs"]})
    lines = render("jsonl", given).splitlines()
    assert len(lines) == sum(len(verdict.report) + (verdict.error is not None) for verdict in given)
    for line in lines:
        line_schema.validate(json.loads(line))


def test_jsonl_of_nothing_is_nothing() -> None:
    assert render("jsonl", [Verdict(path="fine.yaml")]) == ""


def test_the_schema_describes_lines_and_diagnostics_alike() -> None:
    diagnostic = SCHEMA["$defs"]["diagnostic"]["properties"]
    line = SCHEMA["$defs"]["line"]["oneOf"][1]["properties"]
    assert set(line) == {"workflow", *diagnostic}


# What a reader of SARIF 2.1.0 relies on, written down from the standard.
_TEXT = {"type": "object", "required": ["text"], "properties": {"text": {"type": "string", "minLength": 1}}}
_ARTIFACT = {"type": "object", "required": ["uri"], "properties": {"uri": {"type": "string", "pattern": "^[!-~]+$"}}}
_REGION = {
    "type": "object",
    "required": ["startLine", "startColumn", "endLine", "endColumn"],
    "properties": {
        name: {"type": "integer", "minimum": 1} for name in ("startLine", "startColumn", "endLine", "endColumn")
    },
}
_PLACE = {
    "type": "object",
    "required": ["physicalLocation"],
    "properties": {
        "physicalLocation": {
            "type": "object",
            "required": ["artifactLocation"],
            "properties": {"artifactLocation": _ARTIFACT, "region": _REGION},
        }
    },
}
_LEVEL = {"enum": ["none", "note", "warning", "error"]}
SARIF = {
    "type": "object",
    "required": ["$schema", "version", "runs"],
    "properties": {
        "version": {"const": "2.1.0"},
        "runs": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["tool", "results", "columnKind", "invocations"],
                "properties": {
                    "columnKind": {"const": "unicodeCodePoints"},
                    "tool": {
                        "type": "object",
                        "required": ["driver"],
                        "properties": {
                            "driver": {
                                "type": "object",
                                "required": ["name", "version", "rules"],
                                "properties": {
                                    "rules": {
                                        "type": "array",
                                        "uniqueItems": True,
                                        "items": {
                                            "type": "object",
                                            "required": ["id", "shortDescription"],
                                            "properties": {"shortDescription": _TEXT, "help": _TEXT},
                                        },
                                    }
                                },
                            }
                        },
                    },
                    "invocations": {
                        "items": {
                            "required": ["executionSuccessful"],
                            "properties": {
                                "executionSuccessful": {"type": "boolean"},
                                "toolExecutionNotifications": {
                                    "items": {
                                        "required": ["message"],
                                        "properties": {
                                            "message": _TEXT,
                                            "level": _LEVEL,
                                            "locations": {"items": _PLACE},
                                        },
                                    }
                                },
                            },
                        }
                    },
                    "results": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "required": ["ruleId", "ruleIndex", "level", "message", "locations"],
                            "properties": {
                                "level": _LEVEL,
                                "message": _TEXT,
                                "locations": {"type": "array", "items": _PLACE},
                                "relatedLocations": {"items": _PLACE},
                                "fixes": {
                                    "items": {
                                        "required": ["artifactChanges"],
                                        "properties": {
                                            "artifactChanges": {
                                                "minItems": 1,
                                                "items": {
                                                    "required": ["artifactLocation", "replacements"],
                                                    "properties": {
                                                        "artifactLocation": _ARTIFACT,
                                                        "replacements": {
                                                            "minItems": 1,
                                                            "items": {"required": ["deletedRegion"]},
                                                        },
                                                    },
                                                },
                                            }
                                        },
                                    }
                                },
                            },
                        },
                    },
                },
            },
        },
    },
}


@pytest.mark.parametrize("given", [[], verdicts(), evil_verdicts()], ids=["nothing", "all kinds", "evil"])
def test_sarif_is_what_code_scanning_reads(given: list[Verdict]) -> None:
    log = json.loads(render("sarif", given))
    Draft202012Validator(SARIF).validate(log)
    run = log["runs"][0]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert [rules[result["ruleIndex"]] for result in run["results"]] == [result["ruleId"] for result in run["results"]]
    assert run["invocations"][0]["executionSuccessful"] == all(verdict.error is None for verdict in given)


def test_sarif_carries_places_fixes_and_what_was_not_read() -> None:
    run = json.loads(render("sarif", verdicts()))["runs"][0]
    cycle = next(result for result in run["results"] if result["ruleId"] == "WF301")
    place = cycle["locations"][0]["physicalLocation"]
    assert place["artifactLocation"] == {"uri": "flows/my%20spec.yaml"}
    assert place["region"]["startLine"] == 2
    assert place["region"]["charOffset"] == 7
    assert place["region"]["charLength"] == 1
    assert len(cycle["relatedLocations"]) == 2
    changed = [change["artifactLocation"]["uri"] for change in cycle["fixes"][0]["artifactChanges"]]
    assert changed == ["flows/my%20spec.yaml", "flows/handler.py"]
    notice = run["invocations"][0]["toolExecutionNotifications"][0]
    assert notice["descriptor"] == {"id": "unreadable-input"}


def test_sarif_names_absolute_files_by_file_uris() -> None:
    source = SourceText("/flows/wör k.yaml", "dag: {}\n")
    run = json.loads(
        render("sarif", [Verdict(path=source.name, report=Report.of([find("WF205", "x", source.span(0, 3))]))])
    )
    uri = run["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert uri.startswith("file:///")
    assert unquote(uri) == "file:///flows/wör k.yaml"


def test_github_commands_carry_place_and_title() -> None:
    lines = render("github", verdicts()).splitlines()
    assert lines[0] == "::error file=flows/my spec.yaml,title=WF401 missing-handler::no handler.py"
    # A place over several lines has no columns: GitHub takes them on one line only.
    assert lines[1] == "::notice file=flows/my spec.yaml,line=1,endLine=3,title=WF901 no-models::no models"
    assert lines[2].startswith(
        "::error file=flows/my spec.yaml,line=2,endLine=2,col=3,endColumn=4,title=WF301 cyclic-edge::"
    )
    assert lines[2].endswith("(first edge)%0Ahelp: take one out%0Anote: nothing ever starts")
    assert lines[3].startswith("::warning ")
    assert lines[4] == "::error file=gone.yaml::there is no file%0Alook elsewhere"


def test_no_text_of_the_user_starts_a_second_command() -> None:
    lines = render("github", evil_verdicts()).split("\n")
    assert len(lines) == 4
    for line in lines[:-1]:
        assert line.startswith("::error file=")
        assert line.isprintable()
        properties, _, message = line.removeprefix("::error ").partition("::")
        assert all("=" in part for part in properties.split(","))
        assert "%250A" in message


@pytest.mark.parametrize("given", [[], verdicts(), evil_verdicts()], ids=["nothing", "all kinds", "evil"])
def test_junit_is_xml_whose_counts_are_true(given: list[Verdict]) -> None:
    root = ET.fromstring(render("junit", given))
    assert root.tag == "testsuites"
    assert len(root) == len(given)
    for scope in (root, *root):
        cases = scope.findall(".//testcase")
        assert int(scope.get("tests", "")) == len(cases)
        assert int(scope.get("failures", "")) == sum(case.find("failure") is not None for case in cases)
        assert int(scope.get("errors", "")) == sum(case.find("error") is not None for case in cases)


def test_junit_fails_errors_and_warnings_and_passes_notes() -> None:
    root = ET.fromstring(render("junit", verdicts()))
    outcome = {case.get("name"): [child.tag for child in case] for case in root.iter("testcase")}
    assert outcome == {
        "WF401 missing-handler": ["failure"],
        "WF901 no-models": ["system-out"],
        "WF301 cyclic-edge": ["failure"],
        "WF307 unused-model": ["failure"],
        "validate": [],
        "read": ["error"],
    }


@pytest.mark.parametrize("form", REPORTERS)
def test_every_form_says_nothing_harmful_about_nothing(form: str) -> None:
    text = render(form, [Verdict(path="fine.yaml")])
    assert text == "" or text.endswith("\n")


def test_the_closing_line_counts() -> None:
    assert closing(verdicts()) == (
        "checked 2 workflows: 2 errors, 1 warning, 1 note; 1 workflow not read; 1 can be mended by --fix"
    )
    assert closing([Verdict(path="fine.yaml")]) == "checked 1 workflow: nothing found"
