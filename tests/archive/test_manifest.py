import json

import pytest

from wfctl.archive.manifest import (
    WarManifest,
    format_war_manifest,
    parse_mar_manifest,
    parse_war_manifest,
)
from wfctl.errors import ArchiveError

WORKFLOW = {"workflowName": "digits", "specFile": "workflow.yaml", "handler": "handler.py"}
WAR = {"createdOn": "11/29/2020", "archiverVersion": "0.2.15", "workflow": WORKFLOW}


def _war(**changes):
    top = {**WAR, **changes}
    return json.dumps({key: value for key, value in top.items() if value != "absent"}).encode()


def _with(**changes):
    section = {key: value for key, value in {**WORKFLOW, **changes}.items() if value != "absent"}
    return _war(workflow=section)


def test_a_war_manifest_is_read():
    manifest = parse_war_manifest(_war(description="digits by vote", unknownKey=[1, {"a": None}]))
    assert manifest == WarManifest(
        workflow_name="digits",
        spec_file="workflow.yaml",
        handler="handler.py",
        created_on="11/29/2020",
        archiver_version="0.2.15",
        description="digits by vote",
    )


def test_what_is_written_is_read_again():
    manifest = WarManifest(workflow_name="w", spec_file="s.yaml", handler="pr\u00e9-err.py", description="\u2713")
    assert parse_war_manifest(format_war_manifest(manifest)) == manifest


def test_tabs_blank_lines_and_a_byte_order_mark_are_read():
    raw = b"\xef\xbb\xbf" + _war().replace(b", ", b",\t\r\n") + b"\n\n\n"
    assert parse_war_manifest(raw).workflow_name == "digits"


def test_a_handler_is_optional_and_a_name_may_come_from_outside():
    assert parse_war_manifest(_with(handler="absent")).handler is None
    assert parse_war_manifest(_with(handler=None)).handler is None
    assert parse_war_manifest(_with(workflowName="absent"), name="given").workflow_name == "given"
    assert parse_war_manifest(_with(), name="given").workflow_name == "given"


@pytest.mark.parametrize(
    ("raw", "fault"),
    [
        (_war(workflow="absent"), 'no "workflow.specFile"'),
        (_war(workflow=None), '"workflow" in the manifest is no JSON object'),
        (_war(workflow=[]), '"workflow" in the manifest is no JSON object'),
        (_with(workflowName=[3]), '"workflowName" in the manifest is no text'),
        (_with(workflowName=True), '"workflowName" in the manifest is no text'),
        (_with(specFile="absent"), 'no "workflow.specFile"'),
        (_with(specFile="../../x"), '"specFile" in the manifest names no file of the archive: "../../x"'),
        (_with(specFile="/etc/passwd"), '"specFile" in the manifest names no file'),
        (_with(specFile="a\\b"), '"specFile" in the manifest names no file'),
        (_with(specFile="./"), '"specFile" in the manifest names no file'),
        (_with(handler="/tmp/handler.py"), '"handler" in the manifest names no file'),
        (_with(handler="C:/handler.py"), '"handler" in the manifest names no file'),
        (_with(handler="../handler.py"), '"handler" in the manifest names no file'),
        (_with(handler="handler.py:entry"), "without a function"),
        (b"[]", "no JSON object"),
        (b'"text"', "no JSON object"),
        (b"", "not JSON"),
        (b"\xff\xfe\x00", "not JSON"),
        (b"{" + b'"a":{' * 200_000, "not JSON"),
        (b"[" * 200_000, "nested too deeply"),
        (b'{"a": ' + b"9" * 5000 + b"}", "not JSON"),
        (b'{"createdOn": "a", "createdOn": "b"}', '"createdOn" stands twice'),
        (b'{"workflow": {"handler": "a.py", "handler": "b.py"}}', '"handler" stands twice'),
    ],
)
def test_a_bad_war_manifest_is_refused(raw, fault):
    with pytest.raises(ArchiveError) as caught:
        parse_war_manifest(raw)
    assert fault in caught.value.message


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("archiverVersion", "Workflow archive version is not defined."),
        ("createdOn", "Workflow archive createdOn is not defined."),
    ],
)
def test_what_only_the_original_demands_is_missed_in_its_words(key, words):
    assert parse_war_manifest(_war(**{key: "absent"})).missing == {key: words}
    assert parse_war_manifest(_war(**{key: None})).missing == {key: words}
    assert parse_war_manifest(_war()).missing == {}


def test_numbers_and_tabs_are_taken_where_a_text_should_stand():
    raw = b'{"createdOn": 2020, "archiverVersion": 0.2, "description": "a\tb", "workflow": '
    manifest = parse_war_manifest(raw + b'{"workflowName": "w", "specFile": "s.yaml"}}')
    assert (manifest.created_on, manifest.archiver_version, manifest.description) == ("2020", "0.2", "a\tb")


def test_a_mar_manifest_is_read_with_the_defaults_of_the_original():
    manifest = parse_mar_manifest(b'{"model": {"handler": "image_classifier"}, "modelServerVersion": "1.0"}')
    assert (manifest.runtime, manifest.model_version, manifest.handler) == ("python", "1.0", "image_classifier")
    assert manifest.model_name is None
    assert manifest.raw["modelServerVersion"] == "1.0"


def test_a_mar_handler_may_name_a_function():
    assert parse_mar_manifest(b'{"model": {"handler": "my-file.py:entry"}}').handler == "my-file.py:entry"


def test_a_version_may_be_a_number():
    assert parse_mar_manifest(b'{"model": {"modelVersion": 2.5}}').model_version == "2.5"


@pytest.mark.parametrize(
    "model",
    [
        {"handler": "/abs.py"},
        {"handler": "../up.py:f"},
        {"serializedFile": "../weights.pt"},
        {"modelFile": "/net.py"},
        {"configFile": "a\\b"},
        {"requirementsFile": "../../x"},
    ],
)
def test_a_mar_manifest_cannot_point_out_of_the_archive(model):
    with pytest.raises(ArchiveError, match="names no file of the archive"):
        parse_mar_manifest(json.dumps({"model": model}).encode())


@pytest.mark.parametrize(
    ("runtime", "named"), [(None, "an empty runtime"), ("", "an empty runtime"), ("java", 'the runtime "java"')]
)
def test_an_unknown_runtime_is_refused(runtime, named):
    with pytest.raises(ArchiveError, match=f"{named}; it is none of python, python3, LSP") as caught:
        parse_mar_manifest(json.dumps({"runtime": runtime, "model": {}}).encode())
    assert '"runtime": "python"' in caught.value.hint
