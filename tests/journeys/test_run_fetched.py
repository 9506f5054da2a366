"""``wfctl run`` on archives from a server: what is needed, what is said, and that Ctrl-C ends it."""

import hashlib
import os
import pty
import re
import select
import sys
import threading
from pathlib import Path

import pytest
from fakes.servers import CERTIFICATE, raw_server, web_site

from wfctl.archive.mar import write_mar

WFCTL = Path(sys.executable).parent / "wfctl"
HANDLER = """
    def post(data, context):
        return data and [b"post " + bytes(each["body"]) for each in data]
"""
HANDLE = "def handle(data, context):\n    return data and ['model' for _ in data]\n"


@pytest.fixture
def site():
    with web_site() as site:
        yield site


@pytest.fixture
def packed(flow, wfctl, tmp_path, monkeypatch):
    """Return a function that packs a workflow whose model is on a server: archive, its digest, the model's digest."""
    monkeypatch.setenv("WFCTL_CACHE", str(tmp_path / "cache"))
    (tmp_path / "model.py").write_text(HANDLE)
    model = write_mar(tmp_path / "m.mar", model_name="m", handler=tmp_path / "model.py").read_bytes()

    def pack(url: str, more: str = "") -> tuple[bytes, str]:
        flow(f"models:\n  m: {{url: '{url}'{more.format(digest(model))}}}\ndag:\n  m: [post]\n", HANDLER)
        assert wfctl("archive", "flow").returncode == 0
        content = (tmp_path / "flow.war").read_bytes()
        return content, digest(content)

    pack.model = model
    return pack


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_the_whole_way_from_a_server_through_real_workers(packed, site, wfctl) -> None:
    content, pin = packed(site.serve("/zoo/m.mar", packed.model), ", sha256: {}")
    url = site.serve("/zoo/x.war", content)

    def run(*words: str):
        done = wfctl("run", *words, "-", stdin=b"x")
        return done.returncode, done.stdout, done.stderr.decode()

    code, out, told = run("-w", url)
    assert (code, out, site.asked) == (1, b"", [])
    pattern = re.search(r'--allow-url "([^"]+)"', told).group(1)
    code, out, told = run("-w", url, "--allow-url", pattern)
    assert (code, out) == (1, b"")
    assert "error[not-trusted]" in told
    pinned = re.search(r'run it as "([^"]+)"', told).group(1)
    assert pinned == f"{url}#sha256={pin}"
    code, out, told = run("-w", pinned, "--allow-url", pattern)
    assert (code, out) == (0, b"post model"), told
    assert f"fetched {url} (" in told
    # What is pinned is kept: the server is asked no more.
    asked = list(site.asked)
    assert run("-w", pinned, "--allow-url", pattern)[:2] == (0, b"post model")
    assert site.asked == asked


def test_trust_and_the_environment_do_as_well(packed, site, wfctl, monkeypatch) -> None:
    content, _ = packed(site.serve("/zoo/m.mar", packed.model))
    url = site.serve("/zoo/x.war", content)
    monkeypatch.setenv("WFCTL_ALLOWED_URLS", f"https://models.example.com/, {site.url('/zoo/')}")
    done = wfctl("run", "-w", url, "-", stdin=b"x")
    assert done.returncode == 1
    done = wfctl("run", "-w", url, "--trust", "-", stdin=b"x")
    assert (done.returncode, done.stdout) == (0, b"post model"), done.stderr.decode()


def test_https_is_verified_by_the_authorities_of_the_environment(packed, wfctl, monkeypatch, tmp_path) -> None:
    with web_site(encrypted=True) as secure:
        packed(secure.serve("/m.mar", packed.model), ", sha256: {}")
        words = ("run", "-w", "flow.war", "--allow-url", secure.url(), "-")
        refused = wfctl(*words, stdin=b"x")
        assert (refused.returncode, b"SSL_CERT_FILE" in refused.stderr) == (1, True), refused.stderr.decode()
        monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
        assert wfctl(*words, stdin=b"x").stdout == b"post model"


def test_validate_inspect_and_render_fetch_nothing_and_say_what_a_run_needs(packed, site, wfctl) -> None:
    packed(site.url("/zoo/m.mar"))
    told = wfctl("validate", "flow.war")
    assert told.returncode == 0
    assert f'wfctl run needs --allow-url "{site.url("/zoo/")}", and --trust or a sha256' in told.stdout.decode()
    assert site.url("/zoo/m.mar") in wfctl("inspect", "flow.war").stdout.decode()
    assert wfctl("render", "flow.war").returncode == 0
    for command in ("validate", "render", "inspect"):
        done = wfctl(command, site.url("/x.war"))
        assert done.returncode == 1
        assert b"is a url, and nothing is fetched to be looked at" in done.stderr
    assert site.asked == []


