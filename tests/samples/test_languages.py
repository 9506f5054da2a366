import csv
import json
import re
import shutil
import subprocess
import sys

import pytest
from sample_nodes import SAMPLES, answers, bodies, function_node, hosted, model_node

from wfctl.engine.call import Part

LANGUAGES = SAMPLES / "languages"
HELD_OUT_ARTICLES = {4, 8, 12, 16, 20, 24, 28}


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    """Copy the sample away and build its archive there, as its README says."""
    copy = tmp_path_factory.mktemp("sample") / "languages"
    shutil.copytree(LANGUAGES, copy, ignore=shutil.ignore_patterns("*.mar", "*.war", "__pycache__"))
    subprocess.run([sys.executable, str(copy / "build.py")], check=True, capture_output=True)
    return copy


def rows_of(name):
    with (LANGUAGES / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def five_words_each(text):
    words = text.split()
    return [" ".join(words[at : at + 5]) for at in range(0, len(words) - 4, 5)]


def measured_texts():
    unseen = [row for row in rows_of("declaration.csv") if int(row["article"]) in HELD_OUT_ARTICLES]
    return {
        "paragraphs": [(row["text"], row["language"]) for row in unseen],
        "pieces": [(piece, row["language"]) for row in unseen for piece in five_words_each(row["text"])],
        "everyday": [(row["text"], row["language"]) for row in rows_of("everyday.csv")],
    }


def identified(sample, into, texts):
    with hosted(function_node("read_text", sample)) as host:
        read = [bodies(host, [[Part("body", text.encode(), "text/plain")]])[0] for text in texts]
    with hosted(model_node("identify", sample / "identify.mar", into)) as host:
        batches = [read[at : at + 16] for at in range(0, len(read), 16)]
        chances = [body for batch in batches for body in bodies(host, [[Part("body", each)] for each in batch])]
    with hosted(function_node("answer", sample)) as host:
        return [json.loads(bodies(host, [[Part("body", each)]])[0]) for each in chances]


def test_accuracy_is_what_the_readme_states(sample, tmp_path):
    measured = measured_texts()
    found = identified(sample, tmp_path, [text for texts in measured.values() for text, _ in texts])
    verdicts = iter(found)
    rows = []
    for name, texts in measured.items():
        right = sum(next(verdicts)["language"] == language for _, language in texts)
        rows.append((name, str(right), str(len(texts)), f"{right / len(texts) * 100:.2f}"))
    readme = (LANGUAGES / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| (\w+) \| (\d+) of (\d+) \| ([\d.]+)% \|$", readme, re.MULTILINE) == rows


def test_the_input_is_german_and_the_answer_says_how_sure_it_is(sample, tmp_path):
    (verdict,) = identified(sample, tmp_path, [(LANGUAGES / "input.txt").read_text(encoding="utf-8")])
    assert verdict["language"] == "German"
    assert 0.5 < verdict["probability"] <= 1
    assert verdict["otherwise"]["probability"] < verdict["probability"]


@pytest.mark.parametrize(
    ("sent", "status", "complaint"),
    [
        (b"", 400, "there is none"),
        (b"  \n", 400, "there is none"),
        (b"caf\xe9", 400, "not UTF-8: byte 3"),
        (b"2026", 400, "0 letters"),
        ("é1é".encode(), 400, "2 letters"),
        (b"a" * 10_001, 413, "10001 characters"),
    ],
    ids=lambda value: str(value)[:12],
)
@pytest.mark.parametrize("content_type", ["text/plain", "application/octet-stream"])
def test_what_is_no_text_is_refused_in_words(sample, sent, status, complaint, content_type):
    with hosted(function_node("read_text", sample)) as host:
        (answer,) = answers(host, [[Part("body", sent, content_type)]])
    assert (answer.error.status, answer.error.is_final) == (status, True)
    assert complaint in answer.error.message


def test_the_model_and_the_script_speak_of_the_same_languages(sample, tmp_path):
    with hosted(model_node("identify", sample / "identify.mar", tmp_path)) as host:
        (body,) = bodies(host, [[Part("body", b"hello")]])
    assert list(json.loads(body)) == sorted({row["language"] for row in rows_of("declaration.csv")})
