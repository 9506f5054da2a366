import csv
import json
import re
import shutil
import subprocess
import sys
from itertools import islice

import pytest
from sample_nodes import SAMPLES, in_shell


def wfctl(*arguments, cwd):
    done = subprocess.run(
        [sys.executable, "-m", "wfctl", *map(str, arguments)], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


@pytest.fixture(scope="module", params=["digits", "languages"])
def sample(request, tmp_path_factory):
    copy = tmp_path_factory.mktemp("top") / "samples" / request.param
    shutil.copytree(SAMPLES / request.param, copy, ignore=shutil.ignore_patterns("*.mar", "*.war", "__pycache__"))
    subprocess.run([sys.executable, str(copy / "build.py")], check=True, capture_output=True)
    return copy


def expected_of(sample, answer):
    if sample.name == "digits":
        assert answer["votes"] == {"cnn": 7, "mlp": 7}
        return answer["digit"], 7
    return answer["language"], "German"


def the_input(sample):
    (found,) = sample.glob("input.*")
    return found


def test_nothing_is_found_wrong(sample):
    done = wfctl("validate", sample, cwd=sample.parent)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stdout + done.stderr


def test_the_folder_answers(sample):
    done = wfctl("run", the_input(sample), cwd=sample)
    assert done.returncode == 0, done.stderr
    found, expected = expected_of(sample, json.loads(done.stdout))
    assert found == expected


def test_the_archive_answers_the_same(sample):
    done = wfctl("archive", sample, "--export-path", sample, "--force", cwd=sample.parent)
    assert done.returncode == 0, done.stderr
    ran = wfctl("run", the_input(sample), "--workflow", sample / f"{sample.name}.war", cwd=sample.parent)
    assert ran.returncode == 0, ran.stderr
    found, expected = expected_of(sample, json.loads(ran.stdout))
    assert found == expected


def test_the_answer_is_the_same_in_one_process(sample):
    done = wfctl("run", the_input(sample), "--workflow", sample, "--inline", cwd=sample.parent)
    assert done.returncode == 0, done.stderr
    found, expected = expected_of(sample, json.loads(done.stdout))
    assert found == expected


def test_bad_input_is_refused_in_the_words_of_the_node(sample, tmp_path):
    bad = tmp_path / "bad.txt"
    bad.write_text("2026", encoding="utf-8")
    done = wfctl("run", bad, "--workflow", sample, cwd=tmp_path)
    words = {"digits": "8 rows of 8 numbers from 0 to 16", "languages": "the text has 0 letters"}[sample.name]
    assert (done.returncode, done.stdout) == (3, "")
    assert words in done.stderr


def test_the_commands_of_the_readme_work(sample):
    readme = (sample / "README.md").read_text(encoding="utf-8")
    commands = re.findall(r"```sh\n(.*?)```", readme, re.DOTALL)[0]
    assert commands.count("wfctl ") >= 2
    done = in_shell("-ec", commands, cwd=sample.parents[1])
    assert done.returncode == 0, done.stderr.decode()


@pytest.mark.parametrize("sample", ["digits"], indirect=True)
def test_the_digits_answer_a_file_of_lines(sample):
    done = wfctl("run", sample / "inputs.jsonl", "-o", "answers.jsonl", cwd=sample)
    assert done.returncode == 0, done.stderr
    found = [json.loads(line)["answer"]["digit"] for line in (sample / "answers.jsonl").read_text().splitlines()]
    with (sample / "held_out.csv").open() as rows:
        expected = [int(row["label"]) for row in islice(csv.DictReader(rows), len(found))]
    assert len(found) == 10
    assert found == expected
