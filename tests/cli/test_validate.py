"""``wfctl validate`` through the real command line."""

import json
import stat
import zipfile
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from jsonschema import Draft202012Validator
from started import Cli

SCHEMA = json.loads((Path(__file__).parents[2] / "schemas/diagnostics-report.json").read_text(encoding="utf-8"))
SOUND = "models:\n  m1: {url: m1.mar}\ndag:\n  pre: [m1]\n"
HANDLER = "def pre(data, context):\n    return data\n"
UNKNOWN = SOUND.replace("[m1]", "[m1, nowhere]")
FIXABLE = "models:\n  m1: {url: m1.mar, batch_size: 1}  # a comment\ndag:\n  pre: [m1, m1]\n"
FIXED = "models:\n  m1: {url: m1.mar, batch-size: 1}  # a comment\ndag:\n  pre: [m1]\n"
CYCLE = "models:\n  a: {url: m1.mar}\n  b: {url: m1.mar}\ndag:\n  a: [b]\n  b: [a]\n"
ADVICE = SOUND.replace("m1.mar}", "m1.mar, max-batch-delay: 10}")


def folder_with(path: Path, spec: str, *, name: str = "workflow.yaml", handler: str | None = HANDLER) -> Path:
    path.mkdir(exist_ok=True)
    (path / name).write_text(spec, encoding="utf-8", newline="")
    (path / "m1.mar").touch()
    if handler is not None:
        (path / "handler.py").write_text(handler, encoding="utf-8")
    return path


def war(path: Path, spec: str, handler: str = HANDLER) -> Path:
    manifest = {
        "createdOn": "01/01/1980 00:00:00",
        "runtime": "python",
        "workflow": {"workflowName": "w", "specFile": "spec.yaml", "handler": "handler.py"},
        "archiverVersion": "0.2.15",
    }
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("spec.yaml", spec)
        archive.writestr("handler.py", handler)
        archive.writestr("WAR-INF/MANIFEST.json", json.dumps(manifest))
    return path


# --- which workflow -----------------------------------------------------------------------------------------------


def test_without_a_path_the_workflow_of_the_folder_is_checked(cli: Cli, tmp_path: Path) -> None:
    folder_with(tmp_path, SOUND)
    done = cli("validate")
    assert (done.code, done.out) == (0, "")
    assert done.err.splitlines() == ["workflow.yaml: ok", "checked 1 workflow: nothing found"]


@pytest.mark.parametrize("name", ["workflow.yml", "other.yaml"])
def test_the_only_spec_of_a_folder_is_its_workflow(cli: Cli, tmp_path: Path, name: str) -> None:
    folder_with(tmp_path / "w", SOUND, name=name)
    (tmp_path / "w/settings.yaml").write_text("key: value\n", encoding="utf-8")
    assert cli("validate", "w").err.startswith(f"w/{name}: ok")


def test_a_folder_with_several_workflows_names_them(cli: Cli, tmp_path: Path) -> None:
    for name in ("a.yaml", "b.yaml"):
        folder_with(tmp_path, SOUND, name=name)
    done = cli("validate")
    assert (done.code, done.out) == (2, "")
    assert 'the current folder holds several workflows: "a.yaml", "b.yaml"' in done.err


def test_a_folder_without_a_workflow_says_what_it_has(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "values.yaml").write_text("key: value\n", encoding="utf-8")
    done = cli("validate")
    assert done.code == 2
    assert "no workflow" in done.err
    assert "values.yaml" in done.err
    assert "Traceback" not in done.err


def test_a_missing_file_is_an_error_with_the_name_that_was_meant(cli: Cli, tmp_path: Path) -> None:
    folder_with(tmp_path, SOUND)
    done = cli("validate", "worflow.yaml")
    assert done.code == 1
    assert done.err.splitlines()[:2] == [
        'error[unreadable-input]: there is no file "worflow.yaml"',
        'hint: did you mean "workflow.yaml"?',
    ]


def test_a_missing_file_hides_no_other_workflow(cli: Cli, tmp_path: Path) -> None:
    folder_with(tmp_path, UNKNOWN)
    done = cli("validate", "gone.yaml", "workflow.yaml", "--output-format", "concise")
    assert done.code == 1
    assert done.out.startswith("workflow.yaml:4:13: WF304 ")
    assert "1 workflow not read" in done.err


