import subprocess
import sys

from checking import check_text, codes, fixed, one, spec_of
from hypothesis import given
from hypothesis import strategies as st

from wfctl.check.check import check
from wfctl.check.model import ModelFact, Sources, Surroundings
from wfctl.diagnostics.catalog import RULES
from wfctl.diagnostics.model import Severity, SourceText

PREPARE = "def prepare(data, context):\n    return data\n"


def test_a_sound_workflow_is_assembled_parents_first() -> None:
    checked = check_text(
        spec_of("finish: []\nprepare: [m1]\nm1: [finish]", "m1"), PREPARE + PREPARE.replace("prepare", "finish")
    )
    assert not checked.report
    assert checked.workflow is not None
    assert [node.name for node in checked.workflow] == ["prepare", "m1", "finish"]


def test_an_unsound_workflow_keeps_its_graph_for_drawing() -> None:
    checked = check_text(spec_of("m1: [m2]\nm2: [m1]", "m1", "m2"))
    assert checked.workflow is None
    assert checked.spec is not None
    assert checked.dag is not None
    assert checked.dag.children["m2"] == ("m1",)


def test_warnings_and_notes_do_not_stop_the_assembly() -> None:
    checked = check_text(spec_of("m1: [m2, m3]", "m1", "m2", "m3", "spare"))
    assert codes(checked) == ["WF307", "WF903"]
    assert checked.workflow is not None


def test_a_broken_spec_still_lets_the_handler_be_read() -> None:
    assert codes(check_text("dag: [", "def f(:\n")) == ["WF402", "WF102"]


def test_a_broken_handler_silences_what_needs_it_and_nothing_else() -> None:
    checked = check_text(spec_of("prepare: [m1, nowhere]\nm1: [m1]", "m1"), "def prepare(:\n")
    assert codes(checked) == ["WF402", "WF302"]


def test_edges_that_could_not_be_read_accuse_nobody() -> None:
    checked = check_text(spec_of("m1: {m2: m3}", "m1", "m2", "m3"))
    assert codes(checked) == ["WF201"]


def test_a_wrong_type_elsewhere_hides_nothing() -> None:
    wrong_model = "dag:\n  m1: []\nmodels:\n  m1: {url: m1.mar, batch-size: x}\n  m2: {url: m2.mar}\n"
    assert codes(check_text(wrong_model)) == ["WF201", "WF307"]


def test_a_single_target_without_brackets_is_one_finding() -> None:
    assert codes(check_text(spec_of("m1: m2\nm2: m3", "m1", "m2", "m3"))) == ["WF201", "WF201"]


def test_compat_lowers_what_torchserve_tolerates_and_assembles() -> None:
    spec = "models:\n  m1: {url: m1.mar, batch-sise: 4}\n  dag: {url: m2.mar}\ndag:\n  m1: [dag]\n  dag: []\n"
    strict, compat = check_text(spec), check_text(spec, compat=True)
    assert codes(strict) == codes(compat) == ["WF203", "WF309"]
    assert strict.workflow is None
    assert compat.workflow is not None
    assert {d.severity for d in strict.report} == {Severity.ERROR}
    assert {d.severity for d in compat.report} == {Severity.WARNING}


def test_compat_lowers_nothing_else() -> None:
    checked = check_text(spec_of("m1: [m2, m2]", "m1", "m2"), compat=True)
    assert one(checked, "WF303").severity is Severity.ERROR
    assert checked.workflow is None


def test_the_report_is_the_same_on_every_run() -> None:
    spec = spec_of("m1: [m2, m9]\nm2: [m1]\nx: [y]\ny: [m3]", "m1", "m2", "m3", "m4")
    first = check_text(spec, PREPARE).report
    assert all(check_text(spec, PREPARE).report == first for _ in range(3))
    places = [d.span.start.offset for d in first if d.span and d.span.source.name == "workflow.yaml"]
    assert places == sorted(places)


def test_all_safe_edits_together_leave_a_workflow_without_their_findings() -> None:
    spec = spec_of('prepare: [detct, detct]\ndetect: [finish, "finish"]', "detect")
    handler = PREPARE + "def finish(data, context):\n    return data\n"
    checked = check_text(spec, handler)
    assert codes(checked) == ["WF304", "WF303", "WF303"]
    assert codes(check_text(fixed(checked), handler)) == []


def test_a_handler_that_was_looked_for_is_named() -> None:
    spec = SourceText("w.yaml", spec_of("prepare: [m1]", "m1"))
    found = one(check(Sources(spec=spec, handler_wanted="steps.py")), "WF401")
    assert found.message == 'the dag calls "prepare", and the handler file "steps.py" is not there'
    assert codes(check(Sources(spec=SourceText("w.yaml", spec_of("m1: []", "m1")), handler_wanted="steps.py"))) == []


def test_a_check_imports_neither_torch_nor_the_handler(tmp_path) -> None:
    program = (
        "import sys\n"
        "from wfctl.check.check import check\n"
        "from wfctl.check.model import Sources\n"
        "from wfctl.diagnostics.model import SourceText\n"
        f"spec = SourceText('w.yaml', {spec_of('prepare: [m1]', 'm1')!r})\n"
        "handler = SourceText('handler.py', 'import socketserver\\nopen(\"touched\", \"w\")\\ndef prepare(d, c): return d')\n"
        "checked = check(Sources(spec=spec, handler=handler))\n"
        "assert checked.workflow is not None, checked.report\n"
        "assert not {'torch', 'rich', 'click', 'socketserver'} & sys.modules.keys()\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=tmp_path)
    assert list(tmp_path.iterdir()) == []


NAMES = st.sampled_from(["a", "b", "c", "d", "e", "prepare"])


@given(st.dictionaries(NAMES, st.lists(NAMES, max_size=4), min_size=1), st.booleans())
def test_any_graph_is_either_assembled_or_refused_with_a_reason(dag: dict[str, list[str]], many: bool) -> None:
    lines = "\n".join(f"{name}: [{', '.join(targets)}]" for name, targets in dag.items())
    more = "wfctl: {entries: many}\n" if many else ""
    checked = check_text(spec_of(lines, "a", "b", "c", more=more), PREPARE)
    assert (checked.workflow is None) == checked.report.has_errors
    assert set(codes(checked)) <= RULES.keys()
    if checked.workflow is not None:
        assert many or len(checked.workflow.entries) == 1
        seen: set[str] = set()
        for node in checked.workflow:
            assert seen.issuperset(node.parents)
            seen.add(node.name)


def test_what_lies_around_may_be_gathered_once_the_spec_is_read() -> None:
    seen = []

    def look(spec):
        seen.append(list(spec.models))
        return Surroundings(models={"m1": ModelFact(found=None, places=("here",))})

    spec = SourceText("w.yaml", spec_of("m1: []", "m1"))
    assert codes(check(Sources(spec=spec), look=look)) == ["WF501"]
    assert codes(check(Sources(spec=SourceText("w.yaml", "dag: [")), look=look)) == ["WF102"]
    assert seen == [["m1"]]
