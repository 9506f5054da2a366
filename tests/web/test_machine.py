"""How busy the machine is, from files as kernels write them."""

import os

import pytest

from wfctl.web.watch.machine import Processors, Room, read_disk, read_memory
from wfctl.web.watch.original_metrics import family_text, machine_families

MEMORY = """\
MemTotal:       16000000 kB
MemFree:         1000000 kB
MemAvailable:   12000000 kB
HugePages_Total:       0
"""


def stat(*times: int) -> str:
    return "cpu  " + " ".join(map(str, times)) + "\ncpu0 1 2 3 4\n"


@pytest.fixture
def proc(tmp_path):
    (tmp_path / "stat").write_text(stat(100, 0, 100, 700, 100, 0, 0, 0, 50, 0))
    (tmp_path / "meminfo").write_text(MEMORY)
    return tmp_path


def test_processors_are_judged_by_the_time_since_the_last_look(proc):
    processors = Processors(proc)
    assert processors.percent() == pytest.approx(20.0)  # since the machine started: nothing has passed since
    (proc / "stat").write_text(stat(160, 0, 115, 720, 105, 0, 0, 0, 99, 0))  # 75 busy, 25 idle; guests count once
    assert processors.percent() == pytest.approx(75.0)
    assert processors.percent() == pytest.approx(75.0)  # within one tick nothing new is known


@pytest.mark.parametrize("text", ["", "cpu\n", "cpu one two\n", "cpu 1 2 3\n"])
def test_what_the_kernel_does_not_tell_is_not_guessed(tmp_path, text):
    processors = Processors(tmp_path)  # nothing there at all
    (tmp_path / "stat").write_text(text)
    (tmp_path / "meminfo").write_text(text)
    assert processors.percent() is None
    assert read_memory(tmp_path) is None
    assert read_memory(tmp_path / "nowhere") is None
    assert read_disk(str(tmp_path / "nowhere")) is None


def test_a_machine_that_tells_nothing_has_no_metrics():
    assert machine_families(None, None, None, "h") == []


def test_memory_in_use_is_what_no_program_could_get(proc):
    room = read_memory(proc)
    assert room == Room(used=4_000_000 * 1024, available=12_000_000 * 1024)
    assert room.percent == pytest.approx(25.0)


def test_the_disk_is_that_of_the_kernel(tmp_path):
    room, disk = read_disk(str(tmp_path)), os.statvfs(tmp_path)
    assert room.used + disk.f_bfree * disk.f_frsize == disk.f_blocks * disk.f_frsize
    assert 0 <= room.percent <= 100


def test_a_disk_without_room_is_not_divided_by():
    assert Room(used=0, available=0).percent == 0


def test_the_real_files_can_be_read():
    memory, percent = read_memory(), Processors().percent()
    assert memory.used > 0
    assert 0 <= percent <= 100


def test_they_are_told_in_the_units_of_the_original():
    memory, disk = Room(used=3 << 20, available=1 << 20), Room(used=1 << 30, available=3 << 30)
    text = "".join(map(family_text, machine_families(12.5, memory, disk, "h")))
    assert text.splitlines()[:3] == [
        "# HELP CPUUtilization Torchserve prometheus gauge metric with unit: Percent",
        "# TYPE CPUUtilization gauge",
        'CPUUtilization{Level="Host",Hostname="h",} 12.5',
    ]
    assert [line.split("{")[0] + line.split("}")[1] for line in text.splitlines() if not line.startswith("#")] == [
        "CPUUtilization 12.5",
        "MemoryUsed 3.0",
        "MemoryAvailable 1.0",
        "MemoryUtilization 75.0",
        "DiskUsage 1.0",
        "DiskUtilization 25.0",
        "DiskAvailable 3.0",
    ]
    assert [line.rsplit(" ", 1)[1] for line in text.splitlines() if line.startswith("# HELP")] == [
        *("Percent", "Megabytes", "Megabytes", "Percent", "Gigabytes", "Percent", "Gigabytes")
    ]
