"""What ``check-compat`` says of the fixtures: no refusal of what runs, and no row without a difference."""

import pytest
from fixtures import Fixture, all_fixtures, workflow_of

from wfctl.compat.judge import judge
from wfctl.compat.model import Judged, Stores, Verdict

TOLD = {
    "context_facts": {"WF923"},
    "context_request_processor": {"WF924", "WF925"},
    "entry_async": {"WF406"},
    "entry_missing_dependency": {"WF510"},
    "error_prediction_exception": {"WF927"},
    "main_pickle": {"WF933"},
    "manifest_none": {"WF928"},
    "status_all": {"WF925"},
    "status_per_item": {"WF924"},
    "streaming": {"WF926"},
    "streaming_old_place": {"WF925", "WF926"},
}
"""What a person must hear of a fixture; of all others nothing."""


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Judged]:
    folder = tmp_path_factory.mktemp("judged")
    specs = {each.name: workflow_of(each, folder / each.name) for each in all_fixtures()}
    return {name: judge(spec, Stores(), lambda _: True) for name, spec in specs.items()}


@pytest.mark.parametrize("fixture", all_fixtures(), ids=lambda each: each.name)
def test_rows_are_those_that_a_person_must_hear_of(judged: dict[str, Judged], fixture: Fixture) -> None:
    found = judged[fixture.name]
    assert found.error is None
    assert {row.finding.code for row in found.rows} == TOLD.get(fixture.name, set())


@pytest.mark.parametrize("fixture", all_fixtures(), ids=lambda each: each.name)
def test_what_loads_is_not_refused(judged: dict[str, Judged], fixture: Fixture) -> None:
    assert (judged[fixture.name].verdict is Verdict.UNSUPPORTED) <= ("load" in fixture.ours)


def test_fixtures_that_are_named_are_there() -> None:
    assert TOLD.keys() <= {each.name for each in all_fixtures()}