def test_several_workflows_are_reported_in_order(cli: Cli, tmp_path: Path) -> None:
    folder_with(tmp_path / "z", UNKNOWN)
    folder_with(tmp_path / "a", CYCLE)
    done = cli("validate", "z", "a/workflow.yaml", "--output-format", "concise")
    assert [line.partition(":")[0] for line in done.out.splitlines()] == ["z/workflow.yaml", "a/workflow.yaml"]
    assert done.err.startswith("checked 2 workflows: 2 errors")


def test_standard_input_is_a_spec_of_the_current_folder(cli: Cli, tmp_path: Path) -> None:
    folder_with(tmp_path, SOUND)
    assert cli("validate", "-", stdin=SOUND.encode()).code == 0
    done = cli("validate", "-", "--output-format", "concise", stdin=UNKNOWN.encode())
    assert done.code == 1
    assert done.out.startswith("<stdin>:4:13: WF304 ")


def test_a_war_is_checked_inside(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "m1.mar").touch()
    assert cli("validate", war(tmp_path / "good.war", SOUND)).code == 0
    done = cli("validate", war(tmp_path / "bad.war", UNKNOWN), "--output-format", "concise")
    assert done.code == 1
    assert "WF304" in done.out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.war", "good.war", "m1.mar"]


@pytest.mark.parametrize("name", ["bad.war", "model.mar"])
def test_what_is_no_workflow_archive_is_refused(cli: Cli, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"not an archive")
    done = cli("validate", name)
    assert done.code == 1
    assert done.err.startswith("error[")
    assert "Traceback" not in done.err


def test_a_handler_is_named_or_found_beside_the_spec(cli: Cli, tmp_path: Path) -> None:
    folder_with(tmp_path, SOUND, name="flow.yaml", handler=None)
    assert "WF401" in cli("validate", "flow.yaml").out
    (tmp_path / "flow_handler.py").write_text(HANDLER, encoding="utf-8")
    assert cli("validate", "flow.yaml").code == 0
    (tmp_path / "elsewhere.txt").write_text("def other(data, context): ...\n", encoding="utf-8")
    assert "elsewhere.txt" in cli("validate", "flow.yaml", "--handler", "elsewhere.txt").out
    gone = cli("validate", "flow.yaml", "--handler", "gone.py")
    assert (gone.code, gone.out) == (1, "")
    assert '"gone.py"' in gone.err


def test_the_handler_is_read_and_never_run(cli: Cli, tmp_path: Path) -> None:
    folder_with(tmp_path, SOUND, handler=HANDLER + "open('ran', 'w')\n")
    assert cli("validate").code == 0
    assert not (tmp_path / "ran").exists()


def test_models_are_looked_for_in_the_stores(cli: Cli, tmp_path: Path) -> None:
    folder_with(tmp_path, SOUND)
    (tmp_path / "store").mkdir()
    (tmp_path / "m1.mar").rename(tmp_path / "store/m1.mar")
    assert "WF501" in cli("validate").out
    assert cli("validate", "--model-store", "store").code == 0
    assert cli("validate", env={"WFCTL_MODEL_STORE": "store"}).code == 0


# --- what is reported ---------------------------------------------------------------------------------------------


def test_findings_are_framed_on_standard_output_and_counted_on_standard_error(cli: Cli, tmp_path: Path) -> None:
    folder_with(tmp_path, CYCLE)
    done = cli("validate")
    assert done.code == 1
    assert done.out.startswith("error[WF301]: ")
    assert "\n --> workflow.yaml:6:7\n  |\n5 |   a: [b]\n" in done.out
    assert done.err.splitlines() == ["checked 1 workflow: 1 error", "wfctl rule WF301 tells more about a code"]


def test_warnings_alone_are_a_failure(cli: Cli, tmp_path: Path) -> None:
    folder_with(tmp_path, SOUND.replace("dag:", "  unused: {url: m1.mar}\ndag:"))
    done = cli("validate")
    assert done.code == 1
    assert done.out.startswith("warning[WF307]: ")
    assert done.err.startswith("checked 1 workflow: 1 warning\n")


def test_notes_alone_are_no_failure(cli: Cli, tmp_path: Path) -> None:
    folder_with(tmp_path, ADVICE)
    done = cli("validate")
    assert done.code == 0
    assert done.out.startswith("note[WF701]: ")
    assert done.err.splitlines()[:2] == ["workflow.yaml: ok", "checked 1 workflow: 1 note"]


