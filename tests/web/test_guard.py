"""Pages of others do not get through a browser to the server, and who is no browser notices nothing."""

from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from wfctl.check.host import HostError
from wfctl.web.access import guard as module
from wfctl.web.access.guard import Guard, cors_headers
from wfctl.web.wire.messages import Response
from wfctl.web.wire.replies import encode_response

LOCAL = Guard.at("127.0.0.1", machine="box", names=["Models.Example"])
EVERYWHERE = Guard.at("0.0.0.0", machine="Box", names=["models.example"])


def asked(guard: Guard = LOCAL, host: str = "127.0.0.1:8080", **fields: str) -> str | None:
    return guard.refusal({"host": host, **{name.replace("_", "-"): value for name, value in fields.items()}})


# Who is no browser


@pytest.mark.parametrize("host", ["127.0.0.1:8081", "localhost:8081", "localhost", "127.0.0.1"])
def test_plain_clients_are_asked_for_nothing(host):
    assert asked(host=host) is None
    assert asked(host=host, user_agent="curl/8.5.0", accept="*/*", content_type="text/plain") is None


def test_a_client_of_http_1_0_need_not_name_a_host():
    assert LOCAL.refusal({"accept": "*/*"}) is None
    assert LOCAL.refusal({"origin": "http://"}) is not None
    assert LOCAL.refusal({"origin": "http://127.0.0.1"}) is not None


# Names: DNS that answers with our address


@pytest.mark.parametrize("host", ["LocalHost", "localhost.", "127.8.9.1", "[::1]", "[0:0::1]", "[::ffff:127.0.0.1]"])
@pytest.mark.parametrize("port", ["", ":8080", ":"])
@pytest.mark.parametrize("listening", ["127.0.0.1", "::1", "[::1]", "127.0.0.9", "localhost", "0.0.0.0", ""])
def test_loopback_is_called_by_its_names_and_addresses_and_so_is_any_server(listening, host, port):
    assert asked(Guard.at(listening), host + port) is None


NO_NAMES = [
    "evil.example",
    "localhost.evil.example",
    "evil.localhost",
    "127.0.0.1.evil.example",
    "evil.example:127.0.0.1",
    "evil.example#localhost",
    "evil@localhost",
    "localhost@evil.example",
    "localhost:8080@evil.example",
    "localhost:http",
    "localhost, evil.example",
    "localhost localhost",
    "localhost\n",
    "[localhost]",
    "[127.0.0.1]",
    "::1",
    "[::1",
    "::1]",
    "[::1]evil.example",
    "[::1]]",
    "[::1%eth0]",
    "",
    ".",
    ":8080",
    "127.1",
    "127.0.0.01",
    "0x7f.0.0.1",
    "2130706433",
    "l\u00f6calhost",
    "x" * 5000,
]


@pytest.mark.parametrize("host", NO_NAMES)
@pytest.mark.parametrize("guard", [LOCAL, EVERYWHERE], ids=["local", "everywhere"])
def test_what_only_looks_like_a_name_is_refused_every_time(guard, host):
    for _ in range(2):
        assert asked(guard, host) == f'"{host[:260]}" is no name of this server'


@pytest.mark.parametrize("host", ["10.0.0.7", "8.8.8.8:80", "0.0.0.0", "[fe80::1]", "[::]", "[::ffff:10.0.0.1]", "box"])
def test_other_addresses_and_the_machines_name_are_right_unless_the_server_is_on_loopback(host):
    for listening in ("127.0.0.1", "::1", "[::1]", "127.0.0.9", "[::ffff:127.0.0.1]", "LocalHost"):
        assert asked(Guard.at(listening, machine="box"), host) is not None
    for listening in ("0.0.0.0", "::", "[::]", "", "192.168.1.7", "fe80::1%eth0", "box.example"):
        assert asked(Guard.at(listening, machine="BOX"), host) is None


