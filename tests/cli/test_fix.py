"""Safe edits: only their own characters change."""

import codecs
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wfctl.cli.fix import choose_edits, edited, rewrite, unified_diff
from wfctl.diagnostics.catalog import find
from wfctl.diagnostics.model import Diagnostic, Edit, SourceText
from wfctl.errors import UnreadableInputError

SOURCE = SourceText("w.yaml", "abcdefghij")


def edit(start: int, end: int, replacement: str, source: SourceText = SOURCE) -> Edit:
    return Edit(span=source.span(start, end), replacement=replacement)


def finding(*edits: Edit) -> Diagnostic:
    return find("WF203", "x", edits[0].span, fix=edits)


def test_edits_of_one_text_are_made_together() -> None:
    edits = choose_edits(
        [finding(edit(7, 8, "")), finding(edit(0, 1, "AAA")), finding(edit(3, 3, "+"), edit(4, 6, "-"))]
    )
    assert edited(SOURCE, edits).text == "AAAbc+d-gij"


def test_of_overlapping_findings_the_first_wins_and_the_other_waits() -> None:
    edits = choose_edits([finding(edit(2, 5, "X")), finding(edit(4, 6, "Y"), edit(8, 9, "Z"))])
    assert edited(SOURCE, edits).text == "abXfghij"


def test_two_insertions_at_one_place_are_not_guessed_at() -> None:
    edits = choose_edits([finding(edit(2, 2, "X")), finding(edit(2, 2, "Y"))])
    assert edited(SOURCE, edits).text == "abXcdefghij"


def test_one_edit_shared_by_two_findings_is_made_once() -> None:
    shared = edit(2, 3, "XY")
    assert edited(SOURCE, choose_edits([finding(shared), finding(shared)])).text == "abXYdefghij"


def test_edits_that_touch_do_not_overlap() -> None:
    edits = choose_edits([finding(edit(0, 2, "X")), finding(edit(2, 4, "Y"))])
    assert edited(SOURCE, edits).text == "XYefghij"


def test_edits_of_another_text_are_left_alone() -> None:
    other = SourceText("handler.py", "0123456789")
    edits = choose_edits([finding(edit(0, 1, "", other)), finding(edit(0, 1, ""))])
    assert len(edits) == 2
    assert edited(other, edits).text == "123456789"


@given(st.data())
def test_all_other_characters_stay(data: st.DataObject) -> None:
    source = SourceText("w.yaml", data.draw(st.text(min_size=1, max_size=40)))
    ends = st.integers(0, len(source.text))
    spans = data.draw(st.lists(st.tuples(ends, ends).map(sorted), max_size=5))
    findings = [finding(edit(start, end, "<>", source)) for start, end in spans]
    edits = choose_edits(findings)
    covered = {index for each in edits for index in range(each.span.start.offset, each.span.end.offset)}
    kept = "".join(char for index, char in enumerate(source.text) if index not in covered)
    assert len(edited(source, edits).text) == len(kept) + 2 * len(edits)
    untouched = SourceText("w.yaml", source.text.replace("<", "(").replace(">", ")"))
    same = [Edit(span=untouched.span(e.span.start.offset, e.span.end.offset), replacement="<>") for e in edits]
    assert edited(untouched, same).text.replace("<>", "") == kept.replace("<", "(").replace(">", ")")


RAW = [
    b"# comment\r\nm: 1 # \xe4\xb8\xad\r\n\r\n",
    codecs.BOM_UTF8 + b"m: 1\r\n",
    b"m: 1",
    b"\rm: 1\r\n\n\t \n",
]


@pytest.mark.parametrize(
    "raw", RAW, ids=["crlf and comments", "byte order mark", "no last line end", "mixed line ends"]
)
@pytest.mark.parametrize("keeps_mark", [True, False])
def test_every_other_byte_of_the_file_stays(tmp_path: Path, raw: bytes, keeps_mark: bool) -> None:
    path = tmp_path / "w.yaml"
    path.write_bytes(raw)
    text = raw.decode("utf-8" if keeps_mark else "utf-8-sig")
    source = SourceText("w.yaml", text)
    start = text.index("1")
    new = edited(source, [edit(start, start + 1, "22", source)])
    rewrite(path, old=source, new=new)
    assert path.read_bytes() == raw.replace(b"1", b"22", 1)


def test_mode_and_link_stay_and_nothing_else_is_left_in_the_folder(tmp_path: Path) -> None:
    path, link = tmp_path / "w.yaml", tmp_path / "link.yaml"
    path.write_text("old", encoding="utf-8")
    path.chmod(0o640)
    link.symlink_to(path)
    rewrite(link, old=SourceText("w", "old"), new=SourceText("w", "new"))
    assert path.read_text(encoding="utf-8") == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert link.is_symlink()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["link.yaml", "w.yaml"]


def test_a_file_that_changed_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "w.yaml"
    path.write_text("changed", encoding="utf-8")
    with pytest.raises(UnreadableInputError, match="changed while it was checked"):
        rewrite(path, old=SourceText("w", "old"), new=SourceText("w", "new"))
    assert path.read_text(encoding="utf-8") == "changed"


def test_a_failed_replacement_leaves_no_half_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "w.yaml"
    path.write_text("old", encoding="utf-8")

    def refuse(self: Path, target: Path) -> Path:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(UnreadableInputError, match="Permission denied"):
        rewrite(path, old=SourceText("w", "old"), new=SourceText("w", "new"))
    assert [each.name for each in tmp_path.iterdir()] == ["w.yaml"]
    assert path.read_text(encoding="utf-8") == "old"


def test_the_patch_is_unified_and_says_where_a_line_end_is_missing() -> None:
    patch = unified_diff(SourceText("w.yaml", "a: 1\r\nb: 2"), SourceText("w.yaml", "a: 1\r\nb: 3"))
    assert patch == (
        "--- a/w.yaml\n+++ b/w.yaml\n@@ -1,2 +1,2 @@\n a: 1\r\n"
        "-b: 2\n\\ No newline at end of file\n+b: 3\n\\ No newline at end of file\n"
    )
    assert unified_diff(SOURCE, SOURCE) == ""
