"""How many GPUs a program started here can use, counted without loading torch and without starting a driver.

What the kernel shows of GPUs is read, as far as that is enough; where it is not, the vendor's library is asked
(``nvml``). What ``CUDA_VISIBLE_DEVICES`` hides is not counted, by the rules of CUDA, so that a number below the count
is what ``cuda:<number>`` means in a worker. A machine without GPUs costs a few look-ups of names.
Invariant: starts nothing and changes nothing; whatever cannot be read counts for nothing and is no fault.
"""

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import takewhile
from pathlib import Path

Uuids = tuple[str | None, ...]
"""One item for each GPU; ``None`` where its name is not known."""

_ROOT = Path("/")
_PROC, _TOPOLOGY = "proc/driver/nvidia", "sys/class/kfd/kfd/topology/nodes"
_UNDER_WINDOWS, _ON_A_BOARD = "dev/dxg", "dev/nvhost-gpu"
_MINOR, _UUID, _EXCLUDED = "Device Minor", "GPU UUID", "GPU Excluded"
_NUMBER = re.compile(r"[+-]?\d+")
_NAMED, _PART = "GPU-", "MIG-"


def count_gpus(
    environ: Mapping[str, str] = os.environ,
    root: Path = _ROOT,
    ask_driver: Callable[[], Uuids] | None = None,
) -> int:
    """Return how many GPUs there are for a process with this environment."""
    cuda = environ.get("CUDA_VISIBLE_DEVICES")
    found = _of_nvidia(root, ask_driver or _ask_driver)
    if found:
        return len(visible(found, cuda))
    there = tuple(_of_amd(root))
    left = len(visible(there, environ.get("ROCR_VISIBLE_DEVICES")))
    return len(visible(there[:left], environ.get("HIP_VISIBLE_DEVICES", cuda)))


def visible(found: Uuids, wanted: str | None) -> Sequence[int]:
    """Return which of the GPUs a list like that of ``CUDA_VISIBLE_DEVICES`` leaves, by its own order.

    As CUDA and torch read it: the first item that means nothing ends the list, an item that comes twice empties it,
    and of parts of a GPU (MIG) a process sees the first one only.
    """
    if wanted is None:
        return range(len(found))
    items = wanted.split(",")
    if items[0].startswith(_PART):
        return (0,) if found else ()
    named = items[0].startswith(_NAMED)
    places = tuple(_places_by_name(items, found) if named else _places_by_number(items))
    if len(set(places)) < len(places):
        return ()
    return tuple(takewhile(lambda place: place < len(found), places))


def _places_by_number(items: Sequence[str]) -> Iterator[int]:
    for item in items:
        number = _NUMBER.match(item.strip())  # what follows the digits is ignored, as by strtoul
        if number is None or int(number.group()) < 0:
            return
        yield int(number.group())


def _places_by_name(items: Sequence[str], found: Uuids) -> Iterator[int]:
    names = tuple(takewhile(lambda item: item.startswith(_NAMED), items))
    if len(set(names)) < len(names):
        return
    # Names that nobody knows here are the user's word for GPUs that there are.
    nameless = (place for place, uuid in enumerate(found) if uuid is None)
    for name in names:
        meant = [place for place, uuid in enumerate(found) if uuid is not None and uuid.startswith(name)]
        place = meant[0] if len(meant) == 1 else next(nameless, None)
        if place is None or len(meant) > 1:
            return
        yield place


def _of_nvidia(root: Path, ask_driver: Callable[[], Uuids]) -> Uuids:
    files = {int(path.name[6:]) for path in _listed(root / "dev", "nvidia*") if path.name[6:].isdigit()}
    told = dict(_told_by_kernel(root))
    if files and told:
        # In a container the kernel may tell of all GPUs of its host; those it may use have a device file.
        usable = {minor: uuid for minor, uuid in told.items() if minor in files}
        whole = tuple(uuid for minor, uuid in usable.items() if not _is_parted(root, minor))
        return whole or ((None,) if usable else ())
    if files or told or (root / _UNDER_WINDOWS).exists():
        # A device file says that a GPU is meant to be used: where nobody knows it, its worker says what is missing.
        return ask_driver() or (None,) * len(files)
    return (None,) if (root / _ON_A_BOARD).exists() else ()


def _ask_driver() -> Uuids:
    # Imported here: almost nobody needs it.
    from wfctl.nvml import read_nvml

    return read_nvml()


def _told_by_kernel(root: Path) -> Iterator[tuple[int, str | None]]:
    for path in _listed(root / _PROC / "gpus", "*/information"):
        lines = (line.partition(":") for line in _text(path).splitlines())
        facts = {key.strip(): value.strip() for key, _, value in lines}
        minor, uuid = facts.get(_MINOR, ""), facts.get(_UUID, "")
        if minor.isdigit() and facts.get(_EXCLUDED, "No") == "No":
            yield int(minor), None if "?" in uuid or not uuid else uuid


def _is_parted(root: Path, minor: int) -> bool:
    """Say whether a GPU is divided into parts, and not to be had as a whole."""
    return any(_listed(root / _PROC / f"capabilities/gpu{minor}/mig", "gi*"))


def _of_amd(root: Path) -> Iterator[None]:
    if not (root / "dev/kfd").exists():
        return
    for path in _listed(root / _TOPOLOGY, "*/properties"):
        simds = re.search(r"^simd_count (\d+)$", _text(path), re.MULTILINE)
        if simds is not None and int(simds.group(1)):  # the others are CPUs
            yield None


def _listed(folder: Path, pattern: str) -> list[Path]:
    try:
        return sorted(folder.glob(pattern))
    except OSError:
        return []


def _text(path: Path) -> str:
    # A GPU that this process may not use is there and cannot be read.
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
