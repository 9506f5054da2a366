"""A host has one form, and what only looks like a name is none."""

import pytest

from wfctl.check.host import HostError, address_of, read_host


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("Models.Example.COM", "models.example.com"),
        ("models.example.com.", "models.example.com"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("BÜCHER.example", "xn--bcher-kva.example"),
        ("models。example", "models.example"),
        ("models\u2024example", "models.example"),
        ("10.0.0.5", "10.0.0.5"),
        ("[::1]", "::1"),
        ("[0:0::0:1]", "::1"),
        ("[::FFFF:127.0.0.1]", "::ffff:7f00:1"),
        ("my_store.local", "my_store.local"),
        ("a1", "a1"),
    ],
)
def test_a_host_has_one_form(text: str, host: str) -> None:
    found = read_host(text)
    assert (found, address_of(found)) == (host, address_of(host))


@pytest.mark.parametrize(
    "text",
    [
        "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "0x7f.1", "127.0.0.01", "1.2.3.4.5", "256.1.1.1", "a.0x",
        "\uff11\uff12\uff17.1", "", ".", "a..b", "-a.example", "a-.example", "a b", "a%41", "a,b", "a:b", "[::1", "::1]", "[]",
        "[fe80::1%eth0]", "[127.0.0.1]", "x" * 64, ".".join(["x" * 50] * 6), "*.example.com",
    ],
)  # fmt: skip
def test_what_could_be_read_in_two_ways_is_no_host(text: str) -> None:
    with pytest.raises(HostError):
        read_host(text)


def test_only_numbers_are_addresses() -> None:
    assert str(address_of("10.0.0.5")) == "10.0.0.5"
    assert str(address_of("::1")) == "::1"
    assert address_of("models.example.com") is None
