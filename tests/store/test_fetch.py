"""Fetching, against real servers on loopback: what is fetched, and every way in which it must not be (T20 to T28)."""

import gzip
import hashlib
import socket
import threading
from pathlib import Path

import pytest
from fakes.servers import CERTIFICATE, fixed_lookup, raw_server, web_site

from wfctl.errors import FetchError
from wfctl.store.address import parse_address
from wfctl.store.allow import parse_allowed
from wfctl.store.fetch import fetch
from wfctl.store.policy import FetchLimits, FetchPolicy
from wfctl.store.stop import Stop

BODY = b"an archive, as far as the network cares"
DIGEST = hashlib.sha256(BODY).hexdigest()
OK = b"HTTP/1.1 200 OK\r\n"


@pytest.fixture
def site():
    with web_site() as site:
        yield site


@pytest.fixture
def get(tmp_path: Path):
    """Fetch into a folder of the test; what is left there can be asked afterwards."""

    def run(url: str, *allowed: str, pin: str | None = None, stop: Stop | None = None, **policy) -> Path:
        limits = FetchLimits(**{"connect_s": 5, "silence_s": 5, "whole_s": 30, **policy.pop("limits", {})})
        terms = FetchPolicy(allowed=parse_allowed(allowed), limits=limits, **policy)
        return fetch(parse_address(url), policy=terms, into=tmp_path / "got", ending=".mar", pin=pin, stop=stop).path

    run.folder = tmp_path / "got"
    return run


def refused(get, *words, **policy) -> FetchError:
    """Fetch in vain, and see that nothing is left of it."""
    with pytest.raises(FetchError) as caught:
        get(*words, **policy)
    left = list(get.folder.iterdir()) if get.folder.exists() else []
    assert left == []
    return caught.value


def test_a_file_is_fetched_and_named_by_its_digest(get, site) -> None:
    told = []
    url = site.serve("/zoo/m.mar", BODY)
    path = get(url, site.url("/zoo/"), on_progress=told.append)
    assert (path.name, path.read_bytes()) == (f"{DIGEST}.mar", BODY)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert [path] == list(path.parent.iterdir())
    assert (told[-1].is_done, told[-1].received, told[-1].total, told[-1].url) == (True, len(BODY), len(BODY), url)
    assert site.headers[0]["Accept-Encoding"] == "identity"
    assert "Authorization" not in site.headers[0]


def test_a_body_in_chunks_and_one_until_the_end_are_fetched_too(get) -> None:
    def chunked(connection: socket.socket, _: threading.Event) -> None:
        pieces = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (BODY[:7], BODY[7:]))
        connection.sendall(OK + b"Transfer-Encoding: chunked\r\n\r\n" + pieces + b"0\r\n\r\n")

    def open_ended(connection: socket.socket, _: threading.Event) -> None:
        connection.sendall(OK + b"\r\n" + BODY)

    for answer in (chunked, open_ended):
        with raw_server(answer) as server:
            assert get(server.url("/m.mar"), server.url()).name == f"{DIGEST}.mar"


# --- T20: nothing is fetched by default -------------------------------------------------------------------------


def test_t20_nothing_is_connected_to_without_a_word_of_the_user(get, site) -> None:
    error = refused(get, site.serve("/zoo/m.mar", BODY))
    assert site.asked == []
    assert f'"{site.url("/zoo/m.mar")}" is not fetched' in error.message
    assert f'--allow-url "{site.url("/zoo/")}"' in error.hint


def test_t20_what_the_hint_says_is_enough(get, site) -> None:
    url = site.serve("/zoo/m.mar", BODY)
    pattern = refused(get, url).hint.split('"')[1]
    assert get(url, pattern).read_bytes() == BODY


def test_t20_no_name_is_looked_up_either(get) -> None:
    look_up = fixed_lookup()
    refused(get, "https://models.test/m.mar", "https://other.test/", resolve=look_up)
    assert look_up.asked == []


