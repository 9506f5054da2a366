import json

import pytest
from hosted_nodes import call

from wfctl.engine.call import Part
from wfctl.errors import LoadError


def bodies(answers):
    assert [each.error for each in answers] == [None] * len(answers)
    return [each.body for each in answers]


def test_one_batch_is_one_call_of_the_handler(host):
    loaded = host("""
class Echo:
    def initialize(self, context): self.times = 0
    def handle(self, data, context):
        self.times += 1
        return [[self.times, len(data)] for row in data]
""")
    answers = loaded.answer([call(call_id=7), call(call_id=9)])
    assert [json.loads(body) for body in bodies(answers)] == [[1, 2], [1, 2]]
    assert [each.call_id for each in answers] == [7, 9]
    assert all(0 < each.started_ns <= each.finished_ns for each in answers)


def test_the_context_tells_node_folder_batch_and_requests(host, tmp_path):
    loaded = host("""
def handle(data, context):
    if data is None:
        context.cache = "kept"
        return
    props = context.system_properties
    return [[context.model_name, props["model_dir"], props["batch_size"], props["gpu_id"], props["server_name"],
             context.get_request_id(at), context.get_request_header(at, "X-Who"), context.request_ids[at],
             context.get_request_header(at, "body"), context.cache, context.manifest, context.model_yaml_config]
            for at in range(len(data))]
""")
    first, second = (json.loads(body) for body in bodies(loaded.answer([call(**{"X-Who": "me"}), call(call_id=2)])))
    assert first[:5] == ["flow__node", str(tmp_path), 4, None, "MMS"]
    assert first[5:] == ["id-1", "me", "id-1", {"content-type": ""}, "kept", {"model": {}}, {}]
    assert second[5:8] == ["id-2", None, "id-2"]


def test_each_request_has_its_own_status_headers_and_type(host):
    loaded = host("""
def handle(data, context):
    if data is None: return
    context.set_response_content_type(0, "text/csv")
    context.set_response_header(0, "X-Rows", "3")
    context.set_response_status(201, "made", 0)
    context.set_response_status(422, "too short", 1)
    context.set_response_status(500, "", 2)
    return ["a,b", "ignored", "broken"]
""")
    good, refused, broken = loaded.answer([call(call_id=at) for at in range(3)])
    assert (good.status, good.content_type, good.headers["X-Rows"], good.body) == (201, "text/csv", "3", b"a,b")
    assert (refused.error.message, refused.error.status, refused.error.is_final) == ("too short", 422, True)
    assert (broken.error.message, broken.error.status, broken.error.is_final) == ("broken", 500, False)
    again = loaded.answer([call()] * 3)[0]
    assert again.headers == {"content-type": "text/csv", "X-Rows": "3"}


@pytest.mark.parametrize(
    ("code", "message", "reason"),
    [
        ("return None", "Invalid model predict output", "returned nothing"),
        ("return ('a',)", "Invalid model predict output", "of type tuple"),
        ("return {'a': 1}", "Invalid model predict output", "of type dict"),
        ("return ['a', 'b']", "number of batch response mismatched", "2 items for 1 request;"),
        ("return []", "number of batch response mismatched", "0 items"),
        ("return [{1, 2}]", "Unsupported model output data type.", "type set"),
        ("return [{'a': b'1'}]", "Unsupported model output data type.", "bytes"),
        (
            "return [type('D', (dict,), {'items': lambda self: 1 / 0})(a=1)]",
            "Unsupported model output data type.",
            "zero",
        ),
        ("import numpy; return [numpy.zeros(2)]", "Unsupported model output data type.", "ndarray"),
    ],
)
def test_a_wrong_answer_fails_with_the_words_of_the_protocol_and_a_reason(host, code, message, reason):
    (answer,) = host(f"def handle(data, context):\n    if data is None: return\n    {code}\n").answer([call()])
    assert (answer.error.message, answer.error.status, answer.error.is_final) == (message, 503, False)
    assert reason in answer.error.traceback_text


