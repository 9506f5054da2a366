"""From what archives say of workers and GPUs to a plan for this machine, whose GPUs are said by a stand-in."""

import json
import os

import pytest

from wfctl.archive.mar import write_mar
from wfctl.plan import Processors, devices_for, make_plan
from wfctl.service.deployment import Deployment
from wfctl.service.engine_kinds import LocalEngines, engines_named
from wfctl.service.prepare import Request, prepare
from wfctl.spec.model_config import ModelConfig, read_model_config

TELLS = (
    "import json\ndef handle(data, context):\n    return data and [json.dumps(context.system_properties['gpu_id'])]\n"
)


@pytest.fixture
def packed(workflow, tmp_path):
    """Return a function that writes a workflow of models, each with the text of its configuration or none."""

    def packed(*, functions: str = "", dag: str | None = None, handler: str = TELLS, more: str = "", **configs):
        lines = "".join(f"  {name}: {{url: {name}.mar}}\n" for name in configs)
        chain = dag or "".join(f"  {name}: []\n" for name in configs)
        folder = workflow(f"models:\n{lines}dag:\n{chain}{more}" if configs else f"dag:\n{chain}{more}", functions)
        (tmp_path / "h.py").write_text(handler)
        for name, text in configs.items():
            (tmp_path / f"{name}.yaml").write_text(text)
            config = tmp_path / f"{name}.yaml" if text else None
            write_mar(folder / f"{name}.mar", model_name=name, handler=tmp_path / "h.py", config_file=config)
        return folder

    return packed


def planned(folder, gpus):
    """Return the nodes of the plan by name, the findings about GPUs, and how often the GPUs were counted."""
    asked = []

    def count():
        asked.append(gpus)
        return gpus

    prepared = prepare(Request(path=folder, count_gpus=count))
    prepared.remove()
    said = [found.message for found in prepared.report if found.code == "WF513"]
    return {node.name: node for node in prepared.plan.nodes}, said, len(asked)


@pytest.mark.parametrize(
    ("config", "gpus", "devices"),
    [
        ("", 0, ()),
        ("", 3, (0, 1, 2)),
        ("deviceType: gpu\n", 2, (0, 1)),
        ("deviceType: gpu\n", 0, ()),
        ("deviceType: cpu\n", 2, ()),
        ("deviceType: cpu\ndeviceIds: [0]\n", 2, ()),
        ("deviceIds: [1]\n", 2, (1,)),
        ("deviceIds: [1, 0]\n", 4, (1, 0)),
        ("deviceIds: []\n", 2, (0, 1)),
        ("deviceIds: [0, 2]\n", 2, (0, 1)),
        ("deviceIds: [-1]\n", 2, (0, 1)),
        ("deviceIds: [0]\n", 0, ()),
        ("deviceType: tpu\n", 1, (0,)),
    ],
)
def test_the_gpus_of_a_node_are_those_its_archive_allows(packed, config, gpus, devices):
    nodes, _, _ = planned(packed(m=config), gpus)
    assert nodes["m"].devices == devices


@pytest.mark.parametrize(
    ("config", "gpus", "said"),
    [
        ("deviceType: gpu\n", 1, []),
        ("deviceType: cpu\ndeviceIds: [7]\n", 0, []),
        ("deviceIds: []\n", 0, []),
        (
            "deviceType: gpu\n",
            0,
            [
                '"deviceType" in "m.yaml" of model "m" asks for a GPU, and there is none here: its workers run on the CPU,'
            ],
        ),
        (
            "deviceType: gpu\ndeviceIds: [0]\n",
            0,
            ['"deviceType", "deviceIds" in "m.yaml" of model "m" ask for a GPU, '],
        ),
        ("deviceIds: [0, 3, 3, -1]\n", 2, ['"deviceIds" in "m.yaml" of model "m" has 3, -1, and only GPUs 0 to 1 are']),
        ("deviceIds: [1]\n", 1, ['"deviceIds" in "m.yaml" of model "m" has 1, and only GPU 0 is here: the whole list']),
    ],
)
def test_gpus_that_are_not_there_are_said_at_a_run(packed, config, gpus, said):
    _, found, _ = planned(packed(m=config), gpus)
    assert [text.startswith(words) for text, words in zip(found, said, strict=True)] == [True] * len(said)


def test_gpus_are_counted_once_for_all_models(packed):
    assert planned(packed(a="", b="", dag="  a: [b]\n"), 1)[2] == 1


@pytest.mark.parametrize(
    ("functions", "asked"),
    [
        ("def pre(data, context): return data\n", 0),
        ("import torch\ndef pre(data, context): return data\n", 1),
        ("def pre(data, context): return [context.system_properties['gpu_id']]\n", 1),
    ],
)
def test_functions_that_surely_use_no_gpu_have_none_counted(packed, functions, asked):
    nodes, _, count = planned(packed(functions=functions, dag="  pre: []\n"), 2)
    assert (nodes["pre"].devices, count) == ((0, 1) if asked else (), asked)


