import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from wfctl.cli.main import COMMANDS
from wfctl.cli.new import command


def new(*arguments):
    return CliRunner().invoke(command, [str(each) for each in arguments])


@pytest.mark.parametrize(
    ("template", "models"), [("chain", ["fahrenheit.mar"]), ("parallel", ["fahrenheit.mar", "kelvin.mar"])]
)
def test_the_folder_holds_a_spec_a_handler_and_packed_models(tmp_path, template, models):
    result = new(tmp_path / "first", "--template", template)
    assert result.exit_code == 0, result.output
    folder = tmp_path / "first"
    spec = yaml.safe_load((folder / "workflow.yaml").read_text(encoding="utf-8"))
    assert sorted(path.name for path in folder.glob("*.mar")) == models
    assert sorted(each["url"] for each in spec["models"].values() if isinstance(each, dict)) == models
    compile((folder / "handler.py").read_text(encoding="utf-8"), "handler.py", "exec")
    assert json.loads((folder / "input.json").read_text(encoding="utf-8")) == {"celsius": 20}
    assert (folder / "README.md").read_text(encoding="utf-8").startswith("# first\n")
    assert not [path for path in folder.rglob("*") if path.suffix == ".txt" or "NAME_OF" in path.name]


def test_the_spec_tells_editors_where_its_schema_is(tmp_path):
    new(tmp_path / "w")
    first = (tmp_path / "w" / "workflow.yaml").read_text(encoding="utf-8").splitlines()[0]
    key, _, path = first.partition("$schema=")
    assert key == "# yaml-language-server: "
    published = Path(__file__).parents[2] / "schemas" / "workflow-spec.json"
    assert json.loads((tmp_path / "w" / path).read_text(encoding="utf-8")) == json.loads(
        published.read_text(encoding="utf-8")
    )


def test_the_next_commands_are_named(tmp_path):
    result = new(tmp_path / "w")
    for words in ("cd ", "wfctl validate", "wfctl render", "wfctl run input.json", "wfctl archive --embed-models"):
        assert words in result.output


def test_a_folder_with_something_in_it_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("kept", encoding="utf-8")
    result = new(tmp_path)
    assert result.exit_code == 2
    assert "is there already, and not empty" in result.output
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_file_of_that_name_is_left_alone(tmp_path):
    (tmp_path / "taken").write_text("kept", encoding="utf-8")
    assert new(tmp_path / "taken").exit_code == 2


def test_an_empty_folder_is_filled(tmp_path):
    (tmp_path / "empty").mkdir()
    assert new(tmp_path / "empty").exit_code == 0


@pytest.mark.parametrize("name", ["-x", "a b", "ümlaut", "_x"])
def test_a_name_that_no_archive_could_have_is_refused(tmp_path, name):
    result = CliRunner().invoke(command, ["--", str(tmp_path / name)])
    assert result.exit_code == 2
    assert "cannot name a workflow" in result.output
    assert not (tmp_path / name).exists()


def test_a_folder_that_cannot_be_made_is_a_plain_error(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "wfctl", "new", str(tmp_path / "file" / "below")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "error[" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_line_of_help_is_that_of_the_table():
    assert command.get_short_help_str() == COMMANDS["new"]
