"""Models that were exported: a program of torch.export, or machine code made ahead of time.

The original knows only the machine code of a ``.so``; a ``.pt2`` of either kind is ours in addition.
Both may run code of the archive while they are read, so neither is read from one that is not trusted.
Invariant: what is returned is called like a model, and has neither ``eval`` nor weights to load.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from wfctl.handlers.unloadable import UnloadableModelError


def load_shared_object(
    path: str, map_location: str | None, device: torch.device | None, *, is_trusted: bool = True
) -> Any:
    """Return the model in a ``.so`` that ``torch._export.aot_compile`` wrote."""
    _require_trust(path, is_trusted=is_trusted)
    _use(device)
    with _named(path):
        return torch._export.aot_load(path, map_location or "cpu")  # noqa: SLF001 - the door that the original names


def load_pt2(path: str, device: torch.device | None, *, is_trusted: bool = True) -> Any:
    """Return the model in a ``.pt2``: an exported program, or a package of AOTInductor."""
    _require_trust(path, is_trusted=is_trusted)
    if _has_machine_code(path):
        _use(device)
        index = device.index if device is not None and device.index is not None else -1
        with _named(path):
            return torch._inductor.aoti_load_package(path, device_index=index)  # noqa: SLF001
    try:
        program = torch.export.load(path)
    except Exception as reason:
        words = str(reason).strip().partition("\n")[0]
        raise UnloadableModelError(f'"{Path(path).name}" is no exported program: {words}') from reason
    if device is not None and device.type != "cpu":
        program = _moved(program, device)
    return program.module()


def _require_trust(path: str, *, is_trusted: bool) -> None:
    if not is_trusted:
        raise UnloadableModelError(
            f'"{Path(path).name}" may run code of the archive when it is loaded, and the archive is not trusted; run '
            "it with --trust if you know where it comes from"
        )


@contextmanager
def _named(path: str) -> Iterator[None]:
    """Name the file where its machine code cannot be loaded."""
    try:
        yield
    except RuntimeError as reason:
        words = str(reason).strip().partition("\n")[0]
        raise UnloadableModelError(f'"{Path(path).name}" cannot be loaded: {words}') from reason


def _use(device: torch.device | None) -> None:
    """Make the device the current one: machine code knows its kind, and not its number."""
    if device is not None and device.type == "cuda":
        torch.cuda.set_device(device)


def _has_machine_code(path: str) -> bool:
    try:
        records = torch._C.PyTorchFileReader(path).get_all_records()  # noqa: SLF001 - the reader of torch's own zips
    except RuntimeError:
        return False  # programs of the form before 2.8
    return any("aotinductor" in name for name in records)


def _moved(program: Any, device: torch.device) -> Any:
    from torch.export.passes import move_to_device_pass

    return move_to_device_pass(program, device)
