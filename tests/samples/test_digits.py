import csv
import json
import re
import shutil
import subprocess
import sys
import zipfile

import pytest
from sample_nodes import SAMPLES, answers, bodies, function_node, hosted, in_shell, model_node

from wfctl.engine.call import Part

DIGITS = SAMPLES / "digits"


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    """Copy the sample away and build its archives there, as its README says."""
    copy = tmp_path_factory.mktemp("top") / "samples" / "digits"
    shutil.copytree(DIGITS, copy, ignore=shutil.ignore_patterns("*.mar", "*.war", "__pycache__"))
    subprocess.run([sys.executable, str(copy / "build.py")], check=True, capture_output=True)
    return copy


def held_out():
    with (DIGITS / "held_out.csv").open(encoding="utf-8", newline="") as file:
        rows = [[int(each) for each in row] for row in list(csv.reader(file))[1:]]
    return [row[0] for row in rows], [[row[1:][at : at + 8] for at in range(0, 64, 8)] for row in rows]


def batches_of(parts, size=8):
    return [parts[at : at + size] for at in range(0, len(parts), size)]


def through(node, rows):
    """Return the answers of a node to many rows, in batches as the spec sets them."""
    with hosted(node) as host:
        size = 1 if node.kind == "function" else 8
        return [body for batch in batches_of(rows, size) for body in bodies(host, batch)]


def test_held_out_accuracy_is_what_the_readme_states(sample, tmp_path):
    labels, images = held_out()
    inputs = [[Part("body", json.dumps({"image": image}).encode(), "application/json")] for image in images]
    pixels = through(function_node("preprocess", sample), inputs)
    seen = [[Part("body", each)] for each in pixels]
    models = {
        name: through(model_node(name, sample / f"digits_{name}.mar", tmp_path / name), seen) for name in ("cnn", "mlp")
    }
    joined = [[Part(name, found[at]) for name, found in models.items()] for at in range(len(labels))]
    verdicts = [json.loads(body) for body in through(function_node("vote", sample), joined)]
    right = {
        "cnn": sum(each["votes"]["cnn"] == label for each, label in zip(verdicts, labels, strict=True)),
        "mlp": sum(each["votes"]["mlp"] == label for each, label in zip(verdicts, labels, strict=True)),
        "vote": sum(each["digit"] == label for each, label in zip(verdicts, labels, strict=True)),
    }
    readme = (DIGITS / "README.md").read_text(encoding="utf-8")
    stated = re.findall(r"^\| (cnn|mlp|vote) \| (\d+) of (\d+) \| ([\d.]+)% \|$", readme, re.MULTILINE)
    assert stated == [
        (name, str(count), str(len(labels)), f"{count / len(labels) * 100:.2f}") for name, count in right.items()
    ]
    assert all(abs(sum(each["probabilities"].values()) - 1) < 0.001 for each in verdicts)


def test_the_input_is_a_held_out_seven():
    labels, images = held_out()
    image = json.loads((DIGITS / "input.json").read_text(encoding="utf-8"))["image"]
    assert labels[images.index(image)] == 7


@pytest.mark.parametrize(
    ("sent", "complaint"),
    [
        (b"", "8 rows of 8 numbers"),
        (b"[1, 2]", "8 rows of 8 numbers"),
        (b'{"image": [[1]]}', "8 rows of 8 numbers"),
        (json.dumps({"image": [[0] * 8] * 7 + [[0] * 9]}).encode(), "row 8 of the image must hold 8 numbers"),
        (json.dumps({"image": [[0] * 8] * 7 + [[17] * 8]}).encode(), "row 8 of the image holds 17"),
        (json.dumps({"image": [["0"] * 8] + [[0] * 8] * 7}).encode(), "row 1 of the image holds '0'"),
        (json.dumps({"image": [[True] * 8] + [[0] * 8] * 7}).encode(), "row 1 of the image holds True"),
        (json.dumps({"image": [[float("nan")] * 8] + [[0] * 8] * 7}).encode(), "row 1 of the image holds nan"),
    ],
)
def test_a_bad_picture_is_refused_with_its_row(sample, sent, complaint):
    with hosted(function_node("preprocess", sample)) as host:
        (answer,) = answers(host, [[Part("body", sent, "application/json")]])
    assert answer.error.status == 400
    assert answer.error.is_final
    assert complaint in answer.error.message


def test_building_twice_gives_the_same_bytes(sample):
    archives = sorted(sample.glob("*.mar"))
    before = [path.read_bytes() for path in archives]
    subprocess.run([sys.executable, str(sample / "build.py")], check=True, capture_output=True)
    assert [path.name for path in archives] == ["digits_cnn.mar", "digits_mlp.mar"]
    assert [path.read_bytes() for path in archives] == before


@pytest.mark.skipif(not (SAMPLES.parent / ".git").exists(), reason="not a git checkout")
def test_weights_are_committed_and_small():
    weights = [DIGITS / "cnn" / "cnn_weights.pt", DIGITS / "mlp" / "mlp.pt"]
    listed = subprocess.run(["git", "ls-files", "."], cwd=DIGITS, check=True, capture_output=True, text=True).stdout
    assert {path.relative_to(DIGITS).as_posix() for path in weights} <= set(listed.split())
    assert sum(path.stat().st_size for path in weights) < 1_000_000


@pytest.mark.parametrize("name", ["digits/cnn/cnn_weights.pt", "digits/mlp/mlp.pt", "languages/identify/weights.pt"])
def test_weights_say_nothing_of_the_machine_they_were_trained_on(name):
    with zipfile.ZipFile(SAMPLES / name) as archive:
        told = b"".join(archive.read(member) for member in archive.namelist() if "/data/" not in member)
    assert b"site-packages" not in told
    assert str(SAMPLES.parent).encode() not in told


def test_the_digit_can_be_shown(sample):
    done = subprocess.run(
        [sys.executable, str(sample / "show.py")], check=True, capture_output=True, env={"PYTHONIOENCODING": "utf-8"}
    )
    lines = done.stdout.decode("utf-8").splitlines()
    assert len(lines) == 8
    assert any("█" in line for line in lines)


def test_the_demo_shows_digit_drawing_and_answer(sample):
    done = in_shell("samples/digits/demo.sh", cwd=sample.parents[1])
    shown = done.stdout.decode("utf-8")
    assert done.returncode == 0, done.stderr.decode()
    places = [shown.index(words) for words in ("█", "wrote digits_cnn.mar", "preprocess", '"digit": 7')]
    assert places == sorted(places)
