from hypothesis import given, settings
from hypothesis import strategies as st

from wfctl.engine.local.lines import LineCutter


def cut(*pieces: bytes) -> list[str]:
    cutter = LineCutter()
    return [line for piece in pieces for line in cutter.feed(piece)] + cutter.flush()


def test_lines_come_whole_whatever_the_pieces():
    assert cut(b"on", b"e\ntwo\r\n", b"\nthree") == ["one", "two", "", "three"]


def test_a_last_line_without_end_is_told_at_the_end():
    cutter = LineCutter()
    assert cutter.feed(b"half") == []
    assert cutter.flush() == ["half"]
    assert cutter.flush() == []


def test_bytes_that_are_no_text_are_replaced():
    assert cut(b"a\xffb\n") == ["a\ufffdb"]


def test_a_character_cut_by_the_pipe_is_put_together():
    assert cut("ä".encode()[:1], "ä".encode()[1:] + b"\n") == ["ä"]


def test_over_long_lines_are_cut_between_characters():
    for text in ("ä" * 100_000, "x" + "ä" * 100_000, "€" * 70_000):
        lines = cut(text.encode() + b"\nnext\n")
        assert "".join(lines[:-1]) == text
        assert lines[-1] == "next"
        assert max(map(len, lines)) <= 65_536


def test_over_long_lines_do_not_wait_for_their_end():
    cutter = LineCutter()
    assert [len(line) for line in cutter.feed(b"x" * 150_000)] == [65_536, 65_536]


@settings(deadline=None)
@given(st.lists(st.binary(max_size=50)))
def test_no_byte_is_lost(pieces):
    text = b"".join(pieces)
    expected = [line.removesuffix(b"\r").decode("utf-8", "replace") for line in text.split(b"\n")]
    if not text or text.endswith(b"\n"):
        expected.pop()
    assert cut(*pieces) == expected