# --- T21: every hop of a redirect is judged ---------------------------------------------------------------------


def test_t21_a_redirect_that_is_allowed_is_followed(get, site) -> None:
    site.serve("/real/m.mar", BODY)
    url = site.redirect("/m.mar", "/again.mar")
    site.redirect("/again.mar", site.url("/real/m.mar"), status=307)
    assert get(url, site.url()).read_bytes() == BODY
    assert site.asked == ["/m.mar", "/again.mar", "/real/m.mar"]


@pytest.mark.parametrize("location", ["http://169.254.169.254/latest/meta-data", "http://127.0.0.2/m.mar"])
@pytest.mark.parametrize("extra", [(), (r"re:http://.*",)], ids=["not allowed", "allowed by a wide expression"])
def test_t21_a_redirect_to_the_metadata_address_or_to_loopback_is_refused_at_that_hop(
    get, site, location, extra
) -> None:
    error = refused(get, site.redirect("/m.mar", location), site.url(), *extra)
    assert location in error.message
    assert site.asked == ["/m.mar"]


@pytest.mark.parametrize(
    "location", ["file:///etc/passwd", "FILE:/etc/passwd", "ftp://models.test/", "", "http://u@h/"]
)
def test_t21_a_redirect_to_a_file_or_to_nothing_is_refused(get, site, location) -> None:
    refused(get, site.redirect("/m.mar", location), site.url(), "file:///", "re:.*")
    assert site.asked == ["/m.mar"]


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("http://[::1", "Invalid IPv6"),
        ("javascript:alert(1)", "is none of https, http and file"),
        ("http://h.test:99999/", "its port is no number"),
        ("http://ana:hunter2@h.test/", "a user name or a password"),
        ("/" + "x" * 9000, "it is longer than 8,192 characters"),
    ],
)
def test_t21_a_redirect_to_what_is_no_address_says_who_redirects(get, site, location, words) -> None:
    url = site.redirect("/m.mar", location)
    error = refused(get, url, site.url())
    assert error.message.startswith(f'"{url}" is not fetched: the server redirects to "')
    assert words in error.message
    assert "hunter2" not in error.message
    assert len(error.message) < 500


def test_t21_redirects_come_to_an_end(get, site) -> None:
    error = refused(get, site.redirect("/m.mar", "/m.mar"), site.url())
    assert "more than 5 redirects" in error.message
    assert len(site.asked) == 6


def test_t21_https_is_not_left_for_http(get, site) -> None:
    with web_site(encrypted=True) as secure:
        url = secure.url("/m.mar", host="models.test")
        secure.redirect("/m.mar", site.serve("/m.mar", BODY))
        error = refused(
            get, url, "re:.*", "127.0.0.1", resolve=fixed_lookup(models_test=["127.0.0.1"]), authorities=CERTIFICATE
        )
    assert "redirects to plain HTTP" in error.message
    assert site.asked == []


def test_t21_the_parameters_of_one_host_are_not_sent_to_another(get, site) -> None:
    with web_site() as other:
        other.serve("/m.mar", BODY)
        site.redirect("/m.mar?token=hunter2", other.url("/m.mar"))
        get(site.url("/m.mar?token=hunter2"), site.url(), other.url())
    assert other.asked == ["/m.mar"]
    assert "hunter2" not in str(other.headers)


# --- T22 and T23: where names lead ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "at",
    ["127.0.0.1", "10.0.0.1", "169.254.169.254", "0.0.0.0", "::1", "::ffff:7f00:1", "fe80::1", "64:ff9b::7f00:1"],
)
def test_t22_a_name_that_leads_inside_is_refused_after_it_was_resolved(get, site, at) -> None:
    look_up = fixed_lookup(models_test=["8.8.8.8", at])
    url = site.url("/m.mar", host="models.test")
    error = refused(get, url, site.url(host="models.test"), r"re:http://.*", resolve=look_up)
    assert f'"models.test" is at {at}, which is ' in error.message
    assert f'--allow-url "{at}"' in error.hint
    assert (look_up.asked, site.asked) == (["models.test"], [])


