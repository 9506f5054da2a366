import pytest
from checking import check_text, codes, one, shown, spec_of

from wfctl.check.check import check
from wfctl.check.model import ModelFact, Sources, Surroundings
from wfctl.diagnostics.model import SourceText

DIGEST = "60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752"


def _with_url(url: str, *, more: str = "") -> str:
    return f"models:\n  m1: {{url: '{url}'{more}}}\ndag:\n  m1: []\n"


def _checked_with(spec: str, **facts: ModelFact):
    return check(Sources(spec=SourceText("w.yaml", spec)), Surroundings(models=facts))


def test_the_places_tried_are_listed() -> None:
    places = tuple(f"/srv/{number}" for number in range(20))
    found = one(_checked_with(_with_url("m1.mar"), m1=ModelFact(found=None, places=places)), "WF501")
    assert found.notes == tuple(f"looked in {place}" for place in places[:8])


def test_what_is_found_or_was_not_looked_for_is_fine() -> None:
    assert codes(_checked_with(_with_url("m1.mar"), m1=ModelFact(found="m1.mar"))) == []
    assert codes(_checked_with(_with_url("m1.mar"))) == []
    assert codes(check_text(_with_url("m1.mar"))) == []


def test_a_model_that_the_dag_does_not_use_may_be_missing() -> None:
    spec = spec_of("m1: []", "m1", "m2")
    facts = {"m1": ModelFact(found="m1.mar"), "m2": ModelFact(found=None)}
    assert codes(_checked_with(spec, **facts)) == ["WF307"]


def test_a_refused_url_is_not_also_missing() -> None:
    assert codes(_checked_with(_with_url("../m1.mar"), m1=ModelFact(found=None))) == ["WF602"]


def test_digests_are_compared_whatever_their_case() -> None:
    spec = _with_url("m1.mar", more=f", sha256: {DIGEST.upper()}")
    assert codes(_checked_with(spec, m1=ModelFact(found="x", sha256=DIGEST))) == []
    assert codes(_checked_with(spec, m1=ModelFact(found="x", sha256="0" * 64))) == ["WF504"]
    assert codes(_checked_with(spec, m1=ModelFact(found="x"))) == []


@pytest.mark.parametrize(
    "url", ["https://h/m1.mar", "HTTP://h/m1.mar", "file:///srv/m1.mar", "m1.mar", "m1", "m 1.mar"]
)
def test_public_and_local_urls_are_accepted_unseen(url: str) -> None:
    assert set(codes(check_text(_with_url(url)))) <= {"WF604", "WF605"}


def test_a_secret_is_never_repeated() -> None:
    checked = check_text(_with_url("https://ana:hunter2@h/m1.pt?token=hunter2"))
    assert set(codes(checked)) == {"WF503", "WF603"}
    for found in checked.report:
        assert "hunter2" not in f"{found.message}{found.help}{found.notes}{found.label}"


def test_a_pinned_download_may_come_by_plain_http() -> None:
    assert codes(check_text(_with_url("http://h/m1.mar", more=f", sha256: {DIGEST}"))) == ["WF605"]


def test_bare_weights_are_told_what_to_do() -> None:
    found = one(check_text(_with_url("resnet18.pth")), "WF503")
    assert found.help == "these are bare weights: pack them into a .mar with torch-model-archiver"


def test_a_global_key_below_shows_the_models_it_misses() -> None:
    spec = "models:\n  m1: {url: m1.mar}\n  m2: {url: m2.mar, batch-size: 2}\n  batch-size: 4\n  m3: {url: m3.mar}\ndag:\n  m1: [m2]\n  m2: [m3]\n"
    found = one(check_text(spec), "WF902")
    assert [label.span.start.line for label in found.secondary] == [2]


def test_a_global_delay_is_advised_against_only_where_no_model_batches() -> None:
    spec = "models:\n  max-batch-delay: 100\n  m1: {url: m1.mar}\n  m2: {url: m2.mar%s}\ndag:\n  m1: [m2]\n"
    assert codes(check_text(spec % "")) == ["WF701"]
    assert codes(check_text(spec % ", batch-size: 4")) == []


def test_settings_of_functions_are_advised_on_too() -> None:
    settings = "wfctl:\n  functions:\n    f: {max-batch-delay: 5}\n    g: {batch-size: 4, max-batch-delay: 500, timeout-ms: 100}\n"
    handler = "def f(data, context): pass\ndef g(data, context): pass\n"
    assert codes(check_text(spec_of("f: [g]", more=settings), handler)) == ["WF701", "WF905", "WF702"]


def test_options_of_a_misspelt_node_are_told_the_name_that_was_meant() -> None:
    more = "wfctl:\n  nodes:\n    chrage: {isolate: false}\n"
    assert one(check_text(spec_of("f: [charge]", "charge", more=more)), "WF312").help == 'did you mean "charge"?'
    more = "wfctl:\n  nodes:\n    whatever: {isolate: false}\n"
    expected = "remove the settings, or add the node to the dag"
    assert one(check_text(spec_of("f: [charge]", "charge", more=more)), "WF312").help == expected


def test_options_for_a_name_that_is_itself_misspelt_in_the_dag_are_no_second_fault() -> None:
    more = "wfctl:\n  nodes:\n    chrage: {isolate: false}\n"
    handler = "def f(data, context):\n    return data\n"
    checked = check_text(spec_of("f: [chrage]", "charge", more=more), handler)
    assert [code for code in codes(checked) if code != "WF701"] == ["WF304"]


def test_retries_of_a_node_without_isolation_show_both_settings() -> None:
    spec = "models:\n  m: {url: m.mar, retry-attempts: 2}\ndag:\n  m: []\nwfctl:\n  nodes:\n    m: {isolate: false}\n"
    assert shown(check_text(spec), "WF703") == ["2", "false"]
