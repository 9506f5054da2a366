import pytest
from fakes.calls import call_of
from hosted_nodes import call

from wfctl.engine.call import Part
from wfctl.hosting.inputs import headers_of, json_fault, row_of, row_or_refusal
from wfctl.hosting.malformed import MalformedInputError


@pytest.mark.parametrize(
    ("body", "content_type", "value"),
    [
        (b'{"a": 1}', None, bytearray(b'{"a": 1}')),
        (b'{"a": 1}', "", bytearray(b'{"a": 1}')),
        (b'{"a": 1}', "application/json", {"a": 1}),
        (b'"\xc3\xa9"', "application/json; charset=utf-8", "é"),
        (b"[1]", "Application/JSON", bytearray(b"[1]")),
        (b"[1]", "application/vnd.api+json", bytearray(b"[1]")),
        (b"", "application/json", bytearray(b"")),
        (b"{", "application/json", bytearray(b"{")),
        (b"[" * 100_000, "application/json", bytearray(b"[" * 100_000)),
        (b"\xe9", "application/json", bytearray(b"\xe9")),
        (b"hello", "text/plain", "hello"),
        (b"a,b", "text/csv; header=present", "a,b"),
        (b"", "text/plain", ""),
        (b"caf\xe9", "text/plain; charset=latin-1", bytearray(b"caf\xe9")),
        (b"\x89PNG", "image/png", bytearray(b"\x89PNG")),
    ],
    ids=str,
)
def test_a_value_is_decoded_by_its_type_and_kept_as_bytes_otherwise(body, content_type, value):
    (found,) = row_of(call(Part("body", body, content_type))).values()
    assert found == value
    assert type(found) is type(value)


def test_a_bytearray_is_handed_on_without_a_copy():
    body = bytearray(b"large")
    assert row_of(call(Part("body", body)))["body"] is body
    assert row_of(call_of(1, body))["body"] is body


def test_what_a_handler_gets_of_a_parent_is_its_own_to_change():
    (value,) = row_of(call_of(1, b"bytes")).values()
    assert value == bytearray(b"bytes")
    assert type(value) is bytearray


def test_of_parts_with_one_name_the_last_wins():
    assert row_of(call(Part("a", b"1"), Part("b", b"2"), Part("a", b"3"))) == {"a": b"3", "b": b"2"}


def test_headers_hold_the_bare_type_under_each_name():
    headers = headers_of(call(Part("body", b"", "text/plain; charset=utf-8"), Part("m1", b""), **{"X-Id": "7"}))
    assert headers == {"X-Id": "7", "body": {"content-type": "text/plain"}, "m1": {"content-type": ""}}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"{", "Expecting property name"),
        (b"\xff", "byte 1 is not UTF-8"),
        (b"1 2", "Extra data"),
        (b"", "Expecting value"),
    ],
)
def test_what_must_be_json_and_is_none_is_refused_with_the_reason(body, reason):
    given = call(Part("body", body, "application/json; charset=utf-8", must_be_json=True))
    with pytest.raises(MalformedInputError, match=reason):
        row_of(given)
    refusal = row_or_refusal(given)
    assert (refusal.status, refusal.is_final, refusal.is_of_input) == (400, True, True)


@pytest.mark.parametrize("body", [b'{"a": [1, NaN]}', b" 1 ", b'"\xc3\xbc"\n', b"[" * 5000 + b"]" * 5000])
def test_what_must_be_json_and_is_or_is_nested_too_deep_to_tell_is_taken(body):
    assert row_of(call(Part("body", body, "application/json", must_be_json=True)))


@pytest.mark.parametrize(
    ("body", "fault"), [(b"[1]", None), (b"[" * 5000 + b"]" * 5000, None), (b"{", "Expecting"), (b"\xff", "UTF-8")]
)
def test_what_is_wrong_with_a_body_can_be_asked_for(body, fault):
    found = json_fault(body)
    assert found is None if fault is None else fault in found