def test_t22_an_address_inside_is_reached_if_it_is_named(get, site) -> None:
    url = site.serve("/m.mar", BODY).replace("127.0.0.1", "models.test")
    look_up = fixed_lookup(models_test=["127.0.0.1"])
    assert get(url, site.url(host="models.test"), "127.0.0.0/8", resolve=look_up).read_bytes() == BODY
    assert site.headers[0]["Host"] == f"models.test:{site.port}"


def test_t22_localhost_is_a_name_for_it(get, site) -> None:
    url = site.serve("/m.mar", BODY).replace("127.0.0.1", "localhost")
    look_up = fixed_lookup(localhost=["127.0.0.1"])
    assert get(url, f"localhost:{site.port}", resolve=look_up).read_bytes() == BODY


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "0177.0.0.1", "127.1", "0x7f.0.0.1"])
def test_t22_numbers_that_stand_for_addresses_are_refused(get, site, host) -> None:
    with pytest.raises(FetchError, match="four decimal numbers"):
        get(site.url("/m.mar", host=host), "re:.*", "127.0.0.1")
    assert site.asked == []


def test_t23_a_name_is_looked_up_once_and_that_address_is_connected_to(get, site) -> None:
    answers = iter([["127.0.0.1"], ["127.0.0.2"]])
    url = site.serve("/m.mar", BODY).replace("127.0.0.1", "models.test")
    got = get(url, site.url(host="models.test"), "127.0.0.1", resolve=lambda *_: next(answers))
    assert got.read_bytes() == BODY
    assert next(answers) == ["127.0.0.2"]


def test_t23_a_name_that_leads_elsewhere_at_the_next_hop_is_judged_anew(get, site) -> None:
    answers = iter([["127.0.0.1"], ["169.254.169.254"]])
    site.redirect("/m.mar", "/n.mar")
    url = site.url("/m.mar", host="models.test")
    error = refused(get, url, site.url(host="models.test"), "127.0.0.1", resolve=lambda *_: next(answers))
    assert "169.254.169.254, which is a link-local address" in error.message
    assert site.asked == ["/m.mar"]


# --- T24: hosts that resemble the allowed one -------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "http://allowed.test@127.0.0.1:{port}/m.mar", "http://allowed.test:80@127.0.0.1:{port}/m.mar",
        "http://127.0.0.1.evil.test:{port}/m.mar", "http://allowed.test\\@127.0.0.1:{port}/m.mar",
        "http://\u0430llowed.test:{port}/m.mar", "http://allowed.test:{other}/m.mar", "http://allowed.test.evil.test/m.mar",
    ],
)  # fmt: skip
def test_t24_a_host_that_resembles_the_allowed_one_is_refused(get, site, url) -> None:
    allowed = (site.url(host="allowed.test"), rf"re:http://allowed\.test:{site.port}/.*", "127.0.0.1")
    look_up = fixed_lookup(allowed_test=["127.0.0.1"])
    with pytest.raises(FetchError):
        get(url.format(port=site.port, other=site.port + 1), *allowed, resolve=look_up)
    assert (site.asked, look_up.asked) == ([], [])


def test_t24_upper_case_and_a_dot_at_the_end_are_the_same_host(get, site) -> None:
    url = site.serve("/m.mar", BODY).replace("127.0.0.1", "ALLOWED.Test.")
    look_up = fixed_lookup(allowed_test=["127.0.0.1"])
    assert get(url, site.url(host="allowed.test"), "127.0.0.1", resolve=look_up).read_bytes() == BODY
    assert site.headers[0]["Host"] == f"allowed.test:{site.port}"


