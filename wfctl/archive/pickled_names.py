"""Which names a pickle resolves when it is loaded, read from its opcodes; nothing of it is run.

Invariant: pure and bounded: only the given first bytes are looked at, and what is damaged yields what was read so far.
"""

import pickletools
import struct
from collections.abc import Iterator
from io import BytesIO
from typing import Final

PICKLE_HEAD: Final = 1 << 20
"""How many bytes of a file are worth reading: the pickle stands at its beginning, the weights behind it."""

_LOCAL_HEADER: Final = struct.Struct("<4s5H3L2H")
_SEVERAL: Final = 4
"""The form of ``torch.save`` before 1.6: a magic number, a version, the system, and only then the object."""


def pickled_names(head: bytes) -> tuple[str, ...]:
    """Return ``module.name`` for each global of a pickle, also where ``torch.save`` put it into a zip."""
    stream = BytesIO(_without_zip(head))
    found: dict[str, None] = {}
    try:
        for _ in range(_SEVERAL):
            for name in _globals(stream):
                found[name] = None
    except Exception:  # noqa: BLE001, S110 - a damaged pickle, or the end: what comes after is not looked at
        pass
    return tuple(found)


def _without_zip(head: bytes) -> bytes:
    if len(head) < _LOCAL_HEADER.size or not head.startswith(b"PK\x03\x04"):
        return head
    *_, n_name, n_extra = _LOCAL_HEADER.unpack_from(head)
    return head[_LOCAL_HEADER.size + n_name + n_extra :]


def _globals(stream: BytesIO) -> Iterator[str]:
    """Yield the globals of one pickle; of the newer opcode that takes two texts from the stack, the last two."""
    texts: list[str] = []
    memo: dict[int, str] = {}
    for opcode, argument, _ in pickletools.genops(stream):
        if opcode.name in {"GLOBAL", "INST"}:
            yield str(argument).replace(" ", ".", 1)
        elif opcode.name == "STACK_GLOBAL":
            yield ".".join(texts[-2:])
        elif isinstance(argument, str) and "UNICODE" in opcode.name:
            texts.append(argument)
        elif opcode.name == "MEMOIZE" and texts:
            memo[len(memo)] = texts[-1]
        elif opcode.name in {"BINGET", "LONG_BINGET"} and argument in memo:
            texts.append(memo[argument])
