"""What Ray Serve is told of the nodes of a plan; no Ray is needed to see it."""

from dataclasses import replace

import pytest
from fakes.plans import plan_of

from wfctl.cluster.layout import delay_of, layout_of, most_retries_of, most_runs_of, patience_of
from wfctl.cluster.refusals import refuse_impossible
from wfctl.errors import UnsupportedError
from wfctl.spec.model import WorkerSettings
from wfctl.workflow import NodeKind


def options(plan, name, *, reserves=False):
    return next(each.options for each in layout_of(plan, reserves=reserves) if each.node.name == name)


def changed(plan, name, **more):
    return replace(plan, nodes=tuple(replace(each, **more) if each.name == name else each for each in plan.nodes))


def test_as_many_replicas_as_workers_and_serve_scales_between_two_numbers():
    plan = plan_of("a > b", {"b": WorkerSettings(min_workers=2, max_workers=5, batch_size=4)}, idle_s=30)
    assert options(plan, "a")["num_replicas"] == 1
    scaling = options(plan, "b")["autoscaling_config"]
    assert (scaling["min_replicas"], scaling["max_replicas"], scaling["downscale_delay_s"]) == (2, 5, 30)
    assert scaling["target_ongoing_requests"] == 8
    assert "num_replicas" not in options(plan, "b")


def test_a_replica_is_handed_more_than_one_batch_and_has_time_to_answer_when_it_ends():
    plan = plan_of("a", default=WorkerSettings(batch_size=1000, timeout_ms=60_000))
    assert options(plan, "a")["max_ongoing_requests"] >= 2000
    assert options(plan, "a")["graceful_shutdown_timeout_s"] == 60


def test_resources_are_those_of_the_spec_and_a_model_has_a_processor_where_others_want_one_too():
    plan = changed(plan_of("a > b"), "b", kind=NodeKind.MODEL)
    assert options(plan, "b")["ray_actor_options"] == {"num_cpus": 0, "num_gpus": 0}
    assert options(plan, "b", reserves=True)["ray_actor_options"] == {"num_cpus": 1, "num_gpus": 0}
    assert options(plan, "a", reserves=True)["ray_actor_options"] == {"num_cpus": 0, "num_gpus": 0}
    plan = changed(plan, "b", resources={"num_cpus": 2, "num_gpus": 0.5, "memory": 10**9, "near": 1})
    assert options(plan, "b")["ray_actor_options"] == {
        "num_cpus": 2,
        "num_gpus": 0.5,
        "memory": 10**9,
        "resources": {"near": 1},
    }


def test_a_batch_waits_half_of_the_time_out_at_most_and_one_call_not_at_all():
    slow = WorkerSettings(batch_size=8, max_batch_delay_ms=50_000, timeout_ms=10_000)
    assert delay_of(plan_of("a", default=slow).nodes[0]) == 5.0
    assert delay_of(plan_of("a", default=replace(slow, batch_size=1)).nodes[0]) == 0.0


def test_bounds_of_runs_follow_the_plan():
    settings = {"b": WorkerSettings(batch_size=4, max_workers=3, retry_attempts=12, timeout_ms=2000)}
    plan = plan_of("a > b, a > c, b > d, c > d", settings, default=WorkerSettings(timeout_ms=1000, retry_attempts=1))
    plan = replace(plan, queue_size=20)
    assert most_runs_of(plan) == 21
    assert most_runs_of(changed(plan, "b", queue_size=2)) == 14
    assert most_retries_of(plan) == 12
    assert max(patience_of(plan).values()) == 2 + 13 * 2 + 2


@pytest.mark.parametrize(
    ("more", "key"), [({"asked_devices": (0, 1)}, "deviceIds"), ({"max_retry_timeout_s": 5.0}, "maxRetryTimeoutInSec")]
)
def test_what_ray_cannot_do_is_refused_by_its_key(more, key):
    plan = plan_of("a > b")
    refuse_impossible(plan)
    with pytest.raises(UnsupportedError, match=f'"{key}" of node "b"'):
        refuse_impossible(changed(plan, "b", **more))