def test_select_and_ignore_decide_what_counts(cli: Cli, tmp_path: Path) -> None:
    folder_with(tmp_path, FIXABLE)

    def codes(*words: str) -> tuple[int, set[str]]:
        done = cli("validate", "--output-format", "concise", *words)
        return done.code, {line.split()[1] for line in done.out.splitlines()}

    assert codes() == (1, {"WF203", "WF303"})
    assert codes("--select", "WF3") == (1, {"WF303"})
    assert codes("--select", "wf203,WF4") == (1, {"WF203"})
    assert codes("--ignore", "repeated-edge") == (1, {"WF203"})
    assert codes("--ignore", "WF203", "--ignore", "WF3") == (0, set())
    assert codes("--select", "WF3", "--ignore", "WF303") == (0, set())


@pytest.mark.parametrize("option", ["--select", "--ignore"])
def test_an_unknown_code_is_a_usage_error_with_a_suggestion(cli: Cli, option: str) -> None:
    done = cli("validate", option, "WF301,WF33o3")
    assert (done.code, done.out) == (2, "")
    assert 'no rule is called "WF33o3"; did you mean WF' in done.err


def test_exit_zero_hides_findings_from_the_exit_code_only(cli: Cli, tmp_path: Path) -> None:
    folder_with(tmp_path, CYCLE)
    done = cli("validate", "--exit-zero")
    assert done.code == 0
    assert "WF301" in done.out
    assert cli("validate", "gone.yaml", "--exit-zero").code == 1


def test_compat_lowers_what_torchserve_tolerates(cli: Cli, tmp_path: Path) -> None:
    folder_with(tmp_path, SOUND.replace("m1.mar}", "m1.mar, batch_size: 1}"))
    assert cli("validate").out.startswith("error[WF203]")
    assert cli("validate", "--compat").out.startswith("warning[WF203]")


@pytest.mark.parametrize("text", [b"\xff\xfe", b"", b"dag: [", b"x" * 5_000_000, b"[" * 100_000])
def test_hostile_text_ends_in_findings(cli: Cli, tmp_path: Path, text: bytes) -> None:
    (tmp_path / "workflow.yaml").write_bytes(text)
    done = cli("validate", "workflow.yaml", "--output-format", "concise")
    assert done.code == 1
    assert done.out.startswith("workflow.yaml:")
    assert " WF1" in done.out
    assert "Traceback" not in done.err


def test_terminal_escapes_of_the_user_are_shown_and_not_sent(cli: Cli, tmp_path: Path) -> None:
    evil = tmp_path / "a\x1b[31mb.yaml"
    evil.write_text('dag:\n  "a\\e[2J": [b]\n  \x1b[1m: []\n', encoding="utf-8")
    for form in ("full", "concise", "github", "json"):
        done = cli("validate", evil, "--output-format", form)
        assert done.code == 1
        assert "\x1b" not in done.out + done.err


# --- forms --------------------------------------------------------------------------------------------------------


def test_machine_forms_stand_alone_on_standard_output(cli: Cli, tmp_path: Path) -> None:
    folder_with(tmp_path, FIXABLE)
    report = json.loads(cli("validate", "--output-format", "json").out)
    Draft202012Validator(SCHEMA).validate(report)
    assert report["summary"] == {
        "workflows": 1,
        "unreadable": 0,
        "errors": 2,
        "warnings": 0,
        "notes": 0,
        "fixable": 2,
    }
    lines = cli("validate", "--output-format", "jsonl").out.splitlines()
    assert [json.loads(line)["code"] for line in lines] == ["WF203", "WF303"]
    assert len(json.loads(cli("validate", "--output-format", "sarif").out)["runs"][0]["results"]) == 2
    assert ET.fromstring(cli("validate", "--output-format", "junit").out).get("failures") == "2"
    assert cli("validate", "--output-format", "github").out.count("::error ") == 2


def test_the_github_form_is_chosen_in_github_actions(cli: Cli, tmp_path: Path) -> None:
    folder_with(tmp_path, CYCLE)
    actions = {"GITHUB_ACTIONS": "true"}
    assert cli("validate", env=actions).out.startswith("::error file=workflow.yaml,line=6,")
    assert cli("validate", "--output-format", "full", env=actions).out.startswith("error[WF301]")


