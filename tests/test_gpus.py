"""GPUs are counted by what the kernel shows and CUDA's variables hide; folders stand in for /proc, /dev and /sys."""

import ctypes
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from wfctl.gpus import count_gpus, visible
from wfctl.nvml import read_nvml


def _never():
    raise AssertionError("the driver was asked")


@pytest.fixture
def machine(tmp_path: Path):
    """Return a function that writes what a machine shows of its NVIDIA GPUs, and returns its root."""

    def machine(told=(), files=(), *, excluded=(), parted=()) -> Path:
        (tmp_path / "dev").mkdir(exist_ok=True)
        for name in ("nvidiactl", "nvidia-uvm", "null"):
            (tmp_path / "dev" / name).touch()
        for minor in files:
            (tmp_path / "dev" / f"nvidia{minor}").touch()
        for minor, uuid in told:
            folder = tmp_path / f"proc/driver/nvidia/gpus/0000:{minor:02x}:00.0"
            folder.mkdir(parents=True)
            (folder / "information").write_text(
                f"Model: \t\t NVIDIA H100\nGPU UUID: \t {uuid}\nBus Location: \t 0000:{minor:02x}:00.0\n"
                f"Device Minor: \t {minor}\nGPU Excluded:\t {'Yes' if minor in excluded else 'No'}\n"
            )
        for minor in parted:
            (tmp_path / f"proc/driver/nvidia/capabilities/gpu{minor}/mig/gi1").mkdir(parents=True)
        return tmp_path

    return machine


FOUR = tuple((minor, f"GPU-{minor}aaa-{minor}") for minor in range(4))


def test_a_machine_without_gpus_has_none_and_no_driver_is_asked(machine):
    assert count_gpus({}, machine(), _never) == 0


def test_a_root_that_shows_nothing_has_none(tmp_path):
    assert count_gpus({"CUDA_VISIBLE_DEVICES": "0"}, tmp_path / "nowhere", _never) == 0


def test_what_the_kernel_tells_of_is_counted_without_the_driver(machine):
    assert count_gpus({}, machine(FOUR, range(4)), _never) == 4


def test_a_container_counts_what_it_has_device_files_of(machine):
    root = machine(FOUR, (2,))
    assert count_gpus({}, root, _never) == 1
    assert count_gpus({"CUDA_VISIBLE_DEVICES": "GPU-2"}, root, _never) == 1
    assert count_gpus({"CUDA_VISIBLE_DEVICES": "GPU-0"}, root, _never) == 0


def test_an_excluded_gpu_is_not_counted(machine):
    assert count_gpus({}, machine(FOUR, range(4), excluded=(1,)), _never) == 3


@pytest.mark.parametrize(("parted", "count"), [((0,), 3), ((0, 1, 2, 3), 1)])
def test_gpus_divided_into_parts_count_as_one_part_where_there_is_nothing_else(machine, parted, count):
    assert count_gpus({}, machine(FOUR, range(4), parted=parted), _never) == count


@pytest.mark.parametrize(("told", "files", "unknown"), [(FOUR, (), 0), ((), (0, 1, 2), 3)])
def test_the_driver_is_asked_where_the_kernel_does_not_say_enough(machine, told, files, unknown):
    root = machine(told, files)
    assert count_gpus({}, root, lambda: ("GPU-a", "GPU-b")) == 2
    assert count_gpus({"CUDA_VISIBLE_DEVICES": "GPU-b"}, root, lambda: ("GPU-a", "GPU-b")) == 1
    # Without an answer the device files count, which somebody put there on purpose.
    assert count_gpus({}, root, lambda: ()) == unknown


def test_a_board_with_its_gpu_inside_has_one(machine):
    root = machine()
    (root / "dev/nvhost-gpu").touch()
    assert count_gpus({}, root, _never) == 1
    assert count_gpus({"CUDA_VISIBLE_DEVICES": ""}, root, _never) == 0


def test_linux_under_windows_asks_the_driver(machine):
    root = machine()
    (root / "dev/dxg").touch()
    assert count_gpus({}, root, lambda: (None,)) == 1


@pytest.mark.parametrize(
    ("wanted", "count"),
    [
        (None, 4),
        ("", 0),
        ("-1", 0),
        ("0", 1),
        ("3,1", 2),
        (" 0 , 2 ", 2),
        ("0,-1,1", 1),
        ("0,9,1", 1),
        ("0,9,0", 0),
        ("1,1", 0),
        ("1gpu,2ampere", 2),
        ("none", 0),
        ("NoDevFiles", 0),
        ("GPU-1aaa-1", 1),
        ("GPU-1,GPU-3", 2),
        ("GPU-1,GPU-1", 0),
        ("GPU-1,GPU-1aaa", 0),
        ("GPU-", 0),
        ("GPU-0,GPU-nowhere,GPU-1", 1),
        ("GPU-0,1", 1),
        ("0,GPU-1", 1),
        ("MIG-GPU-0aaa-0/1/0", 1),
        ("MIG-11111111-2222,MIG-3333", 1),
    ],
)
def test_what_cuda_does_not_show_is_not_counted(machine, wanted, count):
    environ = {} if wanted is None else {"CUDA_VISIBLE_DEVICES": wanted}
    assert count_gpus(environ, machine(FOUR, range(4)), _never) == count


def test_a_part_needs_a_gpu(machine):
    assert count_gpus({"CUDA_VISIBLE_DEVICES": "MIG-1"}, machine(), _never) == 0


