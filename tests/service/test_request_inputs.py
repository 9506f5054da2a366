"""Values of callers become request parts."""

import pytest

from wfctl.service.inputs import InputError, body_part, encode, form_parts


@pytest.mark.parametrize(
    ("value", "body", "content_type"),
    [
        (b"\x00\xff", b"\x00\xff", "application/octet-stream"),
        (bytearray(b"ab"), b"ab", "application/octet-stream"),
        (memoryview(b"ab"), b"ab", "application/octet-stream"),
        ("grün", "grün".encode(), "text/plain"),
        ({"a": [1, None, True]}, b'{"a": [1, null, true]}', "application/json"),
        (7, b"7", "application/json"),
        (None, b"null", "application/json"),
    ],
)
def test_a_value_becomes_bytes_with_its_natural_type(value, body, content_type) -> None:
    assert encode(value) == (body, content_type)


@pytest.mark.parametrize("value", [pytest.param(object(), id="object"), {1, 2}, float("nan"), {"a": float("inf")}])
def test_what_json_cannot_say_is_refused_with_a_hint(value) -> None:
    with pytest.raises(InputError) as refused:
        encode(value)
    assert type(value).__name__ in refused.value.message
    assert refused.value.hint


def test_a_value_that_contains_itself_is_refused() -> None:
    loop: list[object] = []
    loop.append(loop)
    with pytest.raises(InputError):
        encode(loop)


def test_a_content_type_given_by_the_caller_wins() -> None:
    (part,) = body_part("{}", "application/json")
    assert (part.name, part.body, part.content_type) == ("body", b"{}", "application/json")


def test_text_fields_have_no_type_and_json_fields_do() -> None:
    data, options = form_parts({"data": "hello", "options": {"k": 1}})
    assert (data.name, data.body, data.content_type) == ("data", b"hello", "")
    assert (options.name, options.body, options.content_type) == ("options", b'{"k": 1}', "application/json")
