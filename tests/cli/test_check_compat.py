"""``wfctl check-compat``: real archives, the table as exact text, the record by its schema."""

import json
import os
import pickle
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import jsonschema
import pytest
from started import Cli

from wfctl.archive.mar import write_mar

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((ROOT / "schemas/compat-report.json").read_text(encoding="utf-8"))
BIN = Path(sys.executable).parent

SPEC = "models:\n  m1: {url: m1.mar}\ndag:\n  pre: [m1]\n  m1: [post]\n"
FUNCTIONS = "def pre(data, context):\n    return data\n\n\ndef post(data, context):\n    return data\n"
NOOP = "def handle(data, context):\n    return data\n"
REFUSES = "from ts.service import PredictionException\n\n\ndef handle(data, context):\n    raise PredictionException('no', 422)\n"
STREAMS = "from ts.handler_utils.hf_batch_streamer import TextIteratorStreamerBatch\n\n" + NOOP


@pytest.fixture
def original(tmp_path: Path):
    """Run one of the original archivers on files that are written for it; its archives land in ``store``."""
    store, work, staging = tmp_path / "store", tmp_path / "work", tmp_path / "staging"
    for folder in (store, work, staging):
        folder.mkdir()

    def run(program: str, files: dict[str, str | bytes], *words: str) -> None:
        for name, content in files.items():
            (work / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        # The original stages in a folder of its own name below the temporary folder: give it one that is ours.
        environment = {**os.environ, "TMPDIR": str(staging)}
        command = [str(BIN / program), *words, "--export-path", str(store)]
        subprocess.run(command, check=True, cwd=work, env=environment, capture_output=True)

    return run


def _model(original, name: str, handler: str, *words: str) -> None:
    options = ["--model-name", name, "--version", "1.0", "--handler", "handler.py", *words]
    original("torch-model-archiver", {"handler.py": handler}, *options)


def _workflow(original, name: str, spec: str, functions: str) -> None:
    options = ["--workflow-name", name, "--spec-file", "spec.yaml", "--handler", "functions.py"]
    original("torch-workflow-archiver", {"spec.yaml": spec, "functions.py": functions}, *options)


def test_what_the_original_archivers_made_runs_as_it_is(cli: Cli, original) -> None:
    _model(original, "m1", NOOP)
    _workflow(original, "noop", SPEC, FUNCTIONS)
    done = cli("check-compat", "store/noop.war", "store/m1.mar")
    assert (done.code, done.err) == (0, "")
    assert done.out == (
        "store/noop.war: runs as it is\nstore/m1.mar: runs as it is\n"
        "2 archives: 2 run as they are, 0 differ, 0 are not supported\n"
    )


def test_a_store_is_told_archive_by_archive(cli: Cli, original, tmp_path: Path) -> None:
    _model(original, "m1", NOOP)
    _model(original, "refusing", REFUSES, "--archive-format", "tgz")
    _model(original, "streaming", STREAMS, "--archive-format", "no-archive")
    _workflow(original, "noop", SPEC, FUNCTIONS)
    _workflow(original, "streams", SPEC.replace("m1.mar", "streaming"), FUNCTIONS)
    store = tmp_path / "store"
    (store / "damaged.mar").write_bytes((store / "m1.mar").read_bytes()[:-40])
    (store / "notes.txt").write_text("no archive")
    (store / ".hidden.war").write_text("not looked at")
    done = cli("check-compat", "store")
    assert (done.code, done.err) == (1, "")
    assert done.out == (
        "store/damaged.mar: not supported\n"
        '  bad-archive  "damaged.mar" is refused: the archive is cut short\n'
        "               -> get it again from where it was made, or pack its files again\n"
        "store/m1.mar: runs as it is\n"
        "store/noop.war: runs as it is\n"
        "store/refusing.tar.gz: runs, differs\n"
        '  -  WF927  handler.py:5  TorchServe uses up the tries of the node, then answers 500 "Error executing" and its name;'
        " here the client gets 422 and the handler's words at once\n"
        "                          -> nothing to do\n"
        "store/streaming: not supported\n"
        '  -  WF920  handler.py:1  TorchServe\'s own package is asked for "ts.handler_utils.hf_batch_streamer";'
        " here there is no such name, and the import fails\n"
        "                          -> use transformers' TextIteratorStreamer, one for each request,"
        " or run it with --ts real where TorchServe is installed\n"
        "store/streams.war: not supported\n"
        "  m1  WF920  streaming/handler.py:1  TorchServe's own package is asked for"
        ' "ts.handler_utils.hf_batch_streamer"; here there is no such name, and the import fails\n'
        "                                     -> use transformers' TextIteratorStreamer, one for each request,"
        " or run it with --ts real where TorchServe is installed\n"
        "6 archives: 2 run as they are, 1 differs, 3 are not supported\n"
    )


def test_the_record_is_as_its_schema_says(cli: Cli, original, tmp_path: Path) -> None:
    _model(original, "m1", REFUSES)
    _model(original, "streaming", STREAMS)
    _workflow(original, "flow", SPEC, FUNCTIONS)
    (tmp_path / "store" / "damaged.war").write_bytes(b"no zip")
    done = cli("check-compat", "store", "--json")
    assert (done.code, done.err) == (1, "")
    record = json.loads(done.out)
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(record, SCHEMA, cls=jsonschema.Draft202012Validator)
    assert record["summary"] == {"archives": 4, "same": 0, "differs": 2, "unsupported": 2}
    damaged, flow, _, streaming = record["archives"]
    assert (damaged["kind"], damaged["rows"], damaged["error"]["code"]) == (None, [], "bad-archive")
    assert (flow["path"], flow["kind"], flow["name"], flow["verdict"]) == ("store/flow.war", "war", "flow", "differs")
    assert flow["rows"] == [
        {
            "code": "WF927",
            "name": "refusal-reaches-client",
            "severity": "note",
            "nodes": ["m1"],
            "place": {"file": "m1.mar/handler.py", "line": 5},
            "count": 1,
            "difference": 'TorchServe uses up the tries of the node, then answers 500 "Error executing" and its name;'
            " here the client gets 422 and the handler's words at once",
            "remedy": "nothing to do",
        }
    ]
    assert (streaming["name"], streaming["verdict"]) == ("streaming", "unsupported")


def test_differences_alone_exit_with_0(cli: Cli, original) -> None:
    _model(original, "m1", REFUSES)
    done = cli("check-compat", "store/m1.mar")
    assert done.code == 0
    assert done.out.endswith("1 archive: 0 run as they are, 1 differs, 0 are not supported\n")


def test_what_we_archive_is_read_with_the_models_inside(cli: Cli, tmp_path: Path) -> None:
    flow = tmp_path / "flow"
    flow.mkdir()
    (flow / "workflow.yaml").write_text(SPEC)
    (flow / "handler.py").write_text(FUNCTIONS)
    (tmp_path / "model.py").write_text(REFUSES)
    write_mar(flow / "m1.mar", model_name="m1", handler=tmp_path / "model.py")
    assert cli("archive", "flow", "--embed-models").code == 0
    (flow / "m1.mar").unlink()
    done = cli("check-compat", "flow.war")
    assert done.code == 0
    assert done.out == (
        "flow.war: runs, differs\n"
        '  -   WF906  workflow.yaml:2    TorchServe looks for the model "m1" in its model store only, not in a folder;'
        " here it is found by its path\n"
        "                                -> nothing to do\n"
        '  m1  WF927  m1.mar/model.py:5  TorchServe uses up the tries of the node, then answers 500 "Error executing" and'
        " its name; here the client gets 422 and the handler's words at once\n"
        "                                -> nothing to do\n"
        "1 archive: 0 run as they are, 1 differs, 0 are not supported\n"
    )


def test_models_are_looked_for_in_the_named_stores(cli: Cli, original, tmp_path: Path) -> None:
    _model(original, "m1", NOOP)
    _workflow(original, "flow", SPEC, FUNCTIONS)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "store" / "m1.mar").rename(tmp_path / "elsewhere" / "m1.mar")
    missing = cli("check-compat", "store/flow.war")
    assert missing.code == 1
    assert 'the archive "m1.mar" of model "m1" is not there' in missing.out
    assert cli("check-compat", "store/flow.war", "--model-store", "elsewhere").code == 0
    assert cli("check-compat", "store/flow.war", env={"WFCTL_MODEL_STORE": "elsewhere"}).code == 0


