import json

import pytest
from hosted_nodes import call

from wfctl.engine.call import Part
from wfctl.errors import LoadError
from wfctl.hosting.ts_names import ENVELOPES

ECHO = "def handle(data, context):\n    return data and [repr(row) for row in data]\n"


def bodies(loaded, *values):
    calls = [
        call(Part("body", json.dumps(value).encode(), "application/json"), call_id=at)
        for at, value in enumerate(values)
    ]
    return [answer.body.decode() if answer.error is None else answer.error.message for answer in loaded.answer(calls)]


def test_without_an_envelope_the_handler_gets_the_rows(host):
    assert bodies(host(ECHO), 1) == ["{'body': 1}"]


def test_an_envelope_is_around_the_handler(host):
    assert bodies(host(ECHO, envelope="body"), 1, {"a": 2}) == ["1", "{'a': 2}"]


def test_the_call_at_load_goes_past_the_envelope(host):
    text = "seen = []\ndef handle(data, context):\n    seen.append(data)\n    return data and [str(seen)]\n"
    assert bodies(host(text, envelope="kserve"), {"instances": [1]}) == [
        '{\n  "predictions": [\n    "[None, [1]]"\n  ]\n}'
    ]


def test_an_unknown_envelope_is_refused_with_those_there_are(host):
    with pytest.raises(LoadError, match='there is no envelope "jsn" for node "node"') as caught:
        host(ECHO, envelope="jsn")
    assert all(name in caught.value.hint for name in ENVELOPES)


def test_an_envelope_of_the_archive_is_found_by_its_dotted_name(host, tmp_path):
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "loud.py").write_text(
        "from wfctl.handlers.envelopes.base import BaseEnvelope\n"
        "class Loud(BaseEnvelope):\n"
        "    def parse_input(self, data): return [row['body'] for row in data]\n"
        "    def format_output(self, data): return [item + '!' for item in data]\n"
    )
    assert bodies(host(ECHO, envelope="own.loud"), 1) == ["1!"]


def test_of_several_classes_the_first_by_name_is_the_envelope(host, tmp_path):
    classes = "".join(
        f"class {name}:\n    def __init__(self, handle): pass\n    def handle(self, d, c): return ['{name}']\n"
        for name in ("B", "A")
    )
    (tmp_path / "two.py").write_text(classes)
    assert bodies(host(ECHO, envelope="two"), 1) == ["A"]


def test_an_envelope_without_a_class_is_refused(host, tmp_path):
    (tmp_path / "empty.py").write_text("X = 1\n")
    with pytest.raises(LoadError, match="defines no class with a handle method") as caught:
        host(ECHO, envelope="empty")
    assert "BaseEnvelope" in caught.value.hint


def test_a_built_in_envelope_is_not_shadowed_by_a_file_of_its_name(host, tmp_path):
    (tmp_path / "body.py").write_text("raise RuntimeError('imported')\n")
    assert bodies(host(ECHO, envelope="body"), 1) == ["1"]


def test_what_an_envelope_of_the_archive_lacks_is_told_as_its_own_failure(host, tmp_path):
    (tmp_path / "broken.py").write_text("import absent_library\n")
    with pytest.raises(LoadError, match="No module named 'absent_library'"):
        host(ECHO, envelope="broken")