# --- T25: no name comes from a url ------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/a;b/c;/m.mar", "/m.mar?x=/../../y", "/.bashrc", "/a%3Bb", "/", "/m.mar;/x?y#z"])
def test_t25_the_name_is_the_digest_whatever_the_url_is(get, site, path) -> None:
    site.serve(path.partition("#")[0], BODY, Content_Disposition='attachment; filename="../../evil.mar"')
    assert get(site.url(path), site.url()) == get.folder / f"{DIGEST}.mar"
    assert [each.name for each in get.folder.iterdir()] == [f"{DIGEST}.mar"]


@pytest.mark.parametrize("path", ["/zoo/../m.mar", "/zoo/%2e%2e/m.mar", "/zoo/..%2fm.mar", "/zoo/%252e%252e/m.mar"])
def test_t25_ways_up_are_refused_before_anything_is_asked(get, site, path) -> None:
    with pytest.raises(FetchError, match=r'"\.\."'):
        get(site.url(path), site.url("/zoo/"))
    assert site.asked == []


# --- T26: bodies without end, and lies about them ---------------------------------------------------------------


def _endless(head: bytes):
    def answer(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(OK + head + b"\r\n")
        while not over.is_set():
            connection.sendall(b"x" * 65536)

    return answer


def _says(text: bytes):
    def answer(connection: socket.socket, _: threading.Event) -> None:
        connection.sendall(text)

    return answer


def _silent_after(text: bytes):
    def answer(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(text)
        over.wait(30)

    return answer


@pytest.mark.parametrize("head", [b"", b"Content-Length: 10000000\r\n"], ids=["endless", "announced"])
def test_t26_a_body_over_the_limit_is_cut_off(get, head) -> None:
    with raw_server(_endless(head)) as server:
        error = refused(get, server.url("/m.mar"), server.url(), limits={"size": 1_000_000})
    assert "larger than 1,000,000 bytes" in error.message


def test_t26_a_body_that_drips_is_cut_off_when_the_time_is_up(get) -> None:
    def drip(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(OK + b"\r\n")
        while not over.wait(0.02):
            connection.sendall(b"x")

    with raw_server(drip) as server:
        error = refused(get, server.url("/m.mar"), server.url(), limits={"whole_s": 0.3})
    assert "it took longer than 0.3 s" in error.message


def test_t26_so_are_headers_that_drip(get) -> None:
    def drip(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(OK)
        while not over.wait(0.02):
            connection.sendall(b"X")

    with raw_server(drip) as server:
        error = refused(get, server.url("/m.mar"), server.url(), limits={"whole_s": 0.3})
    assert "it took longer than 0.3 s" in error.message


@pytest.mark.parametrize("text", [b"", OK, OK + b"Content-Length: 100\r\n\r\nhalf"], ids=["nothing", "head", "half"])
def test_t26_a_server_that_falls_silent_is_left(get, text) -> None:
    with raw_server(_silent_after(text)) as server:
        error = refused(get, server.url("/m.mar"), server.url(), limits={"silence_s": 0.2})
    assert "the server sent nothing for 0.2 s" in error.message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (OK + b"Content-Length: 100\r\n\r\nshort", "95 of 100 bytes are missing"),
        (OK + b"Content-Length: 3\r\n\r\nlonger", "more than the announced 3 bytes"),
        (OK + b"Content-Length: 3\r\nContent-Length: 6\r\n\r\nlonger", "contradicts itself"),
        (OK + b"Content-Length: " + b"6" * 5000 + b"\r\n\r\nlonger", "contradicts itself"),
        (OK + b"Content-Length: +6\r\n\r\nlonger", "contradicts itself"),
        (OK + b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nlonger\r\n0\r\n\r\n", "contradicts itself"),
        (OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n6\r\nlonger\r\n0\r\n\r\n", "contradicts itself"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n64\r\nshort", "does not speak HTTP as it should"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nshort", "does not speak HTTP as it should"),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "does not speak HTTP as it should"),
        (b"", "does not speak HTTP as it should"),
        (OK + b"X: y\r\n" * 200 + b"\r\n", "does not speak HTTP as it should"),
    ],
)
def test_t26_a_body_that_is_not_what_was_announced_is_refused(get, text, words) -> None:
    with raw_server(_says(text)) as server:
        assert words in refused(get, server.url("/m.mar"), server.url()).message


def test_t26_a_bomb_in_a_content_encoding_is_not_unpacked(get, site) -> None:
    bomb = gzip.compress(bytes(10_000_000))
    error = refused(get, site.serve("/m.mar", bomb, Content_Encoding="gzip"), site.url())
    assert 'encoded as "gzip"' in error.message


# --- T27 and T28: nothing is left, and nothing is overwritten ---------------------------------------------------


def test_t27_another_digest_than_the_pinned_one_leaves_nothing(get, site) -> None:
    error = refused(get, site.serve("/m.mar", BODY), site.url(), pin="ab" * 32)
    assert DIGEST in error.message
    assert get(site.url("/m.mar"), site.url(), pin=DIGEST).read_bytes() == BODY


@pytest.mark.parametrize("status", [204, 206, 304, 401, 404, 500])
def test_t27_no_other_answer_than_200_is_kept(get, site, status) -> None:
    error = refused(get, site.serve("/m.mar", b"", status=status), site.url())
    assert f'answered "{status} ' in error.message
    assert ("no password" in (error.hint or "")) is (status == 401)


@pytest.mark.parametrize("text", [b"", OK + b"Content-Length: 100\r\n\r\nhalf"], ids=["head", "body"])
def test_t27_a_download_that_is_given_up_leaves_nothing(get, text) -> None:
    stop = Stop()

    def answer(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(text)
        stop.set()
        over.wait(30)

    with raw_server(answer) as server:
        assert "it was given up" in refused(get, server.url("/m.mar"), server.url(), stop=stop).message


def test_t27_it_is_given_up_while_a_name_is_looked_up_or_before(get) -> None:
    stop, over = Stop(), threading.Event()

    def slow(*_: object) -> list[str]:
        stop.set()
        over.wait(30)
        return []

    for _ in range(2):
        error = refused(get, "http://models.test/m.mar", "models.test", resolve=slow, stop=stop)
        assert "it was given up" in error.message
    over.set()


def test_t27_it_is_given_up_while_nobody_answers_a_connection(get) -> None:
    stop = Stop()
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        port = full.getsockname()[1]
        # The kernel completes a connection or two by itself; the next one hangs.
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(("127.0.0.1", port))
        timer = threading.Timer(0.2, stop.set)
        timer.start()
        error = refused(get, f"http://127.0.0.1:{port}/m.mar", f"127.0.0.1:{port}", stop=stop)
        for each in waiting:
            each.close()
        timer.join()
    assert "it was given up" in error.message


def test_t28_what_lies_there_is_not_touched(get, site) -> None:
    get.folder.mkdir()
    (get.folder / "m.mar").write_bytes(b"mine")
    (get.folder / ".partial-mine").write_bytes(b"young, and perhaps somebody's")
    get(site.serve("/m.mar", BODY), site.url())
    assert (get.folder / "m.mar").read_bytes() == b"mine"
    assert {each.name for each in get.folder.iterdir()} == {"m.mar", ".partial-mine", f"{DIGEST}.mar"}


def test_t28_a_folder_that_takes_nothing_is_a_clear_error(site, tmp_path) -> None:
    (tmp_path / "file").write_text("no folder")
    policy = FetchPolicy(allowed=parse_allowed([site.url()]))
    with pytest.raises(FetchError, match="cannot be kept in"):
        fetch(parse_address(site.serve("/m.mar", BODY)), policy=policy, into=tmp_path / "file" / "x", ending=".mar")


# --- each failure in its own words ------------------------------------------------------------------------------


def test_a_host_that_is_not_there_says_so(get) -> None:
    error = refused(get, "http://models.test/m.mar", "models.test", resolve=fixed_lookup())
    assert error.message == 'there is no host "models.test": name or service not known'
    error = refused(get, "http://models.test/m.mar", "models.test", resolve=fixed_lookup(models_test=[]))
    assert error.message == 'the host "models.test" has no address'


def test_a_lookup_that_takes_too_long_says_so(get) -> None:
    over = threading.Event()
    error = refused(
        get, "http://models.test/m.mar", "models.test", resolve=lambda *_: over.wait(30), limits={"connect_s": 0.1}
    )
    over.set()
    assert "could not be looked up within 0.1 s" in error.message


def test_a_server_that_is_not_there_says_so_with_each_address(get) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    look_up = fixed_lookup(models_test=["127.0.0.1", "127.0.0.2"])
    url = f"http://models.test:{port}/"
    error = refused(get, f"{url}m.mar", url, "127.0.0.0/8", resolve=look_up)
    assert error.message == (f'cannot connect to "{url}": 127.0.0.1: connection refused; 127.0.0.2: connection refused')


def test_the_next_address_is_tried(get, site) -> None:
    look_up = fixed_lookup(models_test=["127.0.0.2", "127.0.0.1"])
    url = site.serve("/m.mar", BODY).replace("127.0.0.1", "models.test")
    assert get(url, site.url(host="models.test"), "127.0.0.0/8", resolve=look_up).read_bytes() == BODY


def test_a_proxy_of_the_environment_is_not_used(get, site, monkeypatch) -> None:
    with web_site() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "https_proxy"):
            monkeypatch.setenv(name, proxy.url())
        get(site.serve("/m.mar", BODY), site.url())
    assert proxy.asked == []


# --- TLS --------------------------------------------------------------------------------------------------------


def test_https_is_verified_for_the_name(get) -> None:
    with web_site(encrypted=True) as secure:
        secure.serve("/m.mar", BODY)
        url = secure.url("/m.mar", host="models.test")
        allowed = (secure.url(host="models.test"), secure.url(host="other.test"), "127.0.0.1")
        look_up = fixed_lookup(models_test=["127.0.0.1"], other_test=["127.0.0.1"])
        assert get(url, *allowed, resolve=look_up, authorities=CERTIFICATE).read_bytes() == BODY
        next(get.folder.iterdir()).unlink()
        unknown = refused(get, url, *allowed, resolve=look_up)
        misnamed = refused(get, url.replace("models", "other"), *allowed, resolve=look_up, authorities=CERTIFICATE)
    assert "certificate" in unknown.message
    assert "SSL_CERT_FILE" in unknown.hint
    assert "other.test" in misnamed.message
    assert len(secure.asked) == 1


def test_a_server_without_tls_says_so(get, site) -> None:
    url = site.url("/m.mar").replace("http:", "https:")
    assert "no encrypted connection to" in refused(get, url, url).message


def test_an_encrypted_body_that_is_cut_off_is_refused(get) -> None:
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE, CERTIFICATE.with_suffix(".key"))

    def answer_and_break_off() -> None:
        connection, _ = listener.accept()
        with context.wrap_socket(connection, server_side=True) as secure:
            secure.recv(65536)
            secure.sendall(OK + b"\r\nhalf of it")
            socket.socket.shutdown(secure, socket.SHUT_RDWR)  # no goodbye of TLS

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer_and_break_off, daemon=True)
        thread.start()
        url = f"https://models.test:{listener.getsockname()[1]}/"
        look_up = fixed_lookup(models_test=["127.0.0.1"])
        error = refused(get, f"{url}m.mar", url, "127.0.0.1", resolve=look_up, authorities=CERTIFICATE)
        thread.join()
    assert "cut off" in error.message
