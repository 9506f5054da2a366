"""What is read in a handler file without importing it."""

import time
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wfctl.diagnostics.model import SourceText
from wfctl.handler_facts import MAX_CHARACTERS, read_handler_facts


def facts_of(text):
    facts, findings = read_handler_facts(SourceText("handler.py", text))
    assert not findings
    return facts


def test_a_function_is_found_with_its_place_and_its_parameters():
    fact = facts_of("import x\n\n\ndef pre(data, context, more=1):\n    pass\n").functions["pre"]
    assert (fact.span.start.line, fact.span.start.column, fact.span.end.column) == (4, 5, 8)
    assert (fact.required, fact.accepts, fact.is_opaque, fact.is_async) == (2, 3, False, False)


@pytest.mark.parametrize(
    ("parameters", "required", "accepts"),
    [
        ("", 0, 0),
        ("data", 1, 1),
        ("data, /, context", 2, 2),
        ("*args", 0, None),
        ("data, *args, **kwargs", 1, None),
        ("data, context=None", 1, 2),
        ("data, *, context", 2, 1),
        ("data, context, *, log=None", 2, 2),
    ],
)
def test_parameters_are_counted(parameters, required, accepts):
    fact = facts_of(f"def f({parameters}): pass").functions["f"]
    assert (fact.required, fact.accepts) == (required, accepts)


def test_names_are_marked_in_characters_after_other_scripts_and_a_byte_order_mark():
    text = "\ufeffdef größe(data, context): pass\r\né = 'ü'; from m import y as fé\r\n"
    facts = facts_of(text)
    for name, fact in facts.functions.items():
        assert text[fact.span.first : fact.span.beyond] == name
    assert facts.functions["größe"].span.start.column == 5


def test_a_name_that_is_part_of_a_keyword_is_marked_as_a_name():
    fact = facts_of("async def e(data, context): pass").functions["e"]
    assert fact.is_async
    assert fact.span.start.column == 11


@pytest.mark.parametrize(
    "text",
    [
        "import f",
        "from m import f",
        "from m import g as f",
        "f = make()",
        "f = lambda data, context: data",
        "f: object = make()",
        "a, f = make()",
        "if x:\n    def f(data): pass",
        "try:\n    from m import f\nexcept ImportError:\n    f = None",
        "for f in y: pass",
        "with x as f: pass",
        "@wrap\ndef f(data): return data[0]",
        "def f(data): pass\nf = wrap(f)",
    ],
)
def test_names_whose_parameters_are_not_known_are_opaque(text):
    fact = facts_of(text).functions["f"]
    assert fact.is_opaque
    assert fact.guards_none


@pytest.mark.parametrize(
    "text",
    ["f = 1", "f = {}", "class A:\n    def f(self): pass", "def g():\n    f = 1", "def f(): pass\ndel f", "f: int"],
)
def test_what_cannot_be_called_is_no_function(text):
    assert "f" not in facts_of(text).functions


def test_the_last_definition_counts():
    assert facts_of("from m import f\ndef f(data, context): pass\n").functions["f"].required == 2


def test_classes_that_are_defined_here_are_named():
    facts = facts_of("from m import A\nclass B: pass\nif x:\n    class C: pass\nclass D: pass\nD = 1\n")
    assert facts.classes == ("B", "C")


@pytest.mark.parametrize(
    "text", ["from m import *", "def __getattr__(name): pass", "globals()['f'] = 1", "exec('def f(): pass')"]
)
def test_modules_that_may_have_any_name_say_so(text):
    assert facts_of(text).has_star_import


GUARDED = [
    "if data is None:\n        return None\n    return data[0]",
    "if not data: return\n    return data[0]",
    "if data:\n        return data[0]",
    "return data and data[0]",
    "return data[0] if data else None",
    "try:\n        return data[0]\n    except TypeError:\n        return None",
    "data = data or [{}]\n    return data[0]",
    "if data is None: data = []\n    return [row for row in data]",
    "for row in data or []: pass",
    "if context.is_loading: return\n    return data[0]",
    "with suppress(TypeError):\n        return data[0]",
    "return prepare(data)",
    "return [f(data) for x in y]",
    "return lambda: data[0]",
    "def inner(): return data[0]\n    return inner",
    "yield data[0]",
    "while x:\n        return data[0]",
    "print(data)\n    return data.__class__",
    "match data:\n        case None: return\n    return data[0]",
    "pass",
]
UNGUARDED = [
    "return data[0]",
    '"""Say what."""\n    body = data[0].get("data") or data[0].get("body")\n    return [body]',
    "for row in data: pass",
    "return [row['body'] for row in data]",
    "return list(row for row in data)",
    "n = len(data)",
    "print('got', len(data))",
    "with torch.no_grad():\n        return model(data[0])",
    "data.append(1)",
    "first, *rest = data",
    "del data[0]",
    "data[0] = 1",
    "assert data",
    "assert data is not None",
    "if len(data) > 1:\n        return data",
    "if 'x' in data: return",
    "context.seen = True\n    import json\n    return json.loads(data[0])",
    "return f'{data[0]}'",
    "return max(data)",
    "return g(*data)",
    "if context:\n        log()\n    return data[0]",
]


