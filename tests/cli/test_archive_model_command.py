"""``wfctl archive-model`` beside the original archiver: the same words in, the same archive out."""

import gzip
import hashlib
import json
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from wfctl.archive.manifest import MAR_MANIFEST
from wfctl.archive.mar import plan_model
from wfctl.archive.pack_folder import write_folder
from wfctl.archive.unpack import list_members, read_member

ORIGINAL = Path(sys.executable).parent / "torch-model-archiver"
ENDINGS = {"default": ".mar", "zip-store": ".mar", "tgz": ".tar.gz", "no-archive": ""}
WORDS = ["--model-name", "m1", "--handler", "handler.py", "--version", "1.0"]


@pytest.fixture
def model(tmp_path):
    """Return a folder with everything a model may have."""
    folder = tmp_path / "model"
    (folder / "extra" / "deep").mkdir(parents=True)
    (folder / "extra" / "__pycache__").mkdir()
    (folder / "extra" / ".hidden").mkdir()
    (folder / "handler.py").write_text("def handle(data, context):\n    return data\n")
    (folder / "net.py").write_text("class Net: ...\n")
    (folder / "weights.pt").write_bytes(bytes(range(256)) * 40)
    (folder / "config.yaml").write_text("minWorkers: 1\nmaxWorkers: 1\n")
    (folder / "requirements.txt").write_text("click\n")
    (folder / "names.json").write_text("{}")
    for name in ("a.txt", "deep/b.txt", ".dotfile", "__pycache__/c.pyc", ".hidden/d.txt"):
        (folder / "extra" / name).write_text(name)
    return folder


@pytest.fixture
def original(tmp_path):
    """Run the real archiver, with a temporary folder of its own, for it empties what it finds there."""

    def run(*words, cwd):
        (tmp_path / "t").mkdir(exist_ok=True)
        env = {**os.environ, "TMPDIR": str(tmp_path / "t")}
        return subprocess.run([ORIGINAL, *map(str, words)], cwd=cwd, env=env, capture_output=True, text=True)

    return run


def _contents(path):
    return {member.name: member.sha256 for member in list_members(path) if member.name != MAR_MANIFEST}


def _manifest(path):
    return json.loads(read_member(path, MAR_MANIFEST, limit=1 << 20))


@pytest.mark.parametrize("form", ENDINGS)
def test_every_form_holds_what_the_originals_holds(cli, original, model, tmp_path, form):
    words = [
        *WORDS,
        *("--serialized-file", "weights.pt", "--model-file", "net.py", "-r", "requirements.txt", "-c", "config.yaml"),
        *("--extra-files", "extra,names.json", "--archive-format", form),
    ]
    assert original(*words, "--export-path", ".", cwd=model).returncode == 0
    done = cli("archive-model", *words, "--export-path", tmp_path / "ours", cwd=model)
    assert done.code == 0, done.err
    theirs, ours = model / f"m1{ENDINGS[form]}", tmp_path / "ours" / f"m1{ENDINGS[form]}"
    assert _contents(ours) == _contents(theirs)
    assert ".dotfile" in _contents(ours)
    assert "deep/b.txt" in _contents(ours)
    expected = _manifest(theirs)
    written = _manifest(ours)
    assert written["model"] == expected["model"]
    assert (written.keys(), written["runtime"]) == (expected.keys(), expected["runtime"])


@pytest.mark.parametrize(
    ("handler", "packed"),
    [
        ("image_classifier", []),
        ("handler", ["handler.py"]),
        ("handler.py", ["handler.py"]),
        ("handler:f", ["handler.py"]),
    ],
)
def test_a_handler_is_named_as_it_is_typed(cli, original, model, handler, packed):
    words = ["--model-name", "m1", "--handler", handler, "-v", "2"]
    original(*words, cwd=model)
    theirs = _manifest(model / "m1.mar")
    assert cli("archive-model", *words, "-f", cwd=model).code == 0
    assert _manifest(model / "m1.mar")["model"] == theirs["model"]
    assert list(_contents(model / "m1.mar")) == packed


