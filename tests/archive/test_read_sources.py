import tarfile
import zipfile

import pytest

from wfctl.archive.read_sources import Origin, read_sources, workflow_name
from wfctl.diagnostics.report import InvalidWorkflowError
from wfctl.errors import ArchiveError, UnreadableInputError

SPEC = "dag:\n  pre: [post]\n  post: []\n"
HANDLER = "def pre(data, context): ...\n"
MANIFEST = (
    '{"createdOn": "x", "archiverVersion": "1", '
    '"workflow": {"workflowName": "wf", "specFile": "spec.yaml", "handler": "code.py"}}'
)


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "my flow"
    path.mkdir()
    return path


@pytest.fixture
def war(tmp_path):
    path = tmp_path / "a.war"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("WAR-INF/MANIFEST.json", MANIFEST)
        archive.writestr("spec.yaml", SPEC)
        archive.writestr("code.py", HANDLER)
        archive.writestr("extra.txt", "more")
    return path


def test_a_spec_file_brings_the_handler_beside_it(folder):
    (folder / "workflow.yaml").write_text(SPEC)
    (folder / "handler.py").write_text(HANDLER)
    read = read_sources(folder / "workflow.yaml")
    assert read.origin is Origin.SPEC
    assert read.sources.spec.text == SPEC
    assert read.sources.spec.name == str(folder / "workflow.yaml")
    assert read.sources.handler.text == HANDLER
    assert (read.name, read.folder) == ("my_flow", folder)
    assert read.handler_path == folder / "handler.py"


@pytest.mark.parametrize(
    ("files", "found"),
    [
        (["handler.py", "nlp_handler.py", "nlp.py"], "handler.py"),
        (["nlp_handler.py", "nlp.py", "z.py"], "nlp_handler.py"),
        (["nlp.py", "z.py"], "nlp.py"),
        (["z.py"], "z.py"),
        (["y.py", "z.py"], None),
        ([], None),
    ],
)
def test_the_handler_is_found_by_its_usual_names_then_as_the_only_one(folder, files, found):
    (folder / "nlp.yaml").write_text(SPEC)
    for name in files:
        (folder / name).write_text(HANDLER)
    read = read_sources(folder / "nlp.yaml")
    assert read.handler_path == (folder / found if found else None)
    assert read.sources.handler_wanted == (None if found else "handler.py")
    assert read.name == "nlp"


def test_a_named_handler_beats_the_one_that_would_be_found(folder, tmp_path):
    (folder / "workflow.yaml").write_text(SPEC)
    (folder / "handler.py").write_text(HANDLER)
    (tmp_path / "mine.py").write_text("mine = 1\n")
    read = read_sources(folder, handler=tmp_path / "mine.py")
    assert read.sources.handler.text == "mine = 1\n"
    with pytest.raises(UnreadableInputError, match=r"absent\.py"):
        read_sources(folder, handler=tmp_path / "absent.py")


@pytest.mark.parametrize(
    ("files", "found"),
    [
        (["workflow.yaml", "workflow.yml", "a.yaml"], "workflow.yaml"),
        (["workflow.yml", "a.yaml"], "workflow.yml"),
        (["a.yaml"], "a.yaml"),
        (["b.yml"], "b.yml"),
    ],
)
def test_a_folder_has_one_spec_of_its_own(folder, files, found):
    for name in files:
        (folder / name).write_text(SPEC)
    (folder / "model-config.yaml").write_text("minWorkers: 1\nnot:\n  dag: 1\n")
    read = read_sources(folder)
    assert read.spec_path == folder / found
    assert read.name == "my_flow"


def test_json_and_flow_style_specs_are_found(folder):
    (folder / "a.yaml").write_text('{"models": {}, "dag": {"a": []}}')
    assert read_sources(folder).spec_path == folder / "a.yaml"


def test_a_folder_with_several_specs_names_them(folder):
    (folder / "a.yaml").write_text(SPEC)
    (folder / "b.yaml").write_text(SPEC)
    with pytest.raises(UnreadableInputError, match=r'several workflows: "a.yaml", "b.yaml"'):
        read_sources(folder)


