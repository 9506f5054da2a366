"""What a pattern allows, and what only resembles it (T24)."""

import re
from ipaddress import ip_address

import pytest

from wfctl.errors import FetchError
from wfctl.store.address import parse_address
from wfctl.store.allow import NOTHING, parse_allowed


def admits(pattern: str, url: str) -> bool:
    return parse_allowed([pattern]).admits(parse_address(url))


def test_nothing_is_allowed_by_default() -> None:
    assert not NOTHING.admits(parse_address("https://models.test/m.mar"))
    assert not parse_allowed(["", "  "]).patterns


@pytest.mark.parametrize(
    ("pattern", "url"),
    [
        ("https://models.test", "https://models.test/any/m.mar"),
        ("https://models.test/zoo/", "https://models.test/zoo/m.mar"),
        ("https://models.test/zoo", "https://models.test/zoo/deep/m.mar?x=1"),
        ("https://models.test/zoo/m.mar", "https://models.test/zoo/m.mar"),
        ("https://MODELS.test./zoo", "https://models.TEST:443/zoo/m.mar"),
        ("https://models.test/a%20b", "https://models.test/a%20b/m.mar"),
        ("https://bücher.test/", "https://xn--bcher-kva.test/m.mar"),
        ("models.test", "https://models.test/m.mar"),
        ("models.test", "http://models.test/m.mar"),
        ("models.test:8080", "http://models.test:8080/m.mar"),
        ("[::1]:8080", "http://[::1]:8080/m.mar"),
        ("::1", "http://[::1]/m.mar"),
        ("http://127.0.0.1:8000/", "http://127.0.0.1:8000/m.mar"),
        ("file:///srv/models/", "file:///srv/models/m.mar"),
        (r"re:https://models\.test/.*\.mar", "HTTPS://models.test/zoo/m.MAR"),
        (r"re:https://models\.test:443/.*", "https://models.test/m.mar"),
        (r"re:http(s)?://.*", "https://anything.test/m.mar"),
        (r"re:file://.*", "file:///srv/m.mar"),
    ],
)
def test_what_a_pattern_allows(pattern: str, url: str) -> None:
    assert admits(pattern, url)


@pytest.mark.parametrize(
    ("pattern", "url"),
    [
        ("https://models.test/", "http://models.test/m.mar"),
        ("https://models.test/", "https://models.test:8443/m.mar"),
        ("https://models.test:8443/", "https://models.test/m.mar"),
        ("https://models.test/", "https://models.test.evil.test/m.mar"),
        ("https://models.test/", "https://evil-models.test/m.mar"),
        ("https://models.test/", "https://sub.models.test/m.mar"),
        ("https://allowed.test/", "https://\u0430llowed.test/m.mar"),  # the first letter is Cyrillic
        ("https://models.test/zoo", "https://models.test/zoo.evil/m.mar"),
        ("https://models.test/zoo/", "https://models.test/ZOO/m.mar"),
        ("https://models.test/zoo/", "https://models.test/zoo%2fm.mar"),
        ("https://models.test/zoo/", "https://models.test/"),
        ("models.test", "http://models.test:8080/m.mar"),
        ("models.test", "http://models.test:443/m.mar"),
        ("models.test:8080", "http://models.test/m.mar"),
        ("10.0.0.0/8", "http://10.0.0.5/m.mar"),
        ("file:///srv/models", "file:///srv/models.evil/m.mar"),
        (r"re:https://models\.test/.*\.mar", "https://models.test/m.mar.exe"),
        (r"re:https://models\.test/", "https://models.test/m.mar"),
        (r"re:https://models\.test.*", "http://models.test/m.mar"),
    ],
)
def test_what_only_resembles_it_is_not_allowed(pattern: str, url: str) -> None:
    assert not admits(pattern, url)


@pytest.mark.parametrize(
    "pattern",
    [
        "*.models.test", "https://", "https://u@models.test/", "https://models.test/?x", "https://models.test/#x",
        "models.test/zoo", "re:(", "2130706433", "s3://bucket/", "https://*.models.test/", "https://models.test/../", "a b",
    ],
)  # fmt: skip
def test_what_is_no_pattern_says_so(pattern: str) -> None:
    with pytest.raises(FetchError, match=re.escape(f'"{pattern}" does not say what may be fetched')) as caught:
        parse_allowed([pattern])
    assert "re:" in caught.value.hint


def test_one_pattern_need_not_be_a_list() -> None:
    assert parse_allowed("https://models.test/").admits(parse_address("https://models.test/m.mar"))


def test_the_expression_that_the_original_allows_by_default_is_read() -> None:
    allowed = parse_allowed(["re:file://.*|http(s)?://.*"])
    assert allowed.admits(parse_address("file:///srv/m.mar"))
    assert allowed.admits(parse_address("https://models.test/m.mar"))


@pytest.mark.parametrize(
    ("pattern", "host", "at"),
    [
        ("127.0.0.1", "127.0.0.1", "127.0.0.1"),
        ("http://127.0.0.1:8000/", "127.0.0.1", "127.0.0.1"),
        ("http://localhost:8000/", "localhost", "127.0.0.1"),
        ("localhost", "localhost", "::1"),
        ("api.localhost", "api.localhost", "127.0.0.1"),
        ("10.0.0.5", "models.corp.test", "10.0.0.5"),
        ("10.0.0.0/8", "models.corp.test", "10.1.2.3"),
        ("fd00::/8", "models.corp.test", "fd00::5"),
        (r"re:http://127\.0\.0\.1:8000/.*", "127.0.0.1", "127.0.0.1"),
        ("re:http(s)?://localhost/.*", "localhost", "127.0.0.1"),
    ],
)
def test_an_address_that_is_not_public_is_allowed_by_its_name(pattern: str, host: str, at: str) -> None:
    assert parse_allowed([pattern]).admits_inside(host, ip_address(at))


@pytest.mark.parametrize(
    ("pattern", "host", "at"),
    [
        ("https://models.test/", "models.test", "127.0.0.1"),  # the name is allowed, and not where it leads
        ("models.test", "models.test", "10.0.0.5"),
        ("localhost", "localhost", "10.0.0.5"),
        ("localhost", "models.test", "127.0.0.1"),
        ("127.0.0.1", "localhost", "::1"),
        ("127.0.0.1", "models.test", "::ffff:127.0.0.1"),
        ("10.0.0.0/8", "models.test", "192.168.0.1"),
        ("re:http://.*", "127.0.0.1", "127.0.0.1"),
        (r"re:https://models\.test/.*", "models.test", "127.0.0.1"),
    ],
)
def test_and_not_by_anything_else(pattern: str, host: str, at: str) -> None:
    assert not parse_allowed([pattern]).admits_inside(host, ip_address(at))