@pytest.mark.parametrize(
    "words",
    [
        ["-v=2.0"],
        ["-v", "", "--serialized-file", "", "--model-file", "", "-r", "", "-c", "", "--extra-files", ""],
        ["-v", "1", "-r=requirements.txt", "-c=config.yaml", "--export-path", ""],
    ],
)
def test_variables_that_are_empty_and_equals_signs_mean_what_they_mean_to_the_original(cli, original, model, words):
    words = [*WORDS[:4], *words]
    original(*words, cwd=model)
    theirs = _manifest(model / "m1.mar")["model"]
    assert cli("archive-model", *words, "-f", cwd=model).code == 0
    assert _manifest(model / "m1.mar")["model"] == {"modelVersion": "1.0", **theirs}


def test_a_handler_with_ending_and_function_is_packed_where_the_original_fails(cli, model):
    assert cli("archive-model", *WORDS[:2], "--handler", "handler.py:handle", "-v", "1", cwd=model).code == 0
    assert _manifest(model / "m1.mar")["model"]["handler"] == "handler.py:handle"


@pytest.mark.parametrize(
    ("words", "lines"),
    [
        (WORDS, 3),
        (["--model-name", "m!", *WORDS[2:]], 2),
        ([*WORDS, "--export-path", "names.json"], 1),
    ],
)
def test_refusals_begin_with_the_words_of_the_original(cli, original, model, words, lines):
    original(*WORDS, cwd=model)
    theirs = original(*words, cwd=model)
    ours = cli("archive-model", *words, cwd=model)
    assert (ours.code, ours.out) == (theirs.returncode, theirs.stdout) == (1, "")
    assert ours.err.splitlines() == theirs.stderr.splitlines()[:lines]
    assert ours.err.startswith("ERROR - ")


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--model-name", "m"],
        WORDS[:4],
        [*WORDS, "--runtime", "java"],
        [*WORDS, "--nosuch"],
        [*WORDS[:2], "-v", "1"],
    ],
)
def test_a_wrong_command_line_ends_as_with_the_original(cli, original, model, words):
    theirs, ours = original(*words, cwd=model), cli("archive-model", *words, cwd=model)
    assert ours.code == theirs.returncode == 2
    sentence = theirs.stderr.splitlines()[-1].partition("error: ")[2]
    if "are required" in sentence:
        assert sentence in ours.err


@pytest.mark.parametrize(
    "words",
    [
        ["--model-name", "m1", "--handler", "absent", "-v", "1"],
        [*WORDS, "--serialized-file", "absent.pt"],
        [*WORDS, "--extra-files", "absent.txt"],
        [*WORDS, "--config-file", "absent.yaml"],
    ],
)
def test_a_file_that_is_not_there_leaves_nothing(cli, original, model, tmp_path, words):
    theirs = original(*words, "--export-path", ".", cwd=model)
    ours = cli("archive-model", *words, "--export-path", tmp_path / "out", cwd=model)
    assert ours.code == theirs.returncode == 1
    assert "absent" in ours.err
    assert "Traceback" not in ours.err
    assert not (tmp_path / "out").exists()


def test_force_overwrites_and_says_so_as_the_original_does(cli, original, model):
    original(*WORDS, cwd=model)
    theirs = original(*WORDS, "--force", cwd=model)
    ours = cli("archive-model", *WORDS, "--force", cwd=model)
    assert ours.code == theirs.returncode == 0
    assert ours.err.splitlines()[0] == theirs.stderr.splitlines()[0] == f"WARNING - Overwriting {model}/m1.mar ..."


def test_what_was_written_is_told(cli, model):
    done = cli("archive-model", *WORDS, "--archive-format", "zip-store", cwd=model)
    digest = hashlib.sha256((model / "m1.mar").read_bytes()).hexdigest()
    assert done.err.splitlines()[0].startswith(f"wrote {model}/m1.mar: 2 members, ")
    assert done.err.splitlines()[1:] == [f"sha256 {digest}"]