def test_a_name_counts_where_the_kernel_does_not_tell_names(machine):
    root = machine(((0, "GPU-????????-????"), (1, "GPU-????????-????")), (0, 1))
    assert count_gpus({"CUDA_VISIBLE_DEVICES": "GPU-a,GPU-b,GPU-c"}, root, _never) == 2


ITEM = st.one_of(
    st.integers(-2, 6).map(str),
    st.sampled_from(["", " 1", "2x", "x", "GPU-a", "GPU-ab", "GPU-ac", "GPU-b", "GPU-", "GPU-z"]),
)
UUIDS = ("GPU-ab1", "GPU-ac2", "GPU-b3")


@given(items=st.lists(ITEM, min_size=1, max_size=5))
def test_a_list_of_devices_is_read_as_torch_reads_it(items):
    wanted = ",".join(items)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CUDA_VISIBLE_DEVICES", wanted)
        patch.setattr(torch.cuda, "_raw_device_count_nvml", lambda: len(UUIDS))
        patch.setattr(torch.cuda, "_raw_device_uuid_nvml", lambda: list(UUIDS))
        assert len(visible(UUIDS, wanted)) == torch.cuda._device_count_nvml()


@pytest.fixture
def amd(tmp_path):
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/kfd").touch()
    for number, simds in enumerate((0, 304, 304)):
        node = tmp_path / f"sys/class/kfd/kfd/topology/nodes/{number}"
        node.mkdir(parents=True)
        (node / "properties").write_text(
            f"cpu_cores_count {0 if simds else 64}\nsimd_count {simds}\nmem_banks_count 1\n"
        )
    return tmp_path


@pytest.mark.parametrize(
    ("environ", "count"),
    [
        ({}, 2),
        ({"HIP_VISIBLE_DEVICES": "1"}, 1),
        ({"CUDA_VISIBLE_DEVICES": "1"}, 1),
        ({"HIP_VISIBLE_DEVICES": "0,1", "CUDA_VISIBLE_DEVICES": ""}, 2),
        ({"ROCR_VISIBLE_DEVICES": "1"}, 1),
        ({"ROCR_VISIBLE_DEVICES": "1", "HIP_VISIBLE_DEVICES": "1"}, 0),
    ],
)
def test_gpus_of_amd_are_counted_and_the_nodes_that_are_cpus_are_not(amd, environ, count):
    assert count_gpus(environ, amd, _never) == count


def test_gpus_of_amd_that_may_not_be_used_are_not_counted(amd):
    (amd / "sys/class/kfd/kfd/topology/nodes/2/properties").unlink()
    (amd / "sys/class/kfd/kfd/topology/nodes/2/properties").mkdir()  # cannot be read
    assert count_gpus({}, amd, _never) == 1


class Nvml:
    """A management library: what it says of its devices, each a name and whether it is divided; ``None`` is refused."""

    def __init__(self, *devices, start=0, can_be_parted=True):
        self.devices, self.start, self.open = devices, start, 0
        if can_be_parted:
            self.nvmlDeviceGetMigMode = self._mig

    def nvmlInit_v2(self):  # noqa: N802
        self.open += not self.start
        return self.start

    def nvmlShutdown(self):  # noqa: N802
        self.open -= 1

    def nvmlDeviceGetCount_v2(self, count):  # noqa: N802
        count._obj.value = len(self.devices)
        return 0

    def nvmlDeviceGetHandleByIndex_v2(self, number, handle):  # noqa: N802
        handle._obj.value = number + 1
        return 0 if self.devices[number] is not None else 4

    def nvmlDeviceGetUUID(self, handle, text, length):  # noqa: N802
        assert length == ctypes.sizeof(text)
        text.value = self.devices[handle.value - 1][0].encode()
        return 0

    def _mig(self, handle, current, pending):
        is_parted = self.devices[handle.value - 1][1]
        current._obj.value = pending._obj.value = bool(is_parted)
        return 3 if is_parted is None else 0


@pytest.mark.parametrize(
    ("library", "found"),
    [
        (Nvml(), ()),
        (Nvml(("GPU-a", None), ("GPU-b", False)), ("GPU-a", "GPU-b")),
        (Nvml(("GPU-a", True), ("GPU-b", False)), ("GPU-b",)),
        (Nvml(("GPU-a", True), ("GPU-b", True)), (None,)),
        (Nvml(("GPU-a", True), can_be_parted=False), ("GPU-a",)),
        (Nvml(None, ("GPU-b", False)), ("GPU-b",)),
        (Nvml(("GPU-a", False), start=9), ()),
        (object(), ()),
    ],
)
def test_the_library_of_the_vendor_tells_names_and_is_closed_again(library, found):
    assert read_nvml(library) == found
    assert getattr(library, "open", 0) == 0


def test_counting_loads_no_library_and_takes_no_time(machine):
    root = machine(FOUR, range(4))
    program = (
        "import sys, pathlib\nfrom wfctl.gpus import count_gpus\n"
        f"print(count_gpus({{}}, pathlib.Path({str(root)!r})), 'torch' in sys.modules, 'ctypes' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["4", "False", "False"]
    # The best of some: this machine may have other things to do.
    times = []
    for _ in range(20):
        begun = time.perf_counter()
        count_gpus({}, root, _never)
        times.append(time.perf_counter() - begun)
    assert min(times) < 0.005
