import pytest

from wfctl.check.url import read_url


@pytest.mark.parametrize(
    ("text", "scheme"),
    [
        ("m1.mar", None),
        ("models/m1.mar", None),
        ("C:\\m1.mar", None),
        ("http://h/m.mar", "http"),
        ("HTTPS://h/m.mar", "https"),
        ("s3://bucket/m.mar", "s3"),
        ("file:///srv/m.mar", "file"),
        ("hdfs:m.mar", "hdfs"),
    ],
)
def test_the_scheme_is_what_stands_before_the_colon(text: str, scheme: str | None) -> None:
    assert read_url(text).scheme == scheme


@pytest.mark.parametrize(
    "text",
    [
        "../m.mar", "a/../m.mar", "a/..", "..", "/m.mar", "C:m.mar", "C:\\m.mar", "a\\m.mar", "..\\m.mar",
        "%2e%2e/m.mar", "http://h/../m.mar", "http://h/%2E%2e/m.mar", "file:///a/../m.mar", "\\\\host\\share\\m.mar",
    ],
)  # fmt: skip
def test_ways_out_of_the_store_are_seen(text: str) -> None:
    assert read_url(text).escape()


@pytest.mark.parametrize(
    "text",
    ["m.mar", "a/m.mar", "..mar", "a..b/m.mar", "...", "http://h/m.mar", "file:///srv/m.mar", "http://h/m.mar?x=../y"],
)
def test_ordinary_urls_do_not_escape(text: str) -> None:
    assert read_url(text).escape() is None


@pytest.mark.parametrize(
    "text", ["https:///m.mar", "https:m.mar", "http://[::1/m", "http://h/a b.mar", "m\0.mar", "http://:80/m.mar"]
)
def test_what_is_no_address_is_seen(text: str) -> None:
    assert read_url(text).malformation()


@pytest.mark.parametrize("text", ["m 1.mar", "http://h/m.mar", "https://[::1]/m.mar", "file:///srv/m 1.mar"])
def test_addresses_and_file_names_with_spaces_are_fine(text: str) -> None:
    assert read_url(text).malformation() is None


@pytest.mark.parametrize(
    ("text", "has"),
    [
        ("https://u:p@h/m.mar", True),
        ("https://token@h/m.mar", True),
        ("https://h/m.mar?token=x", True),
        ("https://h/m.mar?a=1&X-Amz-Signature=x", True),
        ("https://h/m.mar?tokens=3", False),
        ("https://h/a@b.mar", False),
        ("m@1.mar", False),
    ],
)
def test_credentials_are_seen(text: str, *, has: bool) -> None:
    assert read_url(text).has_credentials() is has


@pytest.mark.parametrize(
    ("text", "looks"),
    [
        ("m.mar", True),
        ("m.tar.gz", True),
        ("m.model", True),
        ("folder", True),
        ("folder/", True),
        ("resnet-1.5", True),
        ("net.v2", True),
        ("m.pt", False),
        ("m.MAR", False),
        ("https://h/m.mar?x=1", True),
        ("https://h/m%2emar", True),
        ("https://h/download", False),
    ],
)
def test_archives_are_told_by_their_endings(text: str, *, looks: bool) -> None:
    assert read_url(text).looks_like_archive() is looks


def test_a_file_on_this_machine_is_shown_without_a_host_and_may_be_a_folder() -> None:
    assert read_url("file:///srv/models/m1.zip").shown == "/srv/models/m1.zip"
    assert read_url("file:///srv/models/m1").looks_like_archive()
    assert not read_url("file:///srv/models/m1.zip").looks_like_archive()
