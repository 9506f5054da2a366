"""GPUs are shared out: first the rule by itself, then real workers on a machine that is said to have two."""

import asyncio
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from fakes.loops import on_a_loop
from local_workers import Remembering, call, plan_of, write_node

from wfctl.engine.backend import WorkerId
from wfctl.engine.devices import DeviceShares
from wfctl.engine.engine import open_engine
from wfctl.engine.inline import InlineBackend
from wfctl.engine.local.backend import LocalBackend
from wfctl.plan import CodeUnit, NodePlan
from wfctl.spec.model import WorkerSettings
from wfctl.workflow import NodeKind


def node(name="m", devices=(0, 1), kind=NodeKind.MODEL) -> NodePlan:
    return NodePlan(
        name=name,
        kind=kind,
        model_name=name,
        settings=WorkerSettings(),
        parents=(),
        children=(),
        code=CodeUnit(model_dir="", handler="", manifest=None),
        devices=devices,
    )


class Workers:
    """Start workers by number and see what each gets."""

    def __init__(self):
        self.shares, self.last = DeviceShares(), 0

    def start(self, *nodes):
        found = []
        for each in nodes:
            share = self.shares.next_for(each)
            self.last += 1
            self.shares.hold(self.last, share)
            found.append(None if share is None else share.gpu)
        return found

    def lose(self, *workers):
        for each in workers:
            self.shares.give_back(each)


@pytest.fixture
def workers():
    return Workers()


@pytest.mark.parametrize(
    ("devices", "given"),
    [((), [None] * 4), ((0,), [0] * 4), ((0, 1), [0, 1, 0, 1]), ((2, 0, 3), [2, 0, 3, 2]), ((0, 0, 1), [0, 1, 0, 1])],
)
def test_the_workers_of_a_node_take_turns(workers, devices, given):
    assert workers.start(*[node(devices=devices)] * 4) == given


def test_no_gpu_is_the_first_of_every_node(workers):
    assert workers.start(node("a"), node("b"), node("c"), node("d")) == [0, 1, 0, 1]


def test_nodes_with_a_choice_stay_off_the_gpu_of_one_that_has_none(workers):
    assert workers.start(node("bound", (0,)), node("free"), node("free")) == [0, 1, 0]
    assert workers.start(node("other", (0, 1, 2))) == [2]


def test_functions_know_a_number_and_are_no_load(workers):
    pre, post = node("pre", kind=NodeKind.FUNCTION), node("post", kind=NodeKind.FUNCTION)
    assert workers.start(pre, node("a"), node("b"), post, node("c")) == [0, 0, 1, 0, 0]


@pytest.mark.parametrize("lost", [1, 2, 3, 4])
def test_a_replacement_gets_what_the_lost_worker_had(workers, lost):
    before = workers.start(*[node()] * 4)
    workers.lose(lost)
    assert workers.start(node()) == [before[lost - 1]]


def test_all_replacements_together_get_what_the_lost_ones_had(workers):
    workers.start(*[node(devices=(0, 1, 2))] * 6)
    workers.lose(2, 5, 3)
    assert sorted(workers.start(*[node(devices=(0, 1, 2))] * 3)) == [1, 1, 2]


def test_giving_back_nothing_is_harmless(workers):
    workers.start(node(devices=()))
    workers.lose(1, 1, 99)
    assert repr(workers.shares) == "DeviceShares([])"
    workers.start(node(devices=(3,)))
    assert repr(workers.shares) == "DeviceShares([('m', 3)])"


TELLS = """
import json, os
def handle(data, context):
    gpu = context.system_properties["gpu_id"]
    return data and [json.dumps([os.getpid(), gpu, os.environ.get("CUDA_VISIBLE_DEVICES")]) for _ in data]
"""


async def _told(backend, told, workers):
    for worker in workers:
        backend.send_calls(WorkerId(worker), [call(worker)])
    return [json.loads((await told.answer(worker)).body)[1] for worker in workers]


