"""``wfctl rule``: every code is explained."""

import json

import pytest
from started import Cli

from wfctl.check.page import read_page
from wfctl.cli.rule import FAMILIES
from wfctl.diagnostics.catalog import RULES


@pytest.mark.parametrize("word", ["WF301", "wf301", "cyclic-edge", "Cyclic-Edge"])
def test_a_code_and_a_name_lead_to_the_page(cli: Cli, word: str) -> None:
    done = cli("rule", word)
    assert (done.code, done.err) == (0, "")
    assert done.out == read_page("WF301").text


def test_without_a_code_all_are_listed(cli: Cli) -> None:
    done = cli("rule")
    assert done.code == 0
    words = {line.split()[0] for line in done.out.splitlines() if line.startswith("  ")}
    assert words == set(RULES)
    assert "\x1b" not in done.out


def test_every_code_belongs_to_a_family() -> None:
    assert {code[:3] for code in RULES} == set(FAMILIES)


@pytest.mark.parametrize(("word", "meant"), [("WF3o1", "WF301"), ("cylic-edge", "cyclic-edge"), ("zzzz", "lists all")])
def test_a_miss_is_a_usage_error_with_a_suggestion(cli: Cli, word: str, meant: str) -> None:
    done = cli("rule", word)
    assert done.code == 2
    assert done.out == ""
    assert f'"{word}"' in done.err
    assert meant in done.err


def test_json_holds_one_rule_with_its_page_or_all_without(cli: Cli) -> None:
    one = json.loads(cli("rule", "WF901", "--output-format", "json").out)
    assert one == {
        "code": "WF901",
        "name": "no-models",
        "severity": "note",
        "summary": RULES["WF901"].summary,
        "tolerated": False,
        "page": read_page("WF901").text,
    }
    every = json.loads(cli("rule", "--output-format", "json").out)
    assert [row["code"] for row in every] == list(RULES)


def test_the_beginning_of_codes_lists_them(cli: Cli) -> None:
    done = cli("rule", "wf6")
    assert done.code == 0
    assert {line.split()[0] for line in done.out.splitlines() if line.startswith("  ")} == {
        code for code in RULES if code.startswith("WF6")
    }
    assert done.out.count("xx: ") == 1
