"""What is told of downloads: one line that fits and vanishes, or one for each that is done."""

import io

import pytest

from wfctl.cli.fetching import FetchTeller, told
from wfctl.cli.notice import Notice
from wfctl.cli.options import cache_folder, environment_allowed
from wfctl.store.policy import Progress


def progress(received: int, total: int | None = 10_000_000, *, is_done: bool = False, url: str = "") -> Progress:
    return Progress(
        url=url or "https://models.test/m.mar", received=received, total=total, elapsed_s=2.0, is_done=is_done
    )


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def screen(written: str) -> str:
    """Return what stands on the last line of a terminal."""
    line = ""
    for part in written.split("\r"):
        line = part + line[len(part) :]
    return line.rstrip()


def test_the_line_says_bytes_total_and_rate() -> None:
    assert told(progress(5_000_000), 80) == "fetching https://models.test/m.mar 5.0 MB of 10.0 MB, 2.5 MB/s"
    assert told(progress(500, None), 80) == "fetching https://models.test/m.mar 500 B, 250 B/s"


@pytest.mark.parametrize("width", [20, 40, 60])
def test_a_long_url_is_cut_so_that_the_line_fits(width: int) -> None:
    line = told(progress(5_000_000, url=f"https://models.test/{'x' * 200}"), width)
    assert len(line) < max(width, 36)
    assert line.endswith("5.0 MB of 10.0 MB, 2.5 MB/s")


def test_control_characters_of_a_url_do_not_reach_the_terminal() -> None:
    assert "\x1b" not in told(progress(1, url="https://models.test/\x1b[2J"), 80)


def test_on_a_terminal_the_line_changes_now_and_then_and_is_the_old_one_at_the_end() -> None:
    stream, now = Terminal(), [0.0]
    notice = Notice("loading ...", stream)
    notice.show()
    tell = FetchTeller(notice, is_watched=True, clock=lambda: now[0])
    tell(progress(5_000_000))
    assert "5.0 MB of 10.0 MB" in screen(stream.getvalue())
    tell(progress(6_000_000))
    assert "5.0 MB of 10.0 MB" in screen(stream.getvalue())
    now[0] = 1.0
    tell(progress(7_000_000))
    assert "7.0 MB of 10.0 MB" in screen(stream.getvalue())
    tell(progress(10_000_000, is_done=True))
    assert screen(stream.getvalue()) == "loading ..."
    notice.end()
    assert screen(stream.getvalue()) == ""


def test_elsewhere_it_is_one_line_when_it_is_done(capsys) -> None:
    stream = io.StringIO()
    tell = FetchTeller(Notice("loading ...", stream), is_watched=False)
    tell(progress(5_000_000))
    tell(progress(10_000_000, is_done=True))
    assert (stream.getvalue(), capsys.readouterr().err) == ("", "fetched https://models.test/m.mar (10.0 MB)\n")


def test_the_environment_says_what_is_allowed_and_where_downloads_are_kept() -> None:
    assert environment_allowed({}) == ()
    assert environment_allowed({"WFCTL_ALLOWED_URLS": "https://a.test/, b.test,,"}) == ("https://a.test/", "b.test")
    assert str(cache_folder({"WFCTL_CACHE": "/c", "HOME": "/h"})) == "/c"
    assert str(cache_folder({"XDG_CACHE_HOME": "/x", "HOME": "/h"})) == "/x/wfctl"
    assert str(cache_folder({"XDG_CACHE_HOME": "relative", "HOME": "/h"})) == "/h/.cache/wfctl"
    assert cache_folder({}) is None