@on_a_loop
async def test_four_workers_on_two_gpus_see_0_1_0_1_in_their_context(tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-x,GPU-y")
    model = replace(write_node(tmp_path, TELLS, "m", NodeKind.MODEL), devices=(0, 1))
    backend, told = LocalBackend(), Remembering()
    try:
        await backend.open(plan_of(model), told)
        await asyncio.gather(*(backend.start_worker("m", WorkerId(number)) for number in (1, 2, 3, 4)))
        assert await _told(backend, told, (1, 2, 3, 4)) == [0, 1, 0, 1]
        backend.kill_worker(WorkerId(2))
        assert (await told.loss())[0] == 2
        await backend.start_worker("m", WorkerId(5))
        assert await _told(backend, told, (5,)) == [1]
        # The user's choice of devices is left alone: handlers say "cuda:" and the number.
        assert json.loads(told.answers[5].body)[2] == "GPU-x,GPU-y"
    finally:
        await backend.close()


@on_a_loop
async def test_a_worker_that_does_not_load_leaves_its_gpu_to_the_next(tmp_path):
    first = (
        "import os\nif not os.path.exists('seen'):\n    open('seen', 'w').close()\n    raise ValueError('not yet')\n"
    )
    model = replace(write_node(tmp_path, first + TELLS, "m", NodeKind.MODEL), devices=(0, 1))
    backend, told = LocalBackend(), Remembering()
    try:
        await backend.open(plan_of(model), told)
        with pytest.raises(Exception, match="not yet"):
            await backend.start_worker("m", WorkerId(1))
        await backend.start_worker("m", WorkerId(2))
        assert await _told(backend, told, (2,)) == [0]
    finally:
        await backend.close()


@on_a_loop
async def test_without_gpus_the_context_says_none(tmp_path):
    backend, told = LocalBackend(), Remembering()
    try:
        await backend.open(plan_of(write_node(tmp_path, TELLS, "m", NodeKind.MODEL)), told)
        await backend.start_worker("m", WorkerId(1))
        assert await _told(backend, told, (1,)) == [None]
    finally:
        await backend.close()


@on_a_loop
async def test_inline_nodes_share_the_gpus_too(tmp_path):
    nodes = [replace(write_node(tmp_path, TELLS, name, NodeKind.MODEL), devices=(0, 1)) for name in ("a", "b")]
    backend, told = InlineBackend(), Remembering()
    await backend.open(plan_of(*nodes), told)
    await backend.start_worker("a", WorkerId(1))
    await backend.start_worker("b", WorkerId(2))
    assert await _told(backend, told, (1, 2)) == [0, 1]
    backend.kill_worker(WorkerId(1))
    await told.loss()
    await backend.start_worker("a", WorkerId(3))
    assert await _told(backend, told, (3,)) == [0]
    await backend.close()


UNTOUCHED = """
import json, os, sys
def opened_devices():
    names = (f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd"))
    return [place for place in (os.readlink(name) for name in names if os.path.exists(name)) if "/dev/nvidia" in place]
if "torch" in sys.modules:
    import torch
    early = [torch.cuda.is_initialized(), torch.cuda._is_in_bad_fork()]
else:
    early = None
maps = open("/proc/self/maps").read()
# Torch that is built for CUDA brings libcuda.so along as it is imported: what counts is whether anybody has called it.
driver = sorted({name for name in ("libnvidia-ml", "/dev/nvidia") if name in maps} | {*opened_devices()})
def handle(data, context):
    if data:
        return [json.dumps({"early": early, "driver": driver}) for _ in data]
"""


def opened_devices(pid: int) -> list[str]:
    """Return the files of NVIDIA's driver that a process has open: whoever has called cuInit has some."""
    places = []
    for each in Path(f"/proc/{pid}/fd").iterdir():
        try:
            places.append(str(each.readlink()))
        except FileNotFoundError:  # closed meanwhile
            continue
    return [place for place in places if place.startswith(("/dev/nvidia", "/dev/kfd"))]


@on_a_loop
async def test_neither_the_fork_server_nor_a_new_worker_has_touched_cuda(tmp_path):
    model = replace(write_node(tmp_path, UNTOUCHED, "m", NodeKind.MODEL), devices=(0,))
    backend, told = LocalBackend(), Remembering()
    before = opened_devices(os.getpid())  # where there is a GPU, by other tests
    async with open_engine(plan_of(model), backend, on_output=told.worker_printed) as engine:
        result = await engine.run(call(1).parts)
        assert json.loads(result.body) == {"early": [False, False], "driver": []}
        assert opened_devices(backend.statistics().fork_server_pid) == []
        assert opened_devices(os.getpid()) == before
