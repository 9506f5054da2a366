"""What the machine is asked: one small examination for each thing that wfctl leans on.

Invariant: nothing is changed, and nothing heavy is imported into this process; torch and its
kin are asked in one of their own.
"""

import errno
import importlib.util
import json
import os
import platform
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from wfctl.gpus import count_gpus
from wfctl.handlers.extras import EXTRA_OF, command_for

_MIB = 1024 * 1024


class State(StrEnum):
    """What an examination came to."""

    OK = "ok"
    LACKING = "optional"
    """Not there, and only some workflows need it."""
    DOUBTFUL = "doubtful"
    """There, and likely to be in the way."""
    MISSING = "missing"
    """Nothing runs without it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Symptom:
    """One thing that was looked at."""

    name: str
    state: State
    found: str
    remedy: str | None = None


def examine_machine() -> tuple[Symptom, ...]:
    """Look at everything, in the order it is shown."""
    return tuple(symptom for examination in _EXAMINATIONS for symptom in examination())


# --- Python and what it can import ------------------------------------------------------------------------------


def _python() -> Iterator[Symptom]:
    version = platform.python_version()
    found = f"{version} ({sys.executable})"
    if sys.version_info < (3, 11):  # noqa: UP036 - an environment may be forced to install us all the same
        yield Symptom(name="python", state=State.MISSING, found=found, remedy="install Python 3.11 or newer")
    else:
        yield Symptom(name="python", state=State.OK, found=found)


def _platform() -> Iterator[Symptom]:
    found = f"{platform.system()} {platform.release()}, {_cpus()} CPUs"
    remedies = {
        "Linux": None,
        "Darwin": "workers are started anew instead of forked; this is not tested on macOS",
        "Windows": "validate, render, archive and inspect work; run workflows on Linux",
    }
    remedy = remedies.get(platform.system(), "only Linux is tested")
    yield Symptom(name="platform", state=State.DOUBTFUL if remedy else State.OK, found=found, remedy=remedy)


def _cpus() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


_CPU_ONLY = "CPU only"
_ASK_TORCH = f"""
import torch
cuda = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
mps = getattr(torch.backends, "mps", None)
devices = cuda + (["Apple GPU"] if mps and mps.is_available() else [])
print(torch.__version__ + ", " + (", ".join(devices) or "{_CPU_ONLY}"))
"""


def _torch() -> Iterator[Symptom]:
    if importlib.util.find_spec("torch") is None:
        yield Symptom(name="torch", state=State.MISSING, found="not installed", remedy="pip install torch")
        return
    try:
        done = subprocess.run(
            [sys.executable, "-c", _ASK_TORCH], capture_output=True, text=True, timeout=120, check=False
        )
    except subprocess.TimeoutExpired:
        yield Symptom(
            name="torch",
            state=State.MISSING,
            found="importing it takes more than 120 s",
            remedy="look at the disk and at the GPU driver: python -X importtime -c 'import torch'",
        )
        return
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        remedy = "pip install --force-reinstall torch"
        yield Symptom(name="torch", state=State.MISSING, found=f"cannot be imported: {reason}", remedy=remedy)
    else:
        yield _fit_of_torch(done.stdout.strip(), count_gpus())


def _fit_of_torch(found: str, gpus: int) -> Symptom:
    """Compare what torch says of itself with the GPUs that workers will be given."""
    if not gpus or not found.endswith(_CPU_ONLY):
        return Symptom(name="torch", state=State.OK, found=found)
    there = "a GPU is" if gpus == 1 else f"{gpus} GPUs are"
    return Symptom(
        name="torch",
        state=State.DOUBTFUL,
        found=f"{found}, though {there} here",
        remedy="models run on the CPU until torch is built for the GPU and its driver is new enough for it: https://pytorch.org",
    )


def _libyaml() -> Iterator[Symptom]:
    if importlib.util.find_spec("yaml") and importlib.util.find_spec("yaml._yaml"):
        yield Symptom(name="libyaml", state=State.OK, found="large specs are read by the C parser")
    else:
        yield Symptom(
            name="libyaml",
            state=State.LACKING,
            found="large specs are read by the slower Python parser",
            remedy="pip install --force-reinstall pyyaml, from a wheel",
        )


_OPTIONAL: Mapping[str, tuple[str, str]] = {
    "PIL": ("pillow", "the ready-made image handlers"),
    "torchvision": ("torchvision", "the ready-made image handlers"),
    "onnxruntime": ("onnxruntime", "models in ONNX format"),
    "captum": ("captum", "explanations by the ready-made handlers"),
    "ray": ("ray", "more than one machine, with --engine ray"),
}
"""Module that an extra of ours brings -> package, what it is for."""

_BUILT_FOR_OTHERS: Final = ("torchvision", "onnxruntime")
"""Those with compiled code that may not fit what else is installed, torch above all: seen only by importing them."""

_ASK_OPTIONAL = """
import json, sys
failed = {}
for name in sys.argv[1:]:
    try:
        __import__(name)
    except BaseException as reason:
        failed[name] = f"{type(reason).__name__}: {reason}".splitlines()[0]