@pytest.mark.parametrize("body", GUARDED)
def test_a_body_that_may_survive_none_is_given_the_benefit(body):
    assert facts_of(f"def f(data, context):\n    {body}\n").functions["f"].guards_none


@pytest.mark.parametrize("body", UNGUARDED)
def test_a_body_that_surely_fails_on_none_is_told(body):
    assert not facts_of(f"def f(data, context):\n    {body}\n").functions["f"].guards_none


class Anything:
    def __getattr__(self, name):
        return lambda *args, **kwargs: self

    def __enter__(self):
        return self

    def __exit__(self, *args):
        return False


@pytest.mark.parametrize("body", UNGUARDED)
def test_what_is_told_to_fail_on_none_does_fail(body):
    space = {"torch": Anything(), "model": print, "log": print, "g": print}
    exec(f"def f(data, context):\n    {body}\n", space)
    with pytest.raises((TypeError, AttributeError, AssertionError)):
        space["f"](None, Anything())


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("def f(:\n", (1, 7)),
        ("é = 'ü' +\n", (1, 10)),
        ("x = 1\n  y = 2\n", (2, None)),
        ("def f():\nx", (2, 1)),
        ("a\0b", (1, 2)),
        ("(" * 100_000, (1, None)),
        ("-" * 100_000 + "1", (1, 1)),
        ("a" + ".a" * 100_000, (1, 1)),
        ("1" + "+1" * 100_000, (1, 1)),
        ("if a: b\n" + "elif a: b\n" * 20_000, (1, 1)),
        ("x = " + "9" * 10_000, (1, None)),
    ],
    ids=range(11),
)
def test_what_is_no_python_is_found_at_its_place(text, place):
    facts, (finding,) = read_handler_facts(SourceText("handler.py", text))
    assert facts is None
    assert finding.code == "WF402"
    start = finding.span.start
    assert (start.line, start.column if place[1] else None) == place


def test_a_handler_over_the_budget_is_refused_at_once():
    started = time.process_time()
    facts, (finding,) = read_handler_facts(SourceText("handler.py", "x=1\n" * (MAX_CHARACTERS // 4 + 1)))
    assert (facts, finding.code) == (None, "WF107")
    assert time.process_time() - started < 1


def test_names_are_placed_in_linear_time_however_long_the_line():
    def spent(count):
        text = ";".join(f"é{number}=y" for number in range(count))
        started = time.process_time()
        fact = facts_of(text).functions[f"é{count - 1}"]
        assert text[fact.span.first : fact.span.beyond] == fact.name
        return time.process_time() - started

    small = spent(1_000)
    assert spent(10_000) < 25 * max(small, 0.02)  # ten times the names; a quadratic step would give a hundred


def test_warnings_of_the_compiler_do_not_leak():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        facts_of('x = "\\d"\nif x is 1: pass\nassert (1, 2)\n')
    assert not caught


@settings(deadline=None, max_examples=150)
@given(st.text(alphabet="def f(a,*):\n \t=lambdx@'\"\\#\0[]{}1.+\ufeffé", max_size=60))
def test_any_text_gives_facts_or_a_finding(text):
    facts, findings = read_handler_facts(SourceText("handler.py", text))
    assert (facts is None) == bool(findings)


@pytest.mark.parametrize(
    "chain", ["data" + ".a" * 900, "1" + " + 1" * 900, "data" + "[0]" * 900, "f(data)" + "()" * 900]
)
def test_a_chain_of_hundreds_of_links_is_no_claim_about_none(chain):
    assert facts_of(f"def f(data, context):\n    return {chain}\n").functions["f"].guards_none
