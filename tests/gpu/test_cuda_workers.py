"""Workers on real CUDA devices: counted without torch, shared out, and touched by nobody before the worker itself."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from wfctl.archive.mar import write_mar
from wfctl.gpus import count_gpus
from wfctl.service.deployment import Deployment
from wfctl.service.engine_kinds import LocalEngines
from wfctl.service.prepare import Request

ASK_TORCH = "import torch; print(torch.cuda.device_count())"
ASK_US = (
    "import os, sys, time\n"
    "from wfctl.gpus import count_gpus\n"
    "begun = time.perf_counter()\n"
    "count = count_gpus()\n"
    "took = time.perf_counter() - begun\n"
    "files = [os.readlink(f'/proc/self/fd/{fd}') for fd in os.listdir('/proc/self/fd') if os.path.exists(f'/proc/self/fd/{fd}')]\n"
    "print(count, took, 'torch' in sys.modules, any(file.startswith('/dev/nvidia') for file in files))\n"
)

NET = """
import torch

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.line = torch.nn.Linear(2, 2, bias=False)
    def forward(self, x):
        return self.line(x)
"""

# What a worker finds before its first line of user code has done anything, and where its model then computes.
OWN = """
import os
import torch
from ts.torch_handler.base_handler import BaseHandler

def opened():
    names = (f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd"))
    return [os.readlink(name) for name in names if os.path.exists(name)]

EARLY = [
    torch.cuda.is_initialized(),
    torch.cuda._is_in_bad_fork(),
    any(name.startswith("/dev/nvidia") for name in opened()),
]

class Own(BaseHandler):
    def preprocess(self, data):
        return super().preprocess([row["body"] for row in data])
    def inference(self, data):
        out = super().inference(data)
        self.where = str(out.device)
        return out
    def postprocess(self, data):
        late = any(name.startswith("/dev/nvidia") for name in opened())
        gpu = self.context.system_properties["gpu_id"]
        told = {"early": EARLY, "late": late, "gpu": gpu, "where": self.where, "pid": os.getpid()}
        return [{**told, "sums": row} for row in data.tolist()]
"""

# As in most handlers that are not built on ours.
CLASSIC = """
import torch
device = None
def handle(data, context):
    global device
    properties = context.system_properties
    if data is None:
        device = torch.device("cuda:" + str(properties.get("gpu_id")) if torch.cuda.is_available() else "cpu")
        return None
    return [str((torch.ones(2, device=device) * 2).device) for _ in data]
"""


@pytest.fixture(autouse=True)
def cuda():
    assert torch.cuda.is_available(), "these tests need a CUDA device; make test leaves them out"


@pytest.fixture
def flow(tmp_path: Path):
    """Return a function that writes a workflow of one model and returns the request to open it."""

    def flow(*, config: str = "", workers: int = 1, functions: str = "", dag: str = "{m: []}") -> Request:
        folder = tmp_path / "flow"
        folder.mkdir()
        (folder / "workflow.yaml").write_text(
            f"models:\n  m: {{url: m.mar, min-workers: {workers}, max-workers: {workers}, timeout-ms: 60000}}\ndag: {dag}\n"
        )
        (folder / "handler.py").write_text(functions)
        for name, text in {"own.py": OWN, "net.py": NET, "c.yaml": config or "{}\n"}.items():
            (tmp_path / name).write_text(text)
        torch.save({"line.weight": torch.ones(2, 2)}, tmp_path / "w.pt")
        write_mar(
            folder / "m.mar",
            model_name="m",
            handler=tmp_path / "own.py",
            model_file=tmp_path / "net.py",
            serialized_file=tmp_path / "w.pt",
            config_file=tmp_path / "c.yaml",
        )
        return Request(path=folder)

    return flow


def opened(request: Request, lines: list | None = None) -> Deployment:
    return Deployment(
        request, engines=LocalEngines(), on_output=lambda *line: None if lines is None else lines.append(line)
    )


def asked(deployment: Deployment, inputs: int = 64) -> dict[int, dict]:
    """Ask so often that every worker answers, and return what each says of itself."""
    answers = deployment.predict_many([[1.0, 2.0]] * inputs)
    told = [answer.json() for answer in answers]
    assert all(each["sums"] == pytest.approx([3.0, 3.0], rel=1e-2) for each in told)
    return {each["pid"]: each for each in told}


def first_uuid() -> str:
    text = str(torch.cuda.get_device_properties(0).uuid)
    return text if text.startswith("GPU-") else f"GPU-{text}"


@pytest.mark.parametrize(
    "wanted", [None, "0", "", "-1", "0,0", "99", "0,99", "uuid", "beginning of uuid", "GPU-nowhere"]
)
def test_as_many_gpus_are_counted_as_torch_sees(wanted: str | None) -> None:
    environ = {name: value for name, value in os.environ.items() if name != "CUDA_VISIBLE_DEVICES"}
    if wanted is not None:
        lengths = {"uuid": None, "beginning of uuid": 12}
        environ["CUDA_VISIBLE_DEVICES"] = first_uuid()[: lengths[wanted]] if wanted in lengths else wanted
    done = subprocess.run([sys.executable, "-c", ASK_TORCH], env=environ, capture_output=True, text=True, check=True)
    assert count_gpus(environ) == int(done.stdout)


def test_counting_takes_milliseconds_and_neither_torch_nor_the_driver() -> None:
    done = subprocess.run([sys.executable, "-c", ASK_US], capture_output=True, text=True, check=True)
    count, took, has_torch, has_driver = done.stdout.split()
    assert (int(count), has_torch, has_driver) == (torch.cuda.device_count(), "False", "False")
    assert float(took) < 0.05, "the kernel's files did not say enough here, and the driver was asked"


def test_workers_share_the_gpus_and_are_the_first_to_touch_cuda(flow) -> None:
    gpus = torch.cuda.device_count()
    with opened(flow(workers=4)) as deployment:
        told = asked(deployment)
        pids = deployment.engine.statistics().nodes[0].worker_pids
        server = deployment.engine._backend.statistics().fork_server_pid
        files = [str(each.readlink()) for each in Path(f"/proc/{server}/fd").iterdir() if each.exists()]
    assert told.keys() <= set(pids)
    for each in told.values():
        assert each["early"] == [False, False, False]
        assert each["late"], "this test cannot see who has opened the driver"
        assert each["where"] == f"cuda:{each['gpu']}"
        assert 0 <= each["gpu"] < gpus
    if told.keys() == set(pids):
        given = sorted(each["gpu"] for each in told.values())
        assert given == sorted(number % gpus for number in range(4))
    assert not [name for name in files if name.startswith("/dev/nvidia")]


def test_a_model_that_is_for_the_cpu_never_touches_cuda(flow) -> None:
    with opened(flow(config="deviceType: cpu\n")) as deployment:
        (told,) = asked(deployment, 2).values()
    assert (told["gpu"], told["where"], told["late"]) == (None, "cpu", False)


def test_a_list_of_devices_restricts_the_workers(flow) -> None:
    last = torch.cuda.device_count() - 1
    with opened(flow(config=f"deviceIds: [{last}]\n", workers=2)) as deployment:
        assert {each["where"] for each in asked(deployment).values()} == {f"cuda:{last}"}


def test_a_gpu_that_is_not_there_is_said_and_all_are_used(flow) -> None:
    with opened(flow(config="deviceType: gpu\ndeviceIds: [0, 99]\n")) as deployment:
        (said,) = [found.message for found in deployment.report if found.code == "WF513"]
        (told,) = asked(deployment, 2).values()
    assert "has 99, and only GPU" in said
    assert told["where"] == f"cuda:{told['gpu']}"


def test_hidden_gpus_leave_the_model_on_the_cpu_and_that_is_said_where_one_is_asked_for(flow, monkeypatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    lines: list = []
    with opened(flow(config="deviceType: gpu\n"), lines) as deployment:
        (said,) = [found.message for found in deployment.report if found.code == "WF513"]
        (told,) = asked(deployment, 2).values()
    assert "there is none here" in said
    assert (told["gpu"], told["where"]) == (None, "cpu")
    assert not [line for _, _, line in lines if "CUDA" in line]


def test_a_gpu_that_goes_out_of_sight_is_named_by_the_worker(flow, monkeypatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    lines: list = []
    request = Request(path=flow().path, count_gpus=lambda: 1)
    with opened(request, lines) as deployment:
        (told,) = asked(deployment, 2).values()
    assert (told["gpu"], told["where"]) == (0, "cpu")
    (said,) = [line for _, _, line in lines if "CUDA" in line]
    assert said.startswith("GPU 0 was given, but CUDA cannot be used: ")


def test_a_killed_worker_is_replaced_on_its_gpu(flow) -> None:
    with opened(flow()) as deployment:
        ((pid, before),) = asked(deployment, 2).items()
        os.kill(pid, 9)
        ((other, after),) = asked(deployment, 2).items()
    assert other != pid
    assert (after["gpu"], after["early"]) == (before["gpu"], [False, False, False])


def test_handlers_and_functions_that_put_the_number_behind_cuda_find_one(flow) -> None:
    functions = CLASSIC.replace("def handle", "def post")
    with opened(flow(functions=functions, dag="{m: [post]}")) as deployment:
        answer = deployment.predict([1.0, 2.0])
    assert answer.text.startswith("cuda:")
