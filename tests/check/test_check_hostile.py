"""What somebody hands in on purpose: bounded time, no recursion, printable findings."""

import time
from collections import Counter

import pytest
from checking import check_text, codes, spec_of

from wfctl.check.model import Checked

FUNCTION = "def f(data, context):\n    return data\n"


def _layered(count: int) -> str:
    names = [f"m{number}" for number in range(count)]
    edges = (f"{a}: [{b}]" for a, b in zip(names, [*names[1:], names[0]], strict=True))
    return spec_of("\n".join([*edges][:-1]), *names)


def _timed(spec: str, handler: str | None = None) -> tuple[float, Checked]:
    start = time.process_time()
    checked = check_text(spec, handler)
    return time.process_time() - start, checked


def _at_best(spec: str) -> float:
    """Return the time that a check takes when nothing gets in its way."""
    return min(_timed(spec)[0] for _ in range(3))


def test_thousands_of_nodes_are_checked_in_linear_time() -> None:
    checked = check_text(_layered(4_000))
    assert codes(checked) == []
    assert checked.workflow is not None
    # Five times the nodes; a quadratic step would give twenty-five.
    assert _at_best(_layered(4_000)) < 12 * _at_best(_layered(800))


def test_everything_to_everything_is_a_few_circles() -> None:
    names = [f"m{number}" for number in range(100)]
    both = (f"{name}: [{', '.join(other for other in names if other != name)}]" for name in names)
    found = codes(check_text(spec_of("\n".join(both), *names)))
    assert set(found) == {"WF301"}
    assert len(found) <= 10


def test_two_hundred_nodes_may_all_be_connected() -> None:
    names = [f"m{number}" for number in range(200)]
    forward = (f"{name}: [{', '.join(names[index + 1 :])}]" for index, name in enumerate(names))
    assert check_text(spec_of("\n".join(forward), *names)).workflow is not None


@pytest.mark.parametrize("closed", [False, True])
def test_a_chain_of_many_thousand_names_needs_no_recursion(*, closed: bool) -> None:
    count = 5_000  # Python's own limit is 1,000
    chain = "".join(f"  n{number}: [n{number + 1}]\n" for number in range(count))
    end = f"  n{count}: [n0]\n" if closed else ""
    found = codes(check_text("models: {}\ndag:\n" + chain + end))
    assert sorted(found) == (["WF301", "WF401"] if closed else ["WF401"])


def test_more_names_than_any_spec_has_are_refused_before_the_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wfctl.spec.compose.MAX_VALUES", 2_500)
    chain = "".join(f"  n{number}: [n{number + 1}]\n" for number in range(1_000))
    assert codes(check_text("models: {}\ndag:\n" + chain)) == ["WF108"]


def test_thousands_of_mistyped_names_get_few_guesses_and_all_findings() -> None:
    models = [f"model_{number}" for number in range(1_000)]
    dag = "\n".join(f"{name}: [{name.replace('e', '')}]" for name in models)
    spent, checked = _timed(spec_of(dag, *models), FUNCTION)
    found = [d for d in checked.report if d.code == "WF304"]
    assert len(found) == 1_000
    assert 1 <= sum("did you mean" in (d.help or "") for d in found) <= 100
    assert spent < 20


def test_thousands_of_faults_of_each_kind_are_all_told() -> None:
    circles = "".join(f"  a{number}: [b{number}]\n  b{number}: [a{number}]\n" for number in range(1_500))
    assert Counter(codes(check_text("models: {}\ndag:\n" + circles)))["WF301"] == 1_500
    repeats = spec_of("a: [" + "b, " * 3_000 + "b]", "a", "b")
    assert Counter(codes(check_text(repeats))) == {"WF303": 3_000}
    islands = [f"m{number}" for number in range(1_500)]
    assert Counter(codes(check_text(spec_of("\n".join(f"{name}: []" for name in islands), *islands)))) == {
        "WF306": 1_499
    }


def test_names_with_escapes_markup_and_a_megabyte_come_out_short_and_printable() -> None:
    names = [
        r"\e[2J\e[1;1H",
        "<script>alert(1)</script>",
        r"a\nb\r",
        r"\u202e",
        "x" * 1_000_000,
        "$(id)",
        "{{7*7}}",
    ]
    models = "".join(f'  ? "{name}"\n  : {{url: "{name}.mar"}}\n' for name in names)
    edges = ", ".join(f'"{name}"' for name in names)
    checked = check_text(f"models:\n{models}dag:\n  f: [{edges}, {edges}]\n", FUNCTION)
    assert len(checked.report) > 10
    for found in checked.report:
        for text in (found.message, found.label, found.help or "", *found.notes, *(s.text for s in found.secondary)):
            assert text.isprintable()
            assert len(text) < 700


def test_a_handler_of_many_functions_is_no_burden() -> None:
    handler = "".join(f"def f{number}(data, context): return data\n" for number in range(3_000))
    dag = "\n".join(f"f{number}: [f{number + 1}]" for number in range(2_999))
    assert codes(check_text(spec_of(dag), handler)) == []
