"""The original's metrics under the original's names, in the original's own text.

Pure. The library for this format would call ``Requests2XX`` ``Requests2XX_total`` and writes no comma behind the last
label, by which clients of the original find their values. Source: ``ts/configs/metrics.yaml`` and the answers of a
server of the original.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import isfinite, isnan
from typing import Final

from wfctl.web.watch.machine import Room
from wfctl.web.watch.tallies import Tallies

NAMES: Final = frozenset(
    {
        *("Requests2XX", "Requests4XX", "Requests5XX"),
        *("ts_inference_requests_total", "ts_inference_latency_microseconds", "ts_queue_latency_microseconds"),
        *("QueueTime", "WorkerThreadTime", "WorkerLoadTime"),
        *("CPUUtilization", "MemoryUsed", "MemoryAvailable", "MemoryUtilization"),
        *("DiskUsage", "DiskUtilization", "DiskAvailable"),
        *("GPUMemoryUtilization", "GPUMemoryUsed", "GPUUtilization"),
    }
)
"""What the server itself tells, or the original's does; those that handlers report are not among them."""

_US = 1e6
_MS = 1e3
_MB = 1 << 20
_GB = 1 << 30


class Kind(StrEnum):
    """A type of metric."""

    COUNTER = "counter"
    GAUGE = "gauge"


class Unit(StrEnum):
    """A unit by the original's name for it; its megabytes and gigabytes are powers of two."""

    COUNT = "Count"
    MICROSECONDS = "Microseconds"
    MILLISECONDS = "Milliseconds"
    PERCENT = "Percent"
    MEGABYTES = "Megabytes"
    GIGABYTES = "Gigabytes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """One metric with all its samples."""

    name: str
    kind: Kind
    unit: Unit
    samples: tuple[tuple[Mapping[str, str], float], ...]
    """Labels in the order in which they are written, and the value."""


def family_text(family: Family) -> str:
    """Return a metric in the text format 0.0.4, as the original writes it."""
    samples = (sample_text(family.name, labels, value) for labels, value in family.samples)
    return head_text(family.name, family.kind, family.unit) + "".join(samples)


def head_text(name: str, kind: str, unit: str) -> str:
    """Return the two lines that stand before the samples of a metric; ``unit`` holds no line end."""
    shown = unit.replace("\\", r"\\")
    return f"# HELP {name} Torchserve prometheus {kind} metric with unit: {shown}\n# TYPE {name} {kind}\n"


def sample_text(name: str, labels: Mapping[str, str], value: float) -> str:
    """Return the line of one sample, with the comma behind the last label."""
    pairs = "".join(f'{label}="{_escaped(each)}",' for label, each in labels.items())
    number = repr(float(value)) if isfinite(value) else "NaN" if isnan(value) else "+Inf" if value > 0 else "-Inf"
    return f"{name}{{{pairs}}} {number}\n"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def request_families(tallies: Tallies, hostname: str) -> list[Family]:
    """Return what is counted at requests.

    Responses that neither succeed nor fail (1xx, 3xx) are in none of the three; the original took them for failures
    of the server.
    """
    host = _host(hostname)
    families = [
        Family(
            name=f"Requests{hundreds}XX",
            kind=Kind.COUNTER,
            unit=Unit.COUNT,
            samples=((host, tallies.responses[hundreds]),),
        )
        for hundreds in (2, 4, 5)
    ]
    counted = [
        (
            {"model_name": name, "model_version": version or "default", "hostname": hostname},
            (tally.requests, tally.took_s * _US, tally.queued_s * _US),
        )
        for (name, version), tally in sorted(tallies.versions.items(), key=lambda each: (each[0][0], each[0][1] or ""))
    ]
    names = (
        ("ts_inference_requests_total", Unit.COUNT),
        ("ts_inference_latency_microseconds", Unit.MICROSECONDS),
        ("ts_queue_latency_microseconds", Unit.MICROSECONDS),
    )
    families += [
        Family(name=name, kind=Kind.COUNTER, unit=unit, samples=tuple((labels, each[at]) for labels, each in counted))
        for at, (name, unit) in enumerate(names)
    ]
    times = ((), ()) if tallies.last_run is None else tuple(((host, each * _MS),) for each in tallies.last_run)
    families += [_gauge(name, Unit.MILLISECONDS, each) for name, each in zip(_TIMES, times, strict=True)]
    return families


_TIMES = ("QueueTime", "WorkerThreadTime")


def worker_family(load_s: Iterable[tuple[str, float]], hostname: str) -> Family:
    """Return how long each worker took to load, by its name."""
    samples = [({"WorkerName": name, **_host(hostname)}, seconds * _MS) for name, seconds in load_s]
    return _gauge("WorkerLoadTime", Unit.MILLISECONDS, samples)


def machine_families(processors: float | None, memory: Room | None, disk: Room | None, hostname: str) -> list[Family]:
    """Return what is told of the machine; what it does not tell is left out. ``processors`` is 0 to 100."""
    values: list[tuple[str, Unit, float]] = []
    if processors is not None:
        values.append(("CPUUtilization", Unit.PERCENT, processors))
    if memory is not None:
        values += [
            ("MemoryUsed", Unit.MEGABYTES, memory.used / _MB),
            ("MemoryAvailable", Unit.MEGABYTES, memory.available / _MB),
            ("MemoryUtilization", Unit.PERCENT, memory.percent),
        ]
    if disk is not None:
        values += [
            ("DiskUsage", Unit.GIGABYTES, disk.used / _GB),
            ("DiskUtilization", Unit.PERCENT, disk.percent),
            ("DiskAvailable", Unit.GIGABYTES, disk.available / _GB),
        ]
    return [_gauge(name, unit, ((_host(hostname), value),)) for name, unit, value in values]


def _gauge(name: str, unit: Unit, samples: Iterable[tuple[Mapping[str, str], float]]) -> Family:
    return Family(name=name, kind=Kind.GAUGE, unit=unit, samples=tuple(samples))


def _host(hostname: str) -> dict[str, str]:
    return {"Level": "Host", "Hostname": hostname}