def test_an_item_without_a_form_in_bytes_fails_alone(host):
    loaded = host("def handle(data, context):\n    return data and [1, {2}, 3]\n")
    first, second, third = loaded.answer([call(call_id=at) for at in range(3)])
    assert (first.body, third.body) == (b"1", b"3")
    assert second.error.message == "Unsupported model output data type."


@pytest.mark.parametrize(
    ("raised", "message", "status", "final"),
    [
        ("PredictionException('no image', 400)", "no image", 400, True),
        ("PredictionException('later', 503)", "later", 503, False),
        ("PredictionException('plain')", "plain", 500, False),
        ("MemoryError()", "Out of resources", 507, False),
        ("RuntimeError('CUDA error')", "Out of resources", 507, False),
        ("KeyError('x')", "Prediction failed", 503, False),
        ("SystemExit(3)", "Prediction failed", 503, False),
        ("PredictionException('odd', '400')", "odd", 500, False),
        ("PredictionException('enum', HTTPStatus.GONE)", "enum", 410, True),
        ("PredictionException('no error', 200)", "no error", 500, False),
        ("PredictionException('no status', 9999)", "no status", 500, False),
        ("Installed('theirs', 409)", "theirs", 409, True),
        ("Lookalike('own', 409)", "Prediction failed", 503, False),
        ("Forgetful('words', 400)", "('words', 400)", 500, False),
        ("Mute()", "Prediction failed", 503, False),
    ],
)
def test_an_exception_becomes_a_verdict_on_every_call_of_the_batch(host, raised, message, status, final):
    loaded = host(f"""
from http import HTTPStatus
from ts.utils.util import PredictionException
def refusal(module):
    def __init__(self, message, error_code):
        self.message, self.error_code = message, error_code
    return type("PredictionException", (Exception,), {{"__module__": module, "__init__": __init__}})
Installed = type("Child", (refusal("ts.utils.util"),), {{}})
Lookalike = refusal("handler")
class Forgetful(PredictionException):
    def __init__(self, *own): Exception.__init__(self, *own)
    __str__ = Exception.__str__
class Mute(Exception):
    def __str__(self): raise RuntimeError("no words")
def inner(row):
    raise {raised}
def handle(data, context):
    if data is None: return
    return [inner(row) for row in data]
""")
    for answer in loaded.answer([call(call_id=1), call(call_id=2)]):
        assert (answer.error.message, answer.error.status, answer.error.is_final) == (message, status, final)
        assert answer.status == status


def test_the_traceback_begins_at_the_users_first_frame(host):
    (answer,) = host("""
def handle(data, context):
    return data and [1 / 0]
""").answer([call()])
    lines = answer.error.traceback_text.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[1].endswith('handler.py", line 3, in handle')
    assert lines[-1] == "ZeroDivisionError: division by zero"
    assert "hosting" not in answer.error.traceback_text


@pytest.mark.parametrize("kind", ["ValueError", "PredictionException"])
def test_an_exception_that_quotes_its_input_at_length_is_cut(host, kind):
    [answer] = host(
        f"""
from ts.utils.util import PredictionException

def handle(data, context):
    if data is not None:
        raise {kind}("begin" + "x" * 5_000_000 + "end")
"""
    ).answer([call()])
    texts = [answer.error.message, answer.error.traceback_text]
    assert max(map(len, texts)) < 200_000
    assert any("begin" in text and "x" * 100 in text and "end" in text[-40:] for text in texts)


def test_an_interrupt_from_the_keyboard_is_not_swallowed(host):
    loaded = host("def handle(data, context):\n    if data: raise KeyboardInterrupt\n")
    with pytest.raises(KeyboardInterrupt):
        loaded.answer([call()])