def test_the_timeouts_of_an_archive_stand_in_the_plan(packed):
    folder = packed(a="responseTimeout: 7\nmaxRetryTimeoutInSec: 0\n", b="", dag="  a: [b]\n")
    nodes, _, _ = planned(folder, 0)
    assert [(each.response_timeout_s, each.max_retry_timeout_s) for each in nodes.values()] == [(7, 0), (None, None)]


@pytest.mark.parametrize(
    ("config", "processors", "workers"),
    [
        ("minWorkers: 1\nmaxWorkers: 4\n", Processors(cores=8), (1, 4)),
        ("minWorkers: 1\nmaxWorkers: 1000000000\n", Processors(cores=8), (1, 8)),
        ("minWorkers: 6\nmaxWorkers: 12\n", Processors(cores=2), (6, 6)),
        ("minWorkers: 2\nmaxWorkers: 2\n", Processors(cores=8), (2, 2)),
        ("minWorkers: 1\nmaxWorkers: 64\n", Processors(cores=32, gpus=4), (1, 4)),
        ("minWorkers: 1\nmaxWorkers: 64\ndeviceIds: [0, 0, 1]\n", Processors(cores=32, gpus=4), (1, 2)),
        ("minWorkers: 1\nmaxWorkers: 64\ndeviceType: cpu\n", Processors(cores=32, gpus=4), (1, 32)),
        ("maxWorkers: 64\n", Processors(cores=32), (1, 1)),
    ],
)
def test_the_most_workers_of_an_archive_are_taken_as_far_as_there_are_processors(packed, config, processors, workers):
    from wfctl.spec.source import read_mapping

    folder = packed(m=config)
    prepared = prepare(Request(path=folder))
    prepared.remove()
    (node,) = prepared.plan.nodes
    plan = make_plan(
        _workflow_of(folder),
        name="flow",
        code={"m": node.code},
        configs={"m": read_model_config(read_mapping(config))},
        processors=processors,
    )
    settings = plan.nodes[0].settings
    assert (settings.min_workers, settings.max_workers) == workers


def _workflow_of(folder):
    from wfctl.archive.read_sources import read_sources
    from wfctl.check.check import check

    return check(read_sources(folder).sources).workflow


def test_this_machines_cores_bound_what_an_archive_leaves_open(packed):
    nodes, _, _ = planned(packed(m="minWorkers: 1\nmaxWorkers: 100000\n"), 0)
    assert nodes["m"].settings.max_workers == len(os.sched_getaffinity(0))


def test_the_specs_own_numbers_of_workers_are_the_users_word(packed):
    folder = packed(m="", more="")
    text = (folder / "workflow.yaml").read_text().replace("url: m.mar", "url: m.mar, max-workers: 500")
    (folder / "workflow.yaml").write_text(text)
    nodes, _, _ = planned(folder, 0)
    assert nodes["m"].settings.max_workers == 500


def test_a_configuration_that_says_nothing_allows_every_gpu():
    assert devices_for(ModelConfig(), 2) == (0, 1)


JOIN = (
    "import json\n"
    "def handle(data, context):\n"
    "    gpu = context.system_properties['gpu_id']\n"
    "    return data and [json.dumps([*json.loads(row['body']), gpu]) for row in data]\n"
)


@pytest.mark.parametrize("inline", [False, True])
def test_models_behind_each_other_sit_on_different_gpus(packed, inline):
    functions = "def pre(data, context):\n    return data and [[context.system_properties['gpu_id']]]\n"
    folder = packed(functions=functions, dag="  pre: [a]\n  a: [b]\n  b: [c]\n", handler=JOIN, a="", b="", c="")
    request = Request(path=folder, count_gpus=lambda: 2)
    with Deployment(request, engines=engines_named("local", inline=inline), on_output=lambda *_: None) as flow:
        assert json.loads(flow.predict(b"x").body) == [0, 0, 1, 0]


def test_a_base_handler_says_what_is_missing_and_runs_on_the_cpu(packed, tmp_path, monkeypatch):
    import torch

    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")  # also where there is a GPU
    (tmp_path / "net.py").write_text("import torch\nclass Net(torch.nn.Identity):\n    pass\n")
    folder = packed(m="")
    handler = tmp_path / "own.py"
    handler.write_text(
        "from ts.torch_handler.base_handler import BaseHandler\n"
        "class Own(BaseHandler):\n"
        "    def handle(self, data, context):\n"
        "        return [[str(self.device), self.map_location, context.system_properties['gpu_id']] for _ in data]\n"
    )
    write_mar(folder / "m.mar", model_name="m", handler=handler, model_file=tmp_path / "net.py", overwrite=True)
    lines = []
    request = Request(path=folder, count_gpus=lambda: 2)
    with Deployment(request, engines=LocalEngines(), on_output=lambda *line: lines.append(line)) as flow:
        assert json.loads(flow.predict(b"x").body) == ["cpu", "cpu", 0]
    (said,) = [line for _, _, line in lines if "GPU" in line]
    missing = "CUDA is missing: torch" if torch.version.cuda is None else "CUDA cannot be used: "
    assert said.startswith(f"GPU 0 was given, but {missing}")
    assert said.endswith("; the model computes on the CPU")
