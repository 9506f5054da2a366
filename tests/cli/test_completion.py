"""Completion, through the protocol that the shells speak."""

import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest
from started import Cli

from wfctl.cli.main import COMMANDS, root
from wfctl.cli.options import complete_nodes


def offered(cli: Cli, *words: str) -> list[str]:
    """Ask as bash does: the words of the line, and which of them is being written."""
    done = cli(
        env={
            "_WFCTL_COMPLETE": "bash_complete",
            "COMP_WORDS": " ".join(["wfctl", *words]),
            "COMP_CWORD": str(len(words)),
        }
    )
    assert done.code == 0, done.err
    return [line.partition(",")[2] for line in done.out.splitlines() if line.startswith("plain,")]


def test_commands_are_offered_from_the_table(cli: Cli) -> None:
    assert offered(cli, "") == list(COMMANDS)
    assert offered(cli, "ru") == ["run", "rule"]


def test_options_of_a_command_are_offered(cli: Cli) -> None:
    assert {"--output-format", "--select", "--fix"} <= set(offered(cli, "validate", "--"))


def test_the_forms_of_output_are_offered(cli: Cli) -> None:
    assert offered(cli, "validate", "--output-format", "js") == ["json", "jsonl"]


def test_rule_codes_and_names_are_offered(cli: Cli) -> None:
    assert offered(cli, "rule", "wf30")[:2] == ["WF301", "WF302"]
    assert offered(cli, "rule", "cyc") == ["cyclic-edge"]
    assert offered(cli, "validate", "--select", "WF101,WF30")[0] == "WF101,WF301"


def test_workflow_files_are_offered_and_others_are_not(cli: Cli, tmp_path: Path) -> None:
    for name in ("a.yaml", "b.yml", "c.war", "d.py", "e.json"):
        (tmp_path / name).touch()
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows/f.yaml").touch()
    assert offered(cli, "validate", "") == ["a.yaml", "b.yml", "c.war"]
    assert offered(cli, "validate", "flows/") == ["flows/f.yaml"]
    assert offered(cli, "validate", str(tmp_path / "a")) == [str(tmp_path / "a.yaml")]
    assert offered(cli, "validate", "nowhere/") == []


def test_nodes_of_the_workflow_on_the_line_are_offered(tmp_path: Path) -> None:
    spec = tmp_path / "workflow.yaml"
    spec.write_text("models:\n  m1: {url: m1.mar}\ndag:\n  pre: [m1]\n  m1: [post]\n", encoding="utf-8")
    param = click.Option(["--node"])

    def names(incomplete: str, **params: object) -> list[str]:
        context = click.Context(click.Command("x"))
        context.params = dict(params)
        return [item.value for item in complete_nodes(context, param, incomplete)]

    assert names("", workflow=spec) == ["pre", "m1", "post"]
    assert names("p", path=tmp_path) == ["pre", "post"]
    assert names("", workflow=tmp_path / "gone.yaml") == []
    spec.write_text("{{{", encoding="utf-8")
    assert names("", workflow=spec) == []


def test_nodes_are_offered_where_a_node_is_asked_for(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "workflow.yaml").write_text("dag:\n  pre: [mid]\n  mid: [post]\n", encoding="utf-8")
    assert offered(cli, "run", "--until", "p") == ["pre", "post"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_a_shell_asks_by_our_variable(cli: Cli, shell: str) -> None:
    done = cli("completion", shell)
    assert done.code == 0
    assert f"_WFCTL_COMPLETE={shell}_complete" in done.out


def test_an_unknown_shell_is_a_usage_error(cli: Cli) -> None:
    assert cli("completion", "tcsh").code == 2


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
def test_bash_completes_with_our_script(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "flow.yaml").touch()
    script = tmp_path / "script.sh"
    wfctl = tmp_path / "wfctl"
    wfctl.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m wfctl "$@"\n', encoding="utf-8")
    wfctl.chmod(0o755)
    script.write_text(cli("completion", "bash").out, encoding="utf-8")
    ask = (
        f"PATH={tmp_path}:$PATH; . {script}; COMP_WORDS=(wfctl validate fl); COMP_CWORD=2; "
        'compopt() { :; }; _wfctl_completion wfctl fl validate; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(["bash", "--norc", "-c", ask], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["flow.yaml"], done.stderr


def test_the_table_says_what_the_commands_say() -> None:
    context = click.Context(root)
    for name, line in COMMANDS.items():
        command = root.get_command(context, name)
        assert command is not None
        said = command.short_help or (command.help or "").splitlines()[0]
        assert said == line, name
