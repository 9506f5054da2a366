import io
import logging
import os
import sys

import pytest

from wfctl.handlers.metrics import system_metrics
from wfctl.handlers.metrics.process_memory import check_process_mem_usage, get_cpu_usage


@pytest.fixture
def collected(monkeypatch):
    found: list = []
    monkeypatch.setattr(system_metrics, "system_metrics", found)
    return found


def test_every_figure_of_the_machine_is_collected_and_logged(collected, caplog):
    with caplog.at_level(logging.INFO):
        system_metrics.collect_all(sys.modules["wfctl.handlers.metrics.system_metrics"], 0)
    figures = {each.name: each for each in collected}
    assert figures.keys() == {
        "CPUUtilization",
        "MemoryUsed",
        "MemoryAvailable",
        "MemoryUtilization",
        "DiskUsage",
        "DiskUtilization",
        "DiskAvailable",
    }
    assert all(each.value >= 0 for each in collected)
    assert all(figures[name].value <= 100 for name in figures if name.endswith("Utilization"))
    assert [str(each) for each in figures["DiskUsage"].dimensions] == ["Level:Host"]
    assert "MemoryUsed.Megabytes:" in caplog.text


def test_gpus_are_told_to_be_left_out(collected, caplog):
    system_metrics.gpu_utilization(2)
    assert "GPU" in caplog.text
    assert not collected


def test_the_memory_of_processes_is_logged_by_their_ids(caplog):
    with caplog.at_level(logging.INFO):
        check_process_mem_usage(io.StringIO(f"{os.getpid()},,nobody\n"))
    (mine, complaint, nobody) = caplog.messages
    pid, _, held = mine.partition(":")
    assert int(pid) == os.getpid()
    assert int(held) > 2**20
    assert (complaint, nobody) == ("there is no process nobody to look at", "nobody:0")
    assert get_cpu_usage(2**30) == 0
