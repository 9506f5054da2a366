"""Addresses to listen at: what they are, what they default to, and who can get there."""

import pytest

from wfctl.web.config.addresses import Address, AddressError, Role, parse_address


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://127.0.0.1:8080", Address(scheme="http", host="127.0.0.1", port=8080)),
        ("https://example.com:1", Address(scheme="https", host="example.com", port=1)),
        ("HTTP://LocalHost.:65535", Address(scheme="http", host="localhost", port=65535)),
        ("http://0.0.0.0:0", Address(scheme="http", host="0.0.0.0", port=0)),
        ("http://[::1]:8080", Address(scheme="http", host="::1", port=8080)),
        ("http://[0:0:0:0:0:0:0:0]:080", Address(scheme="http", host="::", port=80)),
        ("unix:/run/w.sock", Address(scheme="unix", path="/run/w.sock")),
        ("Unix:/tmp/a b:#?.sock", Address(scheme="unix", path="/tmp/a b:#?.sock")),
    ],
)
def test_an_address_is_taken_apart(text, expected):
    assert parse_address(text, Role.INFERENCE) == expected


@pytest.mark.parametrize(
    ("role", "plain", "secure"),
    [(Role.INFERENCE, 80, 443), (Role.MANAGEMENT, 8081, 8444), (Role.METRICS, 8082, 8445)],
)
def test_the_port_depends_on_the_role_where_it_is_left_out(role, plain, secure):
    assert parse_address("http://localhost", role).port == plain
    assert parse_address("https://[::1]", role).port == secure
    assert parse_address("http://localhost:7", role).port == 7
    assert parse_address("unix:/s", role).port == 0


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("http://Example.COM", "http://example.com:80"),
        ("https://127.0.0.1:08443", "https://127.0.0.1:8443"),
        ("http://[::0001]:9", "http://[::1]:9"),
        ("UNIX:/run/W.sock", "unix:/run/W.sock"),
    ],
)
def test_the_text_of_an_address_is_canonical_and_reads_as_the_same(text, canonical):
    address = parse_address(text, Role.INFERENCE)
    assert str(address) == canonical
    assert parse_address(canonical, Role.METRICS) == address


@pytest.mark.parametrize(
    "text",
    [
        "http://127.0.0.1",
        "http://127.255.3.4:1",
        "http://localhost",
        "https://LOCALHOST.",
        "http://[::1]",
        "http://[::ffff:127.0.0.1]",
        "unix:/s",
    ],
)
def test_only_this_machine_gets_to_loopback(text):
    assert parse_address(text, Role.INFERENCE).is_loopback


@pytest.mark.parametrize(
    "text",
    [
        "http://0.0.0.0",
        "http://[::]",
        "http://128.0.0.1",
        "http://10.0.0.1",
        "http://[::ffff:10.0.0.1]",
        "http://[::ffff:0:127.0.0.1]",
        "http://localhost.example.com",
        "http://my-localhost",
        "http://127.example.com",
    ],
)
def test_others_get_to_what_is_not_loopback(text):
    assert not parse_address(text, Role.INFERENCE).is_loopback


FORMS = "an address is meant: http://host:port, https://host:port or unix:/path"
PARTS = "a host and perhaps a port are meant, and nothing before, between or behind them"
PORT = "its port is no number from 0 to 65535"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", FORMS),
        ("127.0.0.1:8080", FORMS),
        ("localhost", FORMS),
        ("tcp://localhost", FORMS),
        ("http:localhost", FORMS),
        ("http:/localhost", FORMS),
        (" http://localhost", FORMS),
        ("http://localhost/", PARTS),
        ("http://localhost:80/x", PARTS),
        ("http://me@localhost", PARTS),
        ("http://localhost?x", PARTS),
        ("http://local host", PARTS),
        ("http://localhost\n", PARTS),
        ("http://", "it names no host"),
        ("http://:8080", "it names no host"),
        ("http://localhost:", PORT),
        ("http://localhost:65536", PORT),
        ("http://localhost:-1", PORT),
        ("http://localhost:8o", PORT),
        ("http://localhost:\u0661", PORT),
        ("http://localhost:" + "0" * 5000, PORT),
        ("http://::1:8080", "an IPv6 address must stand in brackets, as in http://[::1]:8080"),
        ("http://[::1", "an IPv6 address must stand in brackets, as in http://[::1]:8080"),
        ("http://[::1]x:80", "what stands in brackets is no IPv6 address"),
        ("http://[fe80::1%eth0]", "what stands in brackets is no IPv6 address"),
        ("http://127.1", "an IPv4 address is four decimal numbers with dots, without leading zeros"),
        ("http://-a-", "its host is no name of a machine"),
        ("unix:", "the path of a socket begins with a slash, as in unix:/run/wfctl.sock"),
        ("unix:w.sock", "the path of a socket begins with a slash, as in unix:/run/wfctl.sock"),
        ("unix:/run/", "the path names no file"),
        ("unix:/a\0b", "the path names no file"),
        ("unix:/" + "\u00e9" * 54, "the path of a socket has at most 107 bytes"),
    ],
)
def test_what_is_no_address_is_refused_with_a_reason(text, reason):
    with pytest.raises(AddressError) as caught:
        parse_address(text, Role.INFERENCE)
    assert str(caught.value) == reason


def test_a_path_may_be_as_long_as_the_kernel_takes():
    longest = "unix:/" + "\u00e9" * 53
    assert str(parse_address(longest, Role.METRICS)) == longest
    assert parse_address("unix:/\udc80", Role.METRICS).path == "/\udc80"