print(json.dumps(failed))
"""


def _optional() -> Iterator[Symptom]:
    there = {module for module in _OPTIONAL if importlib.util.find_spec(module)}
    failed = _failed_imports(sorted(there.intersection(_BUILT_FOR_OTHERS)))
    for module, (package, purpose) in _OPTIONAL.items():
        remedy = command_for(EXTRA_OF[module])
        if module in failed:
            found = f"for {purpose}; cannot be imported: {failed[module]}"
            remedy = "install the release that belongs to the torch that is here"
            yield Symptom(name=package, state=State.LACKING, found=found, remedy=remedy)
        elif module in there:
            yield Symptom(name=package, state=State.OK, found=f"for {purpose}")
        else:
            found = f"not installed; needed for {purpose}"
            yield Symptom(name=package, state=State.LACKING, found=found, remedy=remedy)


def _failed_imports(modules: list[str]) -> Mapping[str, str]:
    """Import modules in a process of their own; return what went wrong with those that failed."""
    if not modules:
        return {}
    command = [sys.executable, "-c", _ASK_OPTIONAL, *modules]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        failed: Mapping[str, str] = json.loads(done.stdout.splitlines()[-1])
    except (subprocess.TimeoutExpired, IndexError, ValueError):
        return dict.fromkeys(modules, "the import does not end well")
    return failed


# --- the operating system ---------------------------------------------------------------------------------------


def _processes() -> Iterator[Symptom]:
    lacks = [
        what
        for what, is_there in (
            ("fork", hasattr(os, "fork")),
            ("AF_UNIX sockets", hasattr(socket, "AF_UNIX")),
            ("sockets handed to other processes", hasattr(socket, "send_fds")),
        )
        if not is_there
    ]
    if lacks:
        remedy = "workers need it; run workflows on Linux, or with wfctl run --inline"
        yield Symptom(name="processes", state=State.MISSING, found=f"no {', no '.join(lacks)}", remedy=remedy)
    else:
        yield Symptom(name="processes", state=State.OK, found="fork, AF_UNIX sockets and handing them on")


_LEAST_FILES = 1024
_LEAST_PROCESSES = 256


def _limits() -> Iterator[Symptom]:
    try:
        import resource
    except ImportError:  # not on Windows
        return
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    yield _limit("open files", files, _LEAST_FILES, f"ulimit -n {4 * _LEAST_FILES}")
    processes = [resource.getrlimit(resource.RLIMIT_NPROC)[0], _cgroup_processes()]
    bounded = [number for number in processes if number != resource.RLIM_INFINITY]
    yield _limit(
        "processes allowed",
        min(bounded, default=resource.RLIM_INFINITY),
        _LEAST_PROCESSES,
        f"ulimit -u {4 * _LEAST_PROCESSES}, or a higher limit for the container",
    )


def _limit(name: str, value: int, least: int, remedy: str) -> Symptom:
    if value < 0:  # how "unlimited" reads here
        return Symptom(name=name, state=State.OK, found="unlimited")
    if value >= least:
        return Symptom(name=name, state=State.OK, found=f"{value}")
    return Symptom(name=name, state=State.DOUBTFUL, found=f"{value}, less than {least}", remedy=remedy)


def _cgroup_processes() -> int:
    try:
        return int(Path("/sys/fs/cgroup/pids.max").read_text(encoding="ascii"))
    except (OSError, ValueError):  # no such group, or "max"
        return -1


_LEAST_SPACE = 512 * _MIB


def _temporary_space() -> Iterator[Symptom]:
    name = "temporary space"
    try:
        folder = tempfile.gettempdir()
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"x")
            file.flush()
        free = shutil.disk_usage(folder).free
    except OSError as failure:
        remedy = "set TMPDIR to a folder that can be written to"
        yield Symptom(name=name, state=State.MISSING, found=failure.strerror or str(failure), remedy=remedy)
        return
    found = f"{free // _MIB:,} MiB free in {folder}"
    if free < _LEAST_SPACE:
        remedy = "archives are unpacked there: free some, or set TMPDIR to another disk"
        yield Symptom(name=name, state=State.DOUBTFUL, found=found, remedy=remedy)
    else:
        yield Symptom(name=name, state=State.OK, found=found)


_PORTS: Mapping[int, str] = {8080: "inference", 8081: "management", 8082: "metrics"}


def _ports() -> Iterator[Symptom]:
    for port, purpose in _PORTS.items():
        name = f"port {port}"
        reason = _why_not_free(port)
        if reason:
            remedy = "stop what listens there, or give the server another port"
            yield Symptom(name=name, state=State.DOUBTFUL, found=f"{purpose}: {reason}", remedy=remedy)
        else:
            yield Symptom(name=name, state=State.OK, found=f"{purpose}: free")


def _why_not_free(port: int) -> str | None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections that just ended are no hindrance
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as failure:
            return "in use" if failure.errno == errno.EADDRINUSE else failure.strerror or str(failure)
    return None


_EXAMINATIONS: tuple[Callable[[], Iterator[Symptom]], ...] = (
    _python,
    _platform,
    _torch,
    _processes,
    _limits,
    _temporary_space,
    _ports,
    _libyaml,
    _optional,
)