def test_a_workflow_is_named_by_its_name_in_the_store(packed, site, wfctl, tmp_path, monkeypatch) -> None:
    packed("m.mar")
    for name in ("workflows", "models", "here"):
        (tmp_path / name).mkdir()
    (tmp_path / "flow.war").rename(tmp_path / "workflows" / "flow.war")
    (tmp_path / "m.mar").rename(tmp_path / "models" / "m.mar")
    stores = {"WFCTL_WORKFLOW_STORE": "workflows", "WFCTL_MODEL_STORE": "models"}
    for name, folder in stores.items():
        monkeypatch.setenv(name, str(tmp_path / folder))
    here = tmp_path / "here"
    assert wfctl("run", "-w", "flow.war", "-", stdin=b"x", cwd=here).stdout == b"post model"
    for command in ("validate", "render", "inspect"):
        assert wfctl(command, "flow.war", cwd=here).returncode == 0
    done = wfctl("run", "-w", "flaw.war", "-", stdin=b"x", cwd=here)
    assert done.returncode == 1
    told = done.stderr.decode()
    assert f'there is no file "flaw.war"; looked here and in "{tmp_path}/workflows"' in told
    assert 'did you mean "flow.war"?' in told


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--allow-url", "*.example.com"), '"*.example.com" does not say what may be fetched'),
        (("--allow-url", "re:("), "it is no regular expression"),
        (("--sha256", "abc"), "it is not 64 hexadecimal digits"),
    ],
)
def test_a_wrong_option_is_a_wrong_use(wfctl, flow, words, told) -> None:
    done = wfctl("run", *words, "-w", flow("dag:\n  only: []\n", "def only(data, context): ...\n"), "-")
    assert done.returncode == 2
    assert told in done.stderr.decode()


def test_a_wrong_pattern_of_the_environment_says_where_it_stands(wfctl, flow, monkeypatch) -> None:
    monkeypatch.setenv("WFCTL_ALLOWED_URLS", "https://a.test/, re:(\x1b[2J")
    done = wfctl("run", "-w", flow("dag:\n  only: []\n", "def only(data, context): ...\n"), "-")
    assert done.returncode == 2
    assert b'WFCTL_ALLOWED_URLS: "re:(\\x1b[2J" does not say what may be fetched' in done.stderr


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("ftp://models.test/x.war", '"ftp" is none of https, http and file'),
        ("s3://zoo/x.war", '"s3" is none of https, http and file'),
        ("http:x.war", "it names no host"),
        ("file:/zoo/x.war", '--allow-url "file:///zoo/"'),
    ],
)
def test_every_url_is_taken_for_one(wfctl, url, told) -> None:
    done = wfctl("run", "-w", url, "-")
    assert done.returncode == 1
    assert told in done.stderr.decode()


def _shown(handle: int) -> bytes:
    seen = b""
    while select.select([handle], [], [], 30)[0]:
        try:
            chunk = os.read(handle, 65536)
        except OSError:
            break
        seen += chunk
        if not chunk:
            break
    return seen


def _in_terminal(argv: list[str]) -> tuple[int, int]:
    pid, handle = pty.fork()
    if pid == 0:
        os.execv(argv[0], argv)
    return pid, handle


def test_ctrl_c_ends_a_download_and_leaves_nothing(tmp_path, monkeypatch) -> None:
    (tmp_path / "temporary").mkdir()
    (tmp_path / "in.txt").write_text("x")
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    monkeypatch.setenv("WFCTL_CACHE", str(tmp_path / "cache"))
    asked, pids = threading.Event(), []

    def slow(connection, over) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
        asked.set()
        # Both sleep on their ends until the terminal's interrupt breaks it off.
        while not over.wait(0.02):
            connection.sendall(b"x" * 100_000)

    with raw_server(slow) as server:
        pinned = f"{server.url('/x.war')}#sha256={'ab' * 32}"
        argv = [str(WFCTL), "run", str(tmp_path / "in.txt"), "-w", pinned, "--allow-url", server.url()]
        pid, handle = _in_terminal(argv)
        pids.append(pid)
        assert asked.wait(30)
        seen = b""
        while b" of 100.0 MB" not in seen:
            assert select.select([handle], [], [], 30)[0], seen
            seen += os.read(handle, 65536)
        os.write(handle, b"\x03")
        seen += _shown(handle)
        _, status = os.waitpid(pid, 0)
        os.close(handle)
    assert os.waitstatus_to_exitcode(status) == 130
    assert b"fetching http://127.0.0.1:" in seen
    assert seen.endswith(b"interrupted\r\n"), seen
    assert b"Traceback" not in seen
    assert list((tmp_path / "temporary").iterdir()) == []
    assert list((tmp_path / "cache").iterdir()) == []
