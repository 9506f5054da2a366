"""The examples on the pages of what only ``check-compat`` finds: packed, and judged as any archive is."""

from pathlib import Path

import pytest
from judging import codes, judged, pack_example

from wfctl.check.page import read_page
from wfctl.compat.model import Verdict
from wfctl.compat.rules import COMPAT_CODES
from wfctl.diagnostics.catalog import RULES


def test_the_codes_are_rows_of_the_catalog() -> None:
    assert {code for code in RULES if code[:4] in {"WF92", "WF93", "WF94"}} == COMPAT_CODES


@pytest.mark.parametrize("code", sorted(COMPAT_CODES))
def test_the_bad_example_yields_exactly_its_code(tmp_path: Path, code: str) -> None:
    found = judged(pack_example(read_page(code).bad, tmp_path))
    assert found.error is None
    assert codes(found) == [code]
    assert found.rows[0].nodes == ("m1",)


@pytest.mark.parametrize("code", sorted(COMPAT_CODES))
def test_the_good_example_runs_as_it_is(tmp_path: Path, code: str) -> None:
    found = judged(pack_example(read_page(code).good, tmp_path))
    assert found.error is None
    assert list(found.rows) == []
    assert found.verdict is Verdict.SAME


@pytest.mark.parametrize("code", sorted(COMPAT_CODES))
def test_a_sentence_tells_of_both_sides(tmp_path: Path, code: str) -> None:
    (row,) = judged(pack_example(read_page(code).bad, tmp_path)).rows
    assert row.finding.message.startswith("TorchServe")
    assert "here" in row.finding.message
    assert row.finding.message.isprintable()
    assert not row.finding.message.endswith(".")
    assert row.finding.help