def test_a_folder_of_a_workflow_is_no_store(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "workflow.yaml").write_text(SPEC)
    (tmp_path / "handler.py").write_text(FUNCTIONS)
    (tmp_path / "model.py").write_text(NOOP)
    write_mar(tmp_path / "m1.mar", model_name="m1", handler=tmp_path / "model.py")
    done = cli("check-compat", ".")
    assert done.out.splitlines()[0] == ".: runs as it is"


def test_an_unpacked_workflow_and_a_gzip_tar_of_one_are_read(cli: Cli, original, tmp_path: Path) -> None:
    _model(original, "m1", NOOP)
    _workflow(original, "flow", SPEC, FUNCTIONS)
    store = tmp_path / "store"
    with zipfile.ZipFile(store / "flow.war") as archive:
        archive.extractall(store / "unpacked")
    with tarfile.open(store / "tarred.tar.gz", "w:gz") as archive:
        archive.add(store / "unpacked", arcname="tarred")
    (store / "unpacked" / "m1.mar").write_bytes((store / "m1.mar").read_bytes())
    done = cli("check-compat", "store", "--json")
    kinds = {each["path"]: (each["kind"], each["verdict"]) for each in json.loads(done.out)["archives"]}
    assert kinds == {
        "store/flow.war": ("war", "same"),
        "store/m1.mar": ("mar", "same"),
        "store/tarred.tar.gz": ("war", "same"),
        "store/unpacked": ("war", "same"),
    }