def test_names_that_were_given_are_right_however_they_are_written():
    for guard in (LOCAL, EVERYWHERE, Guard.at("models.example")):
        assert asked(guard, "models.EXAMPLE.:8080") is None
        assert asked(guard, "x.models.example") is not None
    forwarded = Guard.at("127.0.0.1", names=["10.0.0.7", "[FE80:0::7]"])
    assert [asked(forwarded, host) for host in ("10.0.0.7:80", "[fe80::7]")] == [None, None]
    assert asked(forwarded, "10.0.0.8") is not None
    with pytest.raises(HostError):
        Guard.at("127.0.0.1", names=["models.example:8080"])


def test_a_machine_whose_name_is_no_host_has_none():
    guard = Guard.at("0.0.0.0", machine="123456789012")
    assert guard == Guard.at("0.0.0.0", machine="")
    assert asked(guard, "123456789012") is not None


def test_a_server_on_a_unix_socket_is_called_as_its_proxy_likes():
    guard = Guard.at_unix_socket()
    for host in ("evil.example", "", "whatever:1"):
        assert asked(guard, host) is None
    assert asked(guard, "app.example", origin="https://app.example") is None
    assert asked(guard, "app.example", origin="https://evil.example") is not None


@given(
    st.lists(st.sampled_from([*"localhst127.0:[]%@#x-", "localhost", "127.0.0.1", "[::1]", ":80", ".evil"]), max_size=8)
)
@example(["localhost", ":80"])
def test_whatever_gets_in_on_loopback_is_loopback_to_others_too(pieces):
    host = "".join(pieces)
    if asked(Guard.at("127.0.0.1"), host) is None:
        named = urlsplit(f"http://{host}/").hostname
        assert named is not None
        assert named.rstrip(".") == "localhost" or ip_address(named).is_loopback


# Pages


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost:8080", "[::1]:8080", "LOCALHOST:8080"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_page_of_this_server_may_use_it(host, scheme):
    assert asked(host=host, origin=f"{scheme}://{host.lower()}") is None
    assert asked(host=host, origin=f"{scheme}://{host.lower()}", sec_fetch_site="same-origin") is None


@pytest.mark.parametrize(
    ("origin", "host"), [("http://localhost", "localhost:80"), ("https://localhost", "localhost:443")]
)
def test_the_usual_port_need_not_be_named(origin, host):
    assert asked(host=host, origin=origin) is None
    assert asked(host="localhost", origin=origin) is None


FOREIGN = [
    "https://evil.example",
    "null",
    "",
    "http://",
    "http://127.0.0.1",
    "http://127.0.0.1:80",
    "http://127.0.0.1:8081",
    "http://localhost:8080",  # another name is another origin
    "http://127.0.0.1:8080.evil.example",
    "http://evil.example/http://127.0.0.1:8080",
    "http://127.0.0.1:8080/",
    "http://127.0.0.1:8080, http://127.0.0.1:8080",
    "http://x@127.0.0.1:8080",
    "file://127.0.0.1:8080",
    "chrome-extension://127.0.0.1:8080",
    "127.0.0.1:8080",
    "//127.0.0.1:8080",
    "*",
]


@pytest.mark.parametrize("origin", FOREIGN)
@pytest.mark.parametrize("site", [{}, {"sec_fetch_site": "same-origin"}, {"sec_fetch_site": "none"}])
def test_a_page_of_another_origin_may_not_even_if_it_sends_what_any_form_can(origin, site):
    """A form that posts ``text/plain`` is sent without asking first; its ``Origin`` cannot be kept back."""
    said = asked(origin=origin, content_type="text/plain", **site)
    assert said == f'pages of "{origin}" may not use this server, which was called "127.0.0.1:8080"'


@pytest.mark.parametrize(
    ("origin", "host"), [("http://localhost", "localhost:443"), ("https://localhost", "localhost:80")]
)
def test_the_usual_port_is_that_of_the_scheme(origin, host):
    assert asked(host=host, origin=origin) is not None


def test_rebinding_is_refused_although_the_browser_takes_it_for_one_origin():
    fields = {"origin": "http://evil.example:8080", "sec_fetch_site": "same-origin"}
    for guard in (LOCAL, EVERYWHERE):
        assert asked(guard, "evil.example:8080", **fields) == '"evil.example:8080" is no name of this server'


