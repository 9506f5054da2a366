"""Archives that the original archivers make are read, and ours are read by other tools."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from wfctl.archive.manifest import MAR_MANIFEST, parse_mar_manifest
from wfctl.archive.mar import write_mar
from wfctl.archive.peek import ContentKind
from wfctl.archive.read_sources import read_sources
from wfctl.archive.unpack import Container, list_members, read_member, unpack

BIN = Path(sys.executable).parent


def _run(program, *words, cwd, tmp):
    # The original stages in a folder of its own name below the temporary folder: give it one that is ours.
    tmp.mkdir(exist_ok=True)
    command = [str(BIN / program), *map(str, words)]
    subprocess.run(command, check=True, cwd=cwd, env={**os.environ, "TMPDIR": str(tmp)}, capture_output=True)


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "in"
    path.mkdir()
    (path / "flow.yaml").write_text("models:\n  m1: {url: m1.mar}\ndag:\n  pre: [m1]\n")
    (path / "pred-err.py").write_text("def pre(data, context): ...\n")
    (path / "names.json").write_text('{"0": "zero"}')
    (path / "handler.py").write_text("def handle(data, context): ...\n")
    (path / "weights.pt").write_bytes(os.urandom(3000))
    (path / "config.yaml").write_text("minWorkers: 1\n")
    return path


def test_a_war_of_the_original_archiver_is_read_and_unpacked(folder, tmp_path):
    words = ["--workflow-name", "flow", "--spec-file", "flow.yaml", "--handler", "pred-err.py"]
    _run("torch-workflow-archiver", *words, "--extra-files", "names.json", cwd=folder, tmp=tmp_path / "t")
    read = read_sources(folder / "flow.war")
    assert read.name == "flow"
    assert read.sources.spec.text == (folder / "flow.yaml").read_text()
    assert read.sources.handler.text == (folder / "pred-err.py").read_text()
    unpacked = unpack(folder / "flow.war", tmp_path / "out")
    assert unpacked.names == {"WAR-INF/MANIFEST.json", "flow.yaml", "pred-err.py", "names.json"}
    assert (tmp_path / "out" / "names.json").read_text() == '{"0": "zero"}'


@pytest.mark.parametrize(
    ("form", "output", "container"),
    [
        ("default", "m1.mar", Container.ZIP),
        ("zip-store", "m1.mar", Container.ZIP),
        ("tgz", "m1.tar.gz", Container.TAR),
        ("no-archive", "m1", Container.FOLDER),
    ],
)
def test_a_model_of_the_original_archiver_is_read_in_every_form(folder, tmp_path, form, output, container):
    words = ["--model-name", "m1", "--version", "2.0", "--handler", "handler:handle", "--serialized-file"]
    more = ["weights.pt", "--extra-files", "names.json", "--config-file", "config.yaml", "--archive-format", form]
    _run("torch-model-archiver", *words, *more, cwd=folder, tmp=tmp_path / "t")
    manifest = parse_mar_manifest(read_member(folder / output, MAR_MANIFEST, limit=1 << 20))
    assert (manifest.model_name, manifest.model_version) == ("m1", "2.0")
    assert (manifest.handler, manifest.serialized_file) == ("handler:handle", "weights.pt")
    unpacked = unpack(folder / output, tmp_path / "out")
    assert unpacked.container is container
    assert unpacked.names == {MAR_MANIFEST, "handler.py", "weights.pt", "names.json", "config.yaml"}
    assert (unpacked.root / "weights.pt").read_bytes() == (folder / "weights.pt").read_bytes()


def test_our_model_says_what_the_originals_says(folder, tmp_path):
    words = ["--model-name", "m1", "--version", "1.0", "--handler", "handler.py", "--serialized-file", "weights.pt"]
    _run("torch-model-archiver", *words, cwd=folder, tmp=tmp_path / "t")
    ours = write_mar(
        tmp_path / "ours.mar",
        model_name="m1",
        handler=folder / "handler.py",
        serialized_file=folder / "weights.pt",
    )
    theirs = parse_mar_manifest(read_member(folder / "m1.mar", MAR_MANIFEST, limit=1 << 20)).raw
    written = parse_mar_manifest(read_member(ours, MAR_MANIFEST, limit=1 << 20)).raw
    assert written["model"] == {key: value for key, value in theirs["model"].items() if value}
    assert written.keys() == theirs.keys()


def test_a_zip_of_java_is_read(tmp_path):
    # Java's writer streams: blank sizes in the headers, descriptors behind, folders as members of their own.
    class Unseekable:
        def __init__(self, stream):
            self.stream = stream

        def write(self, data):
            return self.stream.write(data)

        def flush(self):
            self.stream.flush()

    path = tmp_path / "a.war"
    with path.open("wb") as stream, zipfile.ZipFile(Unseekable(stream), "w", zipfile.ZIP_DEFLATED) as archive:
        archive.mkdir("WAR-INF")
        archive.writestr("WAR-INF/MANIFEST.json", "{}")
        with archive.open("big", "w", force_zip64=True) as member:
            member.write(b"x" * 100_000)
    assert {member.name: member.size for member in list_members(path)} == {"WAR-INF/MANIFEST.json": 2, "big": 100_000}


def test_a_zip_with_wide_records_is_read(tmp_path):
    path = tmp_path / "a.war"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(70_000):
            archive.writestr(zipfile.ZipInfo(f"f{number}"), b"")
    assert len(unpack_names(path)) == 70_000


def unpack_names(path):
    from wfctl.archive.unpack import open_archive

    with open_archive(path) as archive:
        return archive.names()


def test_other_tools_read_what_we_write(folder, tmp_path):
    path = write_mar(tmp_path / "m.mar", model_name="m", handler=folder / "handler.py", extra_files=[folder])
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
    out = subprocess.run([sys.executable, "-m", "zipfile", "-l", path], capture_output=True, text=True, check=True)
    assert "weights.pt" in out.stdout


def test_weights_are_told_apart_without_loading_them(tmp_path):
    import pickle

    import torch

    net = torch.nn.Linear(3, 2)
    files = tmp_path / "files"
    files.mkdir()
    torch.save(net.state_dict(), files / "state.pt")
    torch.save(net.state_dict(), files / "old.pt", _use_new_zipfile_serialization=False)
    torch.jit.script(net).save(str(files / "script.pt"))
    (files / "plain.bin").write_bytes(pickle.dumps({"a": 1}))
    (files / "lib.so").write_bytes(b"\x7fELF\x02\x01\x01")
    (files / "w.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0{}      ")
    (files / "names.json").write_text("{}")
    path = write_mar(tmp_path / "m.mar", model_name="m", handler="base_handler", extra_files=[files])
    assert {member.name: member.content for member in list_members(path)} == {
        MAR_MANIFEST: ContentKind.OTHER,
        "state.pt": ContentKind.TORCH_SAVE,
        "old.pt": ContentKind.PICKLE,
        "script.pt": ContentKind.TORCHSCRIPT,
        "plain.bin": ContentKind.PICKLE,
        "lib.so": ContentKind.NATIVE,
        "w.safetensors": ContentKind.SAFETENSORS,
        "names.json": ContentKind.OTHER,
    }
