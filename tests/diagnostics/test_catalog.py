import re
from pathlib import Path

import pytest

import wfctl
from wfctl.diagnostics.catalog import RULES, find
from wfctl.diagnostics.model import Severity

SOURCES = [path for path in Path(wfctl.__file__).parent.rglob("*.py") if path.name != "catalog.py"]


def test_there_are_at_least_thirty_five_rules_with_names_of_their_own() -> None:
    assert len(RULES) >= 35
    assert len({rule.name for rule in RULES.values()}) == len(RULES)


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.code)
def test_a_row_is_well_formed(rule) -> None:
    assert re.fullmatch(r"WF[1-7,9]\d\d", rule.code)
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+", rule.name)
    assert not rule.summary.endswith(".")
    assert "  " not in rule.summary
    assert not (rule.tolerated and rule.severity is Severity.NOTE)
    # Advice fails no check; a difference may, where an archive needs what is not here.
    assert (rule.severity is Severity.NOTE) or rule.code[2] != "7"


@pytest.mark.parametrize("code", RULES)
def test_every_row_is_used_by_the_code(code: str) -> None:
    assert any(f'"{code}"' in path.read_text(encoding="utf-8") for path in SOURCES)


def test_no_code_is_used_without_a_row() -> None:
    used = {code for path in SOURCES for code in re.findall(r'"(WF\d{3})"', path.read_text(encoding="utf-8"))}
    assert used == RULES.keys()


def test_a_finding_has_the_severity_of_its_row() -> None:
    assert find("WF301", "x").severity is Severity.ERROR
    assert find("WF307", "x").severity is Severity.WARNING
    assert find("WF901", "x").severity is Severity.NOTE


def test_a_code_without_a_row_is_our_bug() -> None:
    with pytest.raises(KeyError):
        find("WF000", "x")