def test_json_is_whole_for_a_file_that_is_not_there(cli: Cli) -> None:
    done = cli("validate", "gone.yaml", "--output-format", "json")
    assert done.code == 1
    report = json.loads(done.out)
    Draft202012Validator(SCHEMA).validate(report)
    assert report["workflows"][0]["error"]["code"] == "unreadable-input"


def test_the_same_input_gives_the_same_text(cli: Cli, tmp_path: Path) -> None:
    folder_with(tmp_path, FIXABLE + "  other: [x, y, z]\n")
    outputs = {cli("validate", env={"PYTHONHASHSEED": str(seed)}).out for seed in range(3)}
    assert len(outputs) == 1


# --- fixes --------------------------------------------------------------------------------------------------------


def test_fix_changes_only_what_is_wrong_and_reports_the_rest(cli: Cli, tmp_path: Path) -> None:
    folder_with(tmp_path, FIXABLE + "  other: [nowhere]\n")
    path = tmp_path / "workflow.yaml"
    path.chmod(0o600)
    done = cli("validate", "--fix", "--output-format", "concise")
    assert done.code == 1
    assert path.read_text(encoding="utf-8") == FIXED + "  other: [nowhere]\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "mended workflow.yaml" in done.err
    assert {line.split()[1] for line in done.out.splitlines()} & {"WF203", "WF303"} == set()


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "byte order mark"])
def test_fix_keeps_line_ends_and_byte_order_mark(cli: Cli, tmp_path: Path, mark: bytes) -> None:
    folder_with(tmp_path, "")
    path = tmp_path / "workflow.yaml"
    path.write_bytes(mark + FIXABLE.replace("\n", "\r\n").encode())
    done = cli("validate", "--fix")
    assert done.code == 0, done.out
    assert path.read_bytes() == mark + FIXED.replace("\n", "\r\n").encode()


def test_fix_with_nothing_to_mend_leaves_the_file_alone(cli: Cli, tmp_path: Path) -> None:
    folder_with(tmp_path, CYCLE)
    before = (tmp_path / "workflow.yaml").stat()
    done = cli("validate", "--fix")
    assert "mended" not in done.err
    assert (tmp_path / "workflow.yaml").stat().st_mtime_ns == before.st_mtime_ns
    assert (tmp_path / "workflow.yaml").stat().st_ino == before.st_ino


def test_fix_makes_the_selected_edits_only(cli: Cli, tmp_path: Path) -> None:
    folder_with(tmp_path, FIXABLE)
    cli("validate", "--fix", "--select", "WF303")
    assert (tmp_path / "workflow.yaml").read_text(encoding="utf-8") == FIXABLE.replace("[m1, m1]", "[m1]")


@pytest.mark.parametrize("words", [("--diff",), ("--fix", "--diff")])
def test_diff_prints_a_patch_and_writes_nothing(cli: Cli, tmp_path: Path, words: tuple[str, ...]) -> None:
    folder_with(tmp_path, FIXABLE)
    done = cli("validate", *words)
    assert done.code == 1
    assert (tmp_path / "workflow.yaml").read_text(encoding="utf-8") == FIXABLE
    assert [line for line in done.out.splitlines() if line[:1] in "+-"] == [
        "--- a/workflow.yaml",
        "+++ b/workflow.yaml",
        "-  m1: {url: m1.mar, batch_size: 1}  # a comment",
        "+  m1: {url: m1.mar, batch-size: 1}  # a comment",
        "-  pre: [m1, m1]",
        "+  pre: [m1]",
    ]
    assert cli("validate", "--diff", "--exit-zero").code == 0


def test_a_sound_workflow_has_no_patch(cli: Cli, tmp_path: Path) -> None:
    folder_with(tmp_path, SOUND)
    done = cli("validate", "--diff")
    assert (done.code, done.out) == (0, "")


@pytest.mark.parametrize("path", ["-", "a.war"])
@pytest.mark.parametrize("option", ["--fix", "--diff"])
def test_archives_and_standard_input_are_not_mended(cli: Cli, tmp_path: Path, path: str, option: str) -> None:
    war(tmp_path / "a.war", FIXABLE)
    before = (tmp_path / "a.war").read_bytes()
    done = cli("validate", option, path, stdin=FIXABLE.encode())
    assert (done.code, done.out) == (2, "")
    assert (tmp_path / "a.war").read_bytes() == before
