"""A notice is seen by who waits at a terminal, and by nobody else."""

import io

from wfctl.cli.notice import Notice, shown_if_slow


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def screen(written: str) -> str:
    """Return what stands on the last line of a terminal."""
    line = ""
    for part in written.split("\r"):
        line = part + line[len(part) :]
    return line.rstrip()


def test_a_notice_is_shown_and_leaves_nothing() -> None:
    stream = Terminal()
    shown = Notice("loading ...", stream)
    shown.show()
    assert screen(stream.getvalue()) == "loading ..."
    shown.end()
    assert screen(stream.getvalue()) == ""


def test_a_notice_that_comes_too_late_is_not_shown() -> None:
    stream = Terminal()
    shown = Notice("loading ...", stream)
    shown.end()
    shown.show()
    assert stream.getvalue() == ""


def test_what_is_quick_needs_no_notice() -> None:
    stream = Terminal()
    with shown_if_slow(Notice("loading ...", stream), patience_s=600):
        pass
    assert stream.getvalue() == ""


def test_where_nobody_watches_nothing_is_written() -> None:
    stream = io.StringIO()
    Notice("loading ...", stream).show()
    assert stream.getvalue() == ""