def test_one_of_several_leaves_answers_in_json(host):
    loaded = host("def handle(data, context):\n    return data and ['plain text']\n")
    assert loaded.answer([call(as_json=True)])[0].body == b'"plain text"'
    assert loaded.answer([call()])[0].body == b"plain text"


def test_an_item_refused_by_its_status_gives_its_own_words_also_among_several_leaves(host):
    code = "def handle(data, context):\n    context and data and context.set_response_status(422)\n    return data and ['too short']\n"
    (answer,) = host(code).answer([call(as_json=True)])
    assert (answer.error.message, answer.error.status) == ("too short", 422)


def test_parts_reach_the_handler_as_one_row(host):
    loaded = host("def handle(data, context):\n    return data and [repr(sorted(data[0].items()))]\n")
    (answer,) = loaded.answer([call(Part("left", b"1"), Part("right", b"2"), Part("left", b"3"))])
    assert answer.body == b"[('left', bytearray(b'3')), ('right', bytearray(b'2'))]"


def test_the_configuration_of_a_model_reaches_its_handler(host, tmp_path):
    (tmp_path / "model-config.yaml").write_text("handler:\n  threshold: 0.5\n", encoding="utf-8")
    loaded = host(
        "def handle(data, context):\n    return data and [context.model_yaml_config]\n", config_file="model-config.yaml"
    )
    assert [json.loads(body) for body in bodies(loaded.answer([call()]))] == [{"handler": {"threshold": 0.5}}]


@pytest.mark.parametrize("content", [b"a: [1", b"\xff\xfe\x00", b"- 1\n", None])
def test_a_configuration_that_cannot_be_read_fails_the_load(host, tmp_path, content):
    if content is not None:
        (tmp_path / "model-config.yaml").write_bytes(content)
    with pytest.raises(LoadError, match=r'its configuration "model-config\.yaml" cannot be read'):
        host("def handle(data, context): pass\n", config_file="model-config.yaml")


def test_headers_and_status_leave_as_text_and_number(host):
    loaded = host("""
from http import HTTPStatus
def handle(data, context):
    if data is None: return
    context.set_response_header(0, "X-Count", "3")
    context.set_response_status(HTTPStatus.CREATED)
    if data[0]["body"] == b"number": context.set_response_header(0, "X-Count", 3)
    return [1]
""")
    (answer,) = loaded.answer([call()])
    (refused,) = loaded.answer([call(Part("body", b"number"))])
    assert 'TypeError: response header "X-Count" must be text, not int' in refused.error.traceback_text
    assert (answer.headers, type(answer.status), answer.status) == ({"X-Count": "3"}, int, 201)


@pytest.mark.parametrize("status", [0, -1, 100, 1000, 2**40])
def test_a_status_that_no_response_has_is_a_failure_of_the_handler(host, status):
    loaded = host(f"""
def handle(data, context):
    if data is None: return
    context.set_response_status({status}, idx=0)
    return ["one", "two"]
""")
    wrong, right = loaded.answer([call(), call()])
    assert (wrong.status, wrong.error.message) == (503, f"the handler set status {status}, which no response has")
    assert (right.status, right.body) == (200, b"two")


def test_what_is_no_json_has_the_times_of_its_batch_and_leaves_the_handler_to_the_others(host):
    def text(body: bytes):
        return call(Part("body", body, "application/json", must_be_json=True))

    node = host("def handle(data, context):\n    return data and [1 / row['body'] for row in data]\n")
    good, bad = node.answer([text(b"2"), text(b"{")])
    assert (good.error, bytes(good.body)) == (None, b"0.5")
    assert (bad.error.is_of_input, bad.started_ns, bad.finished_ns) == (True, good.started_ns, good.finished_ns)
    failed, _ = node.answer([text(b"0"), text(b"{")])
    assert not failed.error.is_of_batch, "it had the handler to itself"
    (alone,) = node.answer([text(b"{")])
    assert (alone.error.is_of_input, alone.finished_ns) == (True, 0)
