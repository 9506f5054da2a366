"""Urls are read strictly; T24 and T25 begin here."""

import pytest

from wfctl.errors import FetchError
from wfctl.store.address import follow, parse_address, without_secrets

DIGEST = "ab" * 32


def test_a_url_is_taken_apart() -> None:
    address = parse_address(f"HTTPS://Models.Example.com:8443/zoo/m%20one.mar;v=1?x=1&y=%2F#sha256={DIGEST.upper()}")
    assert (address.scheme, address.host, address.port) == ("https", "models.example.com", 8443)
    assert address.parts == ("zoo", "m one.mar;v=1")
    assert address.text == "https://models.example.com:8443/zoo/m%20one.mar;v=1?x=1&y=%2F"
    assert address.shown == "https://models.example.com:8443/zoo/m%20one.mar;v=1?..."
    assert address.folder == "https://models.example.com:8443/zoo/"
    assert address.pin == DIGEST


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("https://h.test", "https://h.test/"),
        ("https://h.test:443/a", "https://h.test/a"),
        ("http://h.test:443/a", "http://h.test:443/a"),
        ("https://h.test./a", "https://h.test/a"),
        ("http://[::1]:8000/a", "http://[::1]:8000/a"),
        ("https://h.test/ä", "https://h.test/%C3%A4"),
        ("https://h.test/a#chapter", "https://h.test/a"),
        ("file:///srv/m.mar", "file:///srv/m.mar"),
        ("file:/srv/m.mar", "file:///srv/m.mar"),
        ("file://localhost/srv/m.mar", "file:///srv/m.mar"),
    ],
)
def test_spellings_of_one_url_have_one_form(text: str, canonical: str) -> None:
    assert parse_address(text).text == canonical
    assert parse_address(canonical).text == canonical


@pytest.mark.parametrize(
    "text",
    [
        "https://allowed.test@evil.test/m.mar", "https://allowed.test:x@evil.test/", "https://allowed.test\\@evil.test/",
        "https:\\\\evil.test/", "https://h.test/a b", "https://h.test/\n", "https://h.test\t/", "https:///m.mar", "https:m.mar",
        "https://h.test:0/", "https://h.test:65536/", "https://h.test:8a/", "https://h.test:-1/", "https://h.test:+1/",
        "https://h.test/a/../b", "https://h.test/%2e%2e/b", "https://h.test/%252e%252e/b", "https://h.test/..%2fb",
        "https://h.test/..%5cb", "https://h.test/a%00b", "ftp://h.test/a", "m.mar", "//h.test/a", "file://h.test/a",
        "https://h.test/a/..;/b", "https://h.test/a/%2e%2e;x=1/b", "https://h.test/" + "%" + "25" * 6 + "2e./b", "https://h.test/\udc80",
        "file:///srv/models/%2Fetc%2Fpasswd", "file:///srv/%252Fetc", "https://h.test/#x&sha256=" + DIGEST,
        "https://2130706433/", "https://h.test/#sha256=abc", "https://h.test/#sha-256=" + DIGEST, "https://[::1/", "",
    ],
)  # fmt: skip
def test_what_two_readers_could_read_differently_is_refused(text: str) -> None:
    with pytest.raises(FetchError):
        parse_address(text)


def test_a_refusal_repeats_no_secret() -> None:
    with pytest.raises(FetchError) as caught:
        parse_address("https://ana:hunter2@h.test/m.mar?token=hunter2")
    assert "hunter2" not in f"{caught.value.message}{caught.value.hint}"
    assert '"https://h.test/m.mar"' in caught.value.message
    assert without_secrets("https://u:p@h/m?t=1#f") == "https://h/m"


def test_a_redirect_is_read_from_where_it_stands() -> None:
    here = parse_address("https://h.test:8443/a/b.mar?x=1")
    assert follow(here, "c.mar").text == "https://h.test:8443/a/c.mar"
    assert follow(here, "/c.mar?y").text == "https://h.test:8443/c.mar?y"
    assert follow(here, "//other.test/c").text == "https://other.test/c"
    assert follow(here, "../../../etc").text == "https://h.test:8443/etc"
    with pytest.raises(FetchError):
        follow(here, "https://h.test@evil.test/")