@pytest.mark.parametrize("words", [(), ("empty",), ("--no-such-option", "m1.mar")])
def test_wrong_use_exits_with_2(cli: Cli, tmp_path: Path, words: tuple[str, ...]) -> None:
    (tmp_path / "empty").mkdir()
    done = cli("check-compat", *words)
    assert (done.code, done.out) == (2, "")


def test_one_that_is_not_there_hides_none_of_the_others(cli: Cli, original) -> None:
    _model(original, "m1", NOOP)
    done = cli("check-compat", "nothing.war", "store/m1.mar")
    assert done.code == 1
    assert done.out == (
        "nothing.war: not supported\n"
        '  unreadable-input  there is no file "nothing.war"\n'
        "store/m1.mar: runs as it is\n"
        "2 archives: 1 runs as it is, 0 differ, 1 is not supported\n"
    )


class Bomb:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self):
        return os.mkdir, (str(self.target),)


def test_nothing_in_an_archive_is_run(cli: Cli, original, tmp_path: Path) -> None:
    trap = f"import os\nos.mkdir({str(tmp_path / 'ran')!r})\n"
    original(
        "torch-model-archiver",
        {"handler.py": trap + NOOP, "w.pt": pickle.dumps(Bomb(tmp_path / "ran"))},
        *("--model-name", "m1", "--version", "1", "--handler", "handler.py", "--serialized-file", "w.pt"),
    )
    _workflow(original, "flow", SPEC, trap + FUNCTIONS)
    done = cli("check-compat", "store")
    assert done.code == 0
    assert '"w.pt" may hold more than weights ("posix.mkdir")' in done.out
    assert not (tmp_path / "ran").exists()


def test_names_from_archives_cannot_reprogram_a_terminal(cli: Cli, tmp_path: Path) -> None:
    member = "a\u202eb.py"
    handler = "import torch\n\n\ndef handle(data, context):\n    return torch.load('x')\n"
    with zipfile.ZipFile(tmp_path / "m1.mar", "w") as archive:
        archive.writestr(member, handler)
        archive.writestr("MAR-INF/MANIFEST.json", json.dumps({"model": {"modelName": "m", "handler": member}}))
    done = cli("check-compat", "m1.mar")
    assert done.code == 0
    assert "\\u202e" in done.out
    assert "\u202e" not in done.out


@pytest.mark.parametrize("form", ["default", "tgz", "no-archive"])
def test_the_configuration_is_read_in_every_container(cli: Cli, original, tmp_path: Path, form: str) -> None:
    files = {"handler.py": NOOP, "config.yaml": "parallelType: tp\n"}
    options = ["--model-name", "m1", "--version", "1.0", "--handler", "handler.py", "--config-file", "config.yaml"]
    original("torch-model-archiver", files, *options, "--archive-format", form)
    (archive,) = (tmp_path / "store").iterdir()
    record = json.loads(cli("check-compat", str(archive), "--json").out)
    assert [row["code"] for each in record["archives"] for row in each["rows"]] == ["WF511"], record
