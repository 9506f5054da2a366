from http import HTTPStatus

import pytest

from wfctl.handlers.context import Context
from wfctl.handlers.timer import timed


def context(**more):
    found = Context(model_name="flow__m", model_dir="/m", manifest=None, batch_size=2, **more)
    found.begin_batch(["a", "b"], [{"X": "1", "ts_request_sequence_id": "s1"}, {}])
    return found


def test_each_batch_begins_without_what_the_last_one_set():
    found = context()
    found.own_attribute = 3
    found.set_all_response_status(404, "gone")
    found.set_response_header(1, "H", "v")
    assert found.get_response_status(1) == (404, "gone")
    found.begin_batch(["c"], [{}])
    assert found.get_response_status(0) == (200, None)
    assert found.get_response_headers(0) == {}
    assert (found.request_ids, found.own_attribute, found.manifest) == ({0: "c"}, 3, None)
    assert found.get_request_id(5) is None


def test_headers_are_read_as_they_were_written():
    found = context()
    assert found.get_request_header(0, "X") == "1"
    assert found.get_request_header(0, "x") is None
    assert found.get_all_request_header(1) == {}
    assert found.request_processor[0].get_request_property("X") == "1"
    assert found.request_processor[0].get_request_properties() is found.get_all_request_header(0)
    assert (found.get_sequence_id(0), found.get_sequence_id(1)) == ("s1", None)


def test_the_surroundings_are_those_of_the_release_we_are_compatible_with():
    found = Context("m", "/m", {"model": {}}, 4, 1)
    assert found.system_properties == {
        "model_dir": "/m",
        "gpu_id": 1,
        "batch_size": 4,
        "server_name": "MMS",
        "server_version": "0.12.0",
        "limit_max_image_pixels": True,
    }
    assert (found.model_name, found.manifest, found.model_yaml_config) == ("m", {"model": {}}, {})
    assert (found.stopping_criteria, found.cl_socket, found.metrics.model_name) == (None, None, "m")


def test_there_are_no_requests_before_the_first_batch():
    found = Context("m", "/m", None, 1)
    assert (found.request_ids, found.request_processor, found.get_request_id()) == (None, None, None)
    found.set_response_status(404)
    with pytest.raises(TypeError):
        found.get_request_header(0, "X")


def test_response_headers_and_types_are_kept_by_request():
    found = context()
    found.set_response_content_type(0, "text/csv")
    found.request_processor[0].add_response_property("H", "v")
    assert found.get_response_headers(0) == {"content-type": "text/csv", "H": "v"}
    assert (found.get_response_content_type(0), found.get_response_content_type(1)) == ("text/csv", None)
    assert found.request_processor[0].get_response_header("H") == "v"


@pytest.mark.parametrize(
    ("status", "kept"),
    [((201, "made"), (201, "made")), ((HTTPStatus.CREATED,), (201, "")), ((None, None), (200, None))],
)
def test_a_status_is_a_number_with_words(status, kept):
    found = context()
    found.set_response_status(*status, idx=1)
    assert found.get_response_status(1) == kept
    assert type(found.get_response_status(1)[0]) is int
    assert found.get_response_status(0) == (200, None)


@pytest.mark.parametrize(
    ("set_it", "words"),
    [
        (lambda it: it.set_response_header(0, "X", 3), 'response header "X" must be text, not int'),
        (lambda it: it.set_response_header(0, 3, "X"), "the name of a response header must be text, not int"),
        (lambda it: it.set_response_content_type(0, None), 'response header "content-type" must be text, not NoneType'),
        (lambda it: it.set_response_status("404"), "'str' object cannot be interpreted as an integer"),
        (lambda it: it.set_response_status(404, 5), "the words of a status must be text, not int"),
    ],
)
def test_what_cannot_be_sent_is_refused_where_it_is_set(set_it, words):
    with pytest.raises(TypeError, match=words):
        set_it(context())


def test_two_contexts_are_equal_by_what_they_hold_and_have_no_hash():
    metrics = object()
    first, second = (Context("m", "/m", None, 1, metrics=metrics) for _ in range(2))
    assert first == second
    second.cache = {}
    assert first != second
    assert first != "m"
    with pytest.raises(TypeError):
        hash(first)


def test_requests_and_metrics_can_be_put_in_place_by_hand():
    found = Context("m", "/m", None, 1)
    found.request_processor, found.metrics = ["own"], "own"
    assert (found.request_processor, found.metrics) == (["own"], "own")


def test_the_names_of_sequence_headers_come_from_the_server(monkeypatch):
    monkeypatch.setenv("TS_REQUEST_SEQUENCE_ID", "X-Sequence")
    found = Context("m", "/m", None, 1)
    assert (found.header_key_sequence_id, found.header_key_sequence_start) == (
        "X-Sequence",
        "ts_request_sequence_start",
    )
    assert found.header_key_sequence_end == "ts_request_sequence_end"


@pytest.mark.parametrize(("profile", "reported"), [(True, ["ts_handler_step"]), (False, [])])
def test_steps_are_timed_only_where_the_configuration_asks(profile, reported):
    class Handler:
        def __init__(self):
            self.context = context(model_yaml_config={"handler": {"profile": profile}})

        @timed
        def step(self, value):
            return value + 1

    handler = Handler()
    assert handler.step(1) == 2
    assert [each.name for each in handler.context.metrics.reported()] == reported
