"""Every file below tests/cases/compat: packed, judged, and shown as the exact table."""

import re
from pathlib import Path

import pytest
from judging import judged, pack_example

from wfctl.check.page import Example
from wfctl.cli.compat_table import lines
from wfctl.compat.rules import COMPAT_CODES

CASES = Path(__file__).parent.parent / "cases" / "compat"
ALL = sorted(CASES.glob("*.yaml"))
_MEMBER = re.compile(r"^== (\S+)\n((?:(?!== ).*\n)*)", re.MULTILINE)


def _example(path: Path) -> Example:
    handler, members = path.with_suffix(".py"), path.with_suffix(".members")
    return Example(
        spec=path.read_bytes(),
        handler=handler.read_text() if handler.exists() else None,
        members=dict(_MEMBER.findall(members.read_text())) if members.exists() else {},
    )


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_an_archive_gives_its_table(tmp_path: Path, path: Path, *, is_updating: bool) -> None:
    found = judged(pack_example(_example(path), tmp_path))
    printed = "\n".join(lines([found], None)).replace(f"{tmp_path}/", "").replace("\x1b[0m", "")
    printed = re.sub(r"\x1b\[\d+m", "", printed) + "\n"
    expected = path.with_suffix(".out")
    if is_updating:
        expected.write_text(printed)
    assert printed == expected.read_text()


@pytest.mark.parametrize("code", sorted(COMPAT_CODES))
def test_every_code_has_a_case(code: str) -> None:
    assert [path.name for path in ALL if f" {code} " in path.with_suffix(".out").read_text()]
