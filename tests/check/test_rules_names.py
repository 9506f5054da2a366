import pytest
from checking import check_text, codes, fixed, one, shown, spec_of

HANDLER = "def prepare(data, context):\n    return data\n\n\ndef finish(data, context):\n    return data\n"


def test_a_mistyped_target_is_offered_what_it_looks_like_and_renamed() -> None:
    spec = spec_of("prepare: [detect]\ndetect: ['finsh']  # end", "detect")
    checked = check_text(spec, HANDLER)
    found = one(checked, "WF304")
    assert found.help == 'did you mean "finish"?'
    assert shown(checked, "WF304") == ["'finsh'", "finish"]
    assert found.secondary[0].span.source.name == "handler.py"
    assert fixed(checked) == spec.replace("finsh", "finish")


def test_models_and_functions_are_offered() -> None:
    checked = check_text(
        spec_of("prepare: [classifier_two]", "classifier_one"), HANDLER.replace("finish", "classifier_to")
    )
    found = one(checked, "WF304")
    assert found.help == 'did you mean "classifier_to" or "classifier_one"?'
    assert found.fix == ()


@pytest.mark.parametrize(
    "dag",
    [
        "prepare: [dete]",  # may be something else
        "prepare: [detect, detct]",  # would repeat an edge
        "prepare: [detct, dtect]",  # the same
        "detect: [prepare]\nprepare: [finish]\nfinish: [detct]",  # would close a circle
        "detect: [prepar]\nprepare: [detct]",  # would close one together with the other
        'prepare: ["det\\x63t"]',  # an escape
    ],
)
def test_renames_that_might_be_wrong_are_left_to_people(dag: str) -> None:
    found = [d for d in check_text(spec_of(dag, "detect", "m1"), HANDLER).report if d.code == "WF304"]
    assert found
    for diagnostic in found:
        assert diagnostic.help
        assert diagnostic.help.startswith('did you mean "')
        assert diagnostic.fix == ()


def test_nothing_close_is_offered_nothing() -> None:
    found = one(check_text(spec_of("prepare: [zzz]"), HANDLER), "WF304")
    assert found.help == "name a model, or write a function of this name in the handler"
    assert found.secondary == ()


def test_a_key_of_the_dag_is_reported_once_and_not_as_a_target() -> None:
    assert codes(check_text(spec_of("prepare: [gone]\ngone: [finish]"), HANDLER)) == ["WF403"]


@pytest.mark.parametrize(
    "handler",
    [
        "from steps import *\n",
        "class Steps:\n    def handle(self, data, context): return data\n",
        "from steps import prepare, gone\n",
        "prepare = gone = print\n",
        "import functools\ndef prepare(data, context): return data\ngone = functools.partial(prepare)\n",
        "try:\n    from fast import prepare, gone\nexcept ImportError:\n    prepare = gone = None\n",
        "def __getattr__(name): return print\n",
    ],
)
def test_names_that_reading_cannot_rule_out_are_not_accused(handler: str) -> None:
    assert codes(check_text(spec_of("prepare: [gone]"), handler)) == []


@pytest.mark.parametrize(
    ("handler", "may_handle"),
    [
        ("class A: pass", False),
        ("class A(nn.Module): pass", False),
        ("class A(nn.Module): pass\nclass B(A): pass", False),
        ("class A(NamedTuple):\n  x: int", False),
        ("class A:\n  def handle(self, data, context): return data", True),
        ("class A:\n  if True:\n    def handle(self, data, context): return data", True),
        ("class A:\n  handle = print", True),
        ("class A(BaseHandler): pass", True),
        ("class A(nn.Module): pass\nclass B(A, Mixin): pass", True),
        ("@adds_handle\nclass A: pass", True),
        ("class A(metaclass=Adds): pass", True),
        ("class A(BaseHandler): pass\nA = 1", False),
        ("try:\n  pass\nfinally:\n  class A(BaseHandler): pass", True),
    ],
)
def test_only_a_class_that_may_handle_stands_in_for_a_function(handler: str, *, may_handle: bool) -> None:
    assert codes(check_text(spec_of("prepare: []"), handler + "\n")) == ([] if may_handle else ["WF403"])


def test_nothing_is_renamed_to_what_may_be_no_function() -> None:
    found = one(check_text(spec_of("prepare: [strng]"), HANDLER + "import string\n"), "WF304")
    assert found.help == 'did you mean "string"?'
    assert found.fix == ()


def test_names_in_two_unicode_forms_are_alike() -> None:
    assert codes(check_text(spec_of("Große: [große]", "Große", "große"))) == ["WF311"]
    assert codes(check_text(spec_of("caf\u00e9: [cafe\u0301]", "caf\u00e9", "cafe\u0301"))) == ["WF311"]


def test_a_function_is_named_in_the_form_that_python_keeps() -> None:
    # Python stores the ligature as two letters, so TorchServe would not find it either.
    found = one(check_text(spec_of("\ufb01nish: []"), HANDLER), "WF403")
    assert found.help == 'did you mean "finish"?'


def test_a_section_indented_too_far_is_recognised() -> None:
    spec = "models:\n  m1: {url: m1.mar}\n  dag: {url: x.mar}\ndag:\n  m1: [dag]\n"
    found = one(check_text(spec), "WF309")
    assert found.help == '"dag:" as a section stands at the left margin; is it indented too far?'


def test_a_mistyped_name_of_function_settings_is_offered_the_function() -> None:
    spec = spec_of("prepare: [finish]", more="wfctl:\n  functions:\n    prepair: {batch-size: 4}\n")
    assert one(check_text(spec, HANDLER), "WF312").help == 'did you mean "prepare"?'