@pytest.mark.parametrize("site", ["cross-site", "same-site", "Same-Origin", "same-origin, none", "", "x"])
def test_a_request_that_carries_no_origin_is_told_by_its_site(site):
    assert asked(sec_fetch_site=site) == "pages of other servers may not use this one"
    assert asked(sec_fetch_site=site, origin="http://127.0.0.1:8080") is not None


@pytest.mark.parametrize("site", ["none", "same-origin"])
def test_what_the_user_types_and_what_our_own_pages_fetch_gets_in(site):
    assert asked(sec_fetch_site=site) is None


def test_a_refusal_is_short_whatever_was_sent():
    assert len(asked(origin="http://" + "x" * 60_000)) < 400
    assert len(asked(host="x" * 60_000)) < 400


# Pages that the user allowed


def test_an_allowed_origin_gets_in_and_only_that():
    guard = Guard.at("127.0.0.1", origins=["https://app.example"])
    for site in ({}, {"sec_fetch_site": "cross-site"}, {"sec_fetch_site": "same-site"}):
        assert asked(guard, origin="https://app.example", **site) is None
        for other in ("http://app.example", "https://app.example:444", "https://app.example.evil", "null"):
            assert asked(guard, origin=other, **site) is not None
    assert asked(guard, sec_fetch_site="cross-site") is not None
    assert asked(guard, "evil.example", origin="https://app.example") is not None


def test_all_pages_may_if_the_user_says_so_but_not_under_a_foreign_name():
    guard = Guard.at("127.0.0.1", origins=["*"])
    for origin in ("https://evil.example", "null"):
        assert asked(guard, origin=origin, sec_fetch_site="cross-site") is None
    assert asked(guard, sec_fetch_site="cross-site") is None
    assert asked(guard, "evil.example", origin="http://evil.example") is not None


def test_fields_for_other_origins_are_sent_as_they_were_set():
    assert cors_headers() == {}
    assert cors_headers(origin="*", methods="", headers=None) == {"access-control-allow-origin": "*"}
    fields = cors_headers(origin="https://a.example", methods="GET, PUT", headers="X-A")
    assert list(fields.values()) == ["https://a.example", "GET, PUT", "X-A"]
    (data,) = encode_response(Response(200, b"", None, fields), None, keeps_alive=True)
    assert b"\r\naccess-control-allow-methods: GET, PUT\r\naccess-control-allow-headers: X-A\r\n" in data


# What it costs


class Counted(Mapping[str, str]):
    def __init__(self, fields: dict[str, str]) -> None:
        self.fields, self.asked = fields, 0

    def __getitem__(self, name: str) -> str:
        self.asked += 1
        return self.fields[name]

    def __iter__(self) -> Iterator[str]:
        raise AssertionError

    def __len__(self) -> int:
        raise AssertionError


def test_a_host_is_read_once_and_three_fields_are_looked_for(monkeypatch):
    guard = Guard.at("127.0.0.1")
    assert asked(guard, "localhost:8080") is None
    monkeypatch.setattr(module, "read_host", None)
    headers = Counted({"host": "localhost:8080"})
    assert guard.refusal(headers) is None
    assert headers.asked == 3
    with pytest.raises(TypeError):
        asked(guard, "localhost:8081")


@pytest.mark.parametrize("guard", [Guard.at(""), Guard.at_unix_socket()], ids=["tcp", "unix"])
def test_what_is_remembered_is_bounded_and_only_what_is_right(guard):
    assert asked(guard, "0" * 5000) is None or not guard.takes_any_host
    assert not guard._remembered
    for number in range(1000):
        assert asked(guard, f"10.0.0.1:{number}") is None
    assert len(guard._remembered) == 64
    assert Guard.at("127.0.0.1").refusal({"host": "10.0.0.1:1"}) is not None


def test_a_guard_is_a_value():
    one, other = Guard.at("127.0.0.1"), Guard.at("::1")
    assert asked(one) is None
    assert one == other
    assert "8080" not in repr(one)
    with pytest.raises(AttributeError):
        one.takes_any_host = True