def test_a_folder_without_a_spec_says_what_was_looked_for(folder):
    with pytest.raises(UnreadableInputError, match=r"neither workflow\.yaml nor another YAML file with a dag"):
        read_sources(folder)


def test_an_archive_is_read_and_nothing_is_written(war, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    read = read_sources(war)
    assert sorted(tmp_path.rglob("*")) == before
    assert read.origin is Origin.ARCHIVE
    assert (read.name, read.archive, read.folder) == ("wf", war, tmp_path)
    assert read.sources.spec.text == SPEC
    assert read.sources.spec.name == f"{war}/spec.yaml"
    assert read.sources.handler.text == HANDLER
    assert read.members == {"WAR-INF/MANIFEST.json", "spec.yaml", "code.py", "extra.txt"}
    assert read.spec_path is None


def test_an_unpacked_archive_is_read_by_its_manifest(war, tmp_path):
    with zipfile.ZipFile(war) as archive:
        archive.extractall(tmp_path / "unpacked")
    read = read_sources(tmp_path / "unpacked")
    assert read.origin is Origin.UNPACKED
    assert read.name == "wf"
    assert read.archive is None
    assert read.spec_path == tmp_path / "unpacked" / "spec.yaml"
    assert read.handler_path == tmp_path / "unpacked" / "code.py"
    assert read.sources.handler.text == HANDLER


def test_a_handler_that_is_not_in_the_archive_is_named(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.war", "w") as archive:
        archive.writestr("WAR-INF/MANIFEST.json", MANIFEST)
        archive.writestr("spec.yaml", SPEC)
    read = read_sources(tmp_path / "a.war")
    assert read.sources.handler is None
    assert read.sources.handler_wanted == "code.py"


def test_a_handler_may_be_named_without_its_ending(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.war", "w") as archive:
        archive.writestr("WAR-INF/MANIFEST.json", MANIFEST.replace("code.py", "code"))
        archive.writestr("spec.yaml", SPEC)
        archive.writestr("code.py", HANDLER)
    assert read_sources(tmp_path / "a.war").sources.handler.text == HANDLER


def test_a_spec_that_is_not_in_the_archive_is_named(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.war", "w") as archive:
        archive.writestr("WAR-INF/MANIFEST.json", MANIFEST)
    with pytest.raises(ArchiveError, match=r'"a.war" is refused: .*"spec.yaml", which is not in the archive'):
        read_sources(tmp_path / "a.war")


def test_a_manifest_of_50_megabytes_is_refused_unread(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.war", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("WAR-INF/MANIFEST.json", "{" + " " * 50_000_000 + "}")
    with pytest.raises(ArchiveError, match="50,000,002 bytes long; at most 1,048,576"):
        read_sources(tmp_path / "a.war")


def test_a_tar_that_is_not_compressed_is_refused_as_the_archive_it_is(folder, tmp_path):
    (folder / "spec.yaml").write_text(SPEC)
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        archive.add(folder, "flow")
    with pytest.raises(ArchiveError, match="neither a zip nor a gzip tar"):
        read_sources(tmp_path / "a.tar")


def test_a_model_archive_is_no_workflow(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.war", "w") as archive:
        archive.writestr("MAR-INF/MANIFEST.json", "{}")
    with pytest.raises(ArchiveError, match="archive of a model, not of a workflow"):
        read_sources(tmp_path / "a.war")
    with pytest.raises(ArchiveError, match="archive of a model, not of a workflow"):
        read_sources(tmp_path / "m.mar")


def test_bytes_that_are_no_text_are_a_finding(folder, tmp_path):
    (folder / "workflow.yaml").write_bytes(b"dag:\n  a: [\xff]\n")
    with pytest.raises(InvalidWorkflowError) as caught:
        read_sources(folder)
    assert [found.code for found in caught.value.report] == ["WF101"]


@pytest.mark.parametrize(
    ("text", "name"), [("digits", "digits"), ("my flow", "my_flow"), ("..", "workflow"), ("\u00e9t\u00e9", "t_")]
)
def test_a_name_is_made_of_what_names_may_hold(text, name):
    assert workflow_name(text) == name