@pytest.mark.parametrize("form", ["default", "zip-store", "tgz"])
def test_the_same_files_give_the_same_bytes_on_another_day(cli, model, tmp_path, form):
    words = [*WORDS, "--extra-files", "extra", "--archive-format", form, "--export-path"]
    assert cli("archive-model", *words, tmp_path / "one", cwd=model).code == 0
    for path in model.rglob("*"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
        path.chmod(0o700)
    env = {"TZ": "Pacific/Auckland", "PYTHONHASHSEED": "7"}
    assert cli("archive-model", *words, tmp_path / "two", cwd=model, env=env).code == 0
    (one,), (two,) = (tmp_path / "one").iterdir(), (tmp_path / "two").iterdir()
    assert one.read_bytes() == two.read_bytes()


def test_a_tar_carries_nothing_of_this_machine(cli, model):
    assert cli("archive-model", *WORDS, "--archive-format", "tgz", cwd=model).code == 0
    raw = (model / "m1.tar.gz").read_bytes()
    assert raw[:2] == b"\x1f\x8b"
    assert raw[3:8] == bytes(5)  # no name, no time
    with tarfile.open(fileobj=gzip.open(model / "m1.tar.gz")) as archive:
        found = archive.getmembers()
    assert [member.name for member in found] == ["m1/MAR-INF/MANIFEST.json", "m1/handler.py"]
    assert {(m.uid, m.gid, m.uname, m.gname, m.mode, m.mtime) for m in found} == {(0, 0, "", "", 0o644, 315532800)}


def test_names_too_long_for_a_plain_tar_are_kept(cli, model):
    long = "/".join(["deeply"] * 30) + "/file.txt"
    path = model / "extra" / long
    path.parent.mkdir(parents=True)
    path.write_text("x")
    done = cli("archive-model", *WORDS, "--extra-files", "extra", "--archive-format", "tgz", cwd=model)
    assert done.code == 0, done.err
    assert long in _contents(model / "m1.tar.gz")
    with tarfile.open(model / "m1.tar.gz") as archive:
        assert f"m1/{long}" in archive.getnames()


def test_the_date_inside_is_the_one_that_the_environment_gives(cli, model):
    env = {"SOURCE_DATE_EPOCH": "1700000000"}
    assert cli("archive-model", *WORDS, cwd=model, env=env).code == 0
    assert _manifest(model / "m1.mar")["createdOn"] == "14/11/2023 22:13:20"


def test_extra_files_are_stripped_expanded_and_packed_once(cli, model):
    words = ["--extra-files", " names.json , *.json, ./extra/a.txt,extra/*.txt , nothing*"]
    done = cli("archive-model", *WORDS, *words, cwd=model)
    assert done.code == 0, done.err
    assert 'warning: no file matches "nothing*"' in done.err
    assert list(_contents(model / "m1.mar")) == ["a.txt", "handler.py", "names.json"]


def test_two_files_of_one_name_are_refused(cli, model):
    (model / "extra" / "handler.py").write_text("other = 1\n")
    done = cli("archive-model", *WORDS, "--extra-files", "extra", cwd=model)
    assert done.code == 1
    assert 'two files would both be "handler.py" in the archive' in done.err
    assert not (model / "m1.mar").exists()


def test_a_link_out_of_a_folder_is_refused(cli, model, tmp_path):
    (tmp_path / "secret").write_text("s")
    (model / "extra" / "link").symlink_to(tmp_path / "secret")
    done = cli("archive-model", *WORDS, "--extra-files", "extra", cwd=model)
    assert done.code == 1
    assert "outside the folder" in done.err


def test_a_folder_is_replaced_only_if_it_is_a_models(cli, model):
    words = [*WORDS, "--archive-format", "no-archive"]
    assert cli("archive-model", *words, cwd=model).code == 0
    (model / "m1" / "stale.txt").write_text("x")
    assert cli("archive-model", *words, cwd=model).code == 1
    assert cli("archive-model", *words, "-f", cwd=model).code == 0
    assert sorted(_contents(model / "m1")) == ["handler.py"]
    (model / "m1" / "MAR-INF" / "MANIFEST.json").unlink()
    done = cli("archive-model", *words, "-f", cwd=model)
    assert done.code == 1
    assert "not the folder of a model" in done.err
    assert (model / "m1" / "handler.py").exists()
    assert not [path.name for path in model.iterdir() if path.name.startswith(".m1")]


def test_a_folder_that_is_being_replaced_is_there_after_an_interrupt(model, tmp_path, monkeypatch):
    plan = plan_model(model_name="m1", handler=model / "handler.py")
    write_folder(tmp_path / "m1", plan)
    (tmp_path / "m1" / "mine.txt").write_text("mine")
    rename = Path.rename

    def interrupted(path, target):
        if path.name.endswith(".part"):
            raise KeyboardInterrupt
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_folder(tmp_path / "m1", plan, overwrite=True)
    assert (tmp_path / "m1" / "mine.txt").read_text() == "mine"
    assert not [path.name for path in tmp_path.iterdir() if path.name.startswith(".m1")]


def test_what_a_worker_would_stumble_over_is_a_warning_and_no_refusal(cli, model):
    (model / "handler.py").write_text("def handle(data, context)\n")
    (model / "net.py").write_text("class A: ...\nclass B: ...\n")
    (model / "weights.xyz").write_text("?")
    words = [*WORDS, "--model-file", "net.py", "--serialized-file", "weights.xyz"]
    done = cli("archive-model", *words, cwd=model)
    assert done.code == 0
    warnings = [line for line in done.err.splitlines() if line.startswith("warning: ")]
    assert len(warnings) == 3
    assert "the handler \"handler.py\" is not Python that can be read: expected ':' (line 1)" in warnings[0]
    assert 'it defines "A", "B"' in warnings[1]
    assert 'the weights "weights.xyz"' in warnings[2]


def test_a_native_handler_is_packed_and_warned_of(cli, original, model):
    (model / "lib.so").write_bytes(b"\x7fELF")
    words = ["--model-name", "m1", "--handler", "lib", "-v", "1", "--runtime", "LSP"]
    original(*words, cwd=model)
    theirs = _manifest(model / "m1.mar")
    done = cli("archive-model", *words, "-f", cwd=model)
    assert done.code == 0
    assert "wfctl run cannot load this model" in done.err
    ours = _manifest(model / "m1.mar")
    assert (ours["model"], ours["runtime"]) == (theirs["model"], "LSP")
    assert list(_contents(model / "m1.mar")) == ["lib.so"]


def test_nothing_is_left_in_the_temporary_folder(cli, model, tmp_path):
    (tmp_path / "temp").mkdir()
    (tmp_path / "temp" / "m1").mkdir()
    assert cli("archive-model", *WORDS, cwd=model, env={"TMPDIR": str(tmp_path / "temp")}).code == 0
    assert [path.name for path in (tmp_path / "temp").iterdir()] == ["m1"]


def test_the_original_forms_of_compression_are_kept(cli, model):
    for form, method in (("default", zipfile.ZIP_DEFLATED), ("zip-store", zipfile.ZIP_STORED)):
        assert cli("archive-model", *WORDS, "-f", "--archive-format", form, cwd=model).code == 0
        with zipfile.ZipFile(model / "m1.mar") as archive:
            assert {member.compress_type for member in archive.infolist()} == {method}


def test_options_may_be_cut_short_as_with_the_original(cli, model, tmp_path):
    done = cli(
        "archive-model", "--model-n=m1", "--handl", "model/handler.py", "--ver", "1.0", "--serial", "model/weights.pt"
    )
    assert done.code == 0, done.err
    assert {"handler.py", "weights.pt"} <= {member.name for member in list_members(tmp_path / "m1.mar")}


def test_a_beginning_that_fits_two_options_means_neither(cli, model):
    done = cli("archive-model", *WORDS, "--mode", "m2", cwd=model)
    assert done.code == 2
    assert '"--mode" may mean --model-file or --model-name' in done.err
