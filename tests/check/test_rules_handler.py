import pytest
from checking import check_text, codes, fixed, one, shown, spec_of


def test_a_missing_handler_is_one_finding_naming_the_functions() -> None:
    checked = check_text(spec_of("prepare: [m1]\nm1: [finish]", "m1"))
    assert codes(checked) == ["WF401"]
    assert one(checked, "WF401").message == 'the dag calls "prepare", "finish", and there is no handler file'


def test_a_single_function_may_be_a_mistyped_model() -> None:
    assert one(check_text(spec_of("detct: []\n", "detect")), "WF401").help == 'did you mean "detect"?'


def test_no_handler_is_needed_without_functions() -> None:
    assert codes(check_text(spec_of("m1: [m2]", "m1", "m2"))) == []


def test_a_missing_function_lists_what_the_handler_has() -> None:
    found = one(check_text(spec_of("zzz: []"), "def a(data, context): pass\n\ndef b(data, context): pass\n"), "WF403")
    assert found.help == 'write "def zzz(data, context)" in the handler'
    assert found.notes == ('"handler.py" defines "a", "b"',)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("", "no argument"),
        ("data", "1 argument"),
        ("data, context, more", "3 arguments"),
        ("data, context, more, *rest", "3 arguments"),
    ],
)
def test_functions_that_cannot_be_called_are_shown_where_they_are_written(arguments: str, words: str) -> None:
    checked = check_text(spec_of("f: []"), f"def f({arguments}):\n    pass\n")
    found = one(checked, "WF404")
    assert found.message == f'"f" is called with data and context, and takes {words}'
    assert found.span is not None
    assert found.span.source.name == "handler.py"
    assert shown(checked, "WF404") == ["f", "f"]


@pytest.mark.parametrize(
    "arguments",
    ["data, context", "data, context=None", "data, context, more=1", "*args", "data, *rest", "a, b, /", "a=1, b=2"],
)
def test_functions_that_can_be_called_are_left_alone(arguments: str) -> None:
    assert codes(check_text(spec_of("f: []"), f"def f({arguments}):\n    pass\n")) == []


def test_a_parameter_by_keyword_only_cannot_be_filled() -> None:
    found = one(check_text(spec_of("f: []"), "def f(data, context, *, must):\n    pass\n"), "WF404")
    assert found.message == '"f" is called with data and context, and has a parameter that only a keyword can fill'


def test_functions_that_the_dag_does_not_call_are_nobodys_business() -> None:
    handler = "def f(data, context):\n    pass\n\n\nasync def other():\n    pass\n"
    assert codes(check_text(spec_of("f: []"), handler)) == []


def test_the_guard_against_none_is_asked_for() -> None:
    checked = check_text(spec_of("f: []"), "def f(data, context):\n    return [row['body'] for row in data]\n")
    assert codes(checked) == ["WF405"]
    assert one(checked, "WF405").help == 'begin with "if data is None: return None"'


def test_an_async_function_is_not_also_asked_for_a_guard() -> None:
    assert codes(check_text(spec_of("f: []"), "async def f(data, context):\n    return data[0]\n")) == ["WF406"]


def test_a_model_of_the_same_name_wins_over_the_function() -> None:
    assert codes(check_text(spec_of("f: []", "f"), "def f():\n    pass\n")) == []


def test_a_mistyped_key_is_renamed_with_every_edge_to_it() -> None:
    spec = spec_of("m1: [finsh]\n'finsh': []", "m1")
    checked = check_text(spec, "def finish(data, context):\n    pass\n")
    assert codes(checked) == ["WF403"]
    assert fixed(checked) == spec.replace("finsh", "finish")


@pytest.mark.parametrize(
    "dag",
    [
        "finsh: []\nfinish: [finsh]",  # the right name is there already
        "finsh: [m1]\nm1: [finisch]\nfinisch: []",  # two that may be meant
        'finsh: [m1]\nm1: ["fin\\x73h"]',  # one of the edges is an escape
        "zzzzz: [m1]",
    ],
)
def test_keys_that_may_mean_something_else_are_left_to_people(dag: str) -> None:
    checked = check_text(spec_of(dag, "m1"), "def finish(data, context):\n    pass\n")
    assert all(found.fix == () for found in checked.report if found.code == "WF403")
