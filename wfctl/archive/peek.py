"""What kind of weights a file holds, told from its first and last bytes while they stream by.

Invariant: nothing is unpickled, parsed or kept beyond a few chunks.
"""

from collections.abc import Iterator
from enum import StrEnum
from typing import Final

_HEAD: Final = 64
_PICKLE_PROTOCOLS: Final = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
_PICKLE_ENDINGS: Final = (".pkl", ".pickle", ".joblib")


class ContentKind(StrEnum):
    """Kinds of content that are loaded by running something."""

    PICKLE = "pickle"
    """Unpickling may run anything; ``torch.load`` can be told to take tensors only."""
    TORCH_SAVE = "torch.save"
    """A zip around a pickle; the same holds."""
    TORCHSCRIPT = "TorchScript"
    """Code of its own, run by torch, and not by Python."""
    EXPORTED = "torch.export"
    SAFETENSORS = "safetensors"
    ONNX = "ONNX"
    NATIVE = "native code"
    """A shared library: loading it runs it."""
    ARCHIVE = "archive"
    OTHER = "file"


_BY_ENDING: Final = {
    ".safetensors": ContentKind.SAFETENSORS,
    ".onnx": ContentKind.ONNX,
    ".mar": ContentKind.ARCHIVE,
    ".war": ContentKind.ARCHIVE,
    ".tar.gz": ContentKind.ARCHIVE,
}


class Peek:
    """Watches one file go by."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._head = b""
        self._tail = (b"", b"")

    def passing(self, content: Iterator[bytes]) -> Iterator[bytes]:
        """Yield ``content`` unchanged."""
        for chunk in content:
            if len(self._head) < _HEAD:
                self._head += chunk[:_HEAD]
            self._tail = (self._tail[1], chunk)
            yield chunk

    def kind(self) -> ContentKind:
        """Say what went by."""
        known = next((kind for ending, kind in _BY_ENDING.items() if self._name.endswith(ending)), None)
        if known is not None:
            return known
        if self._head.startswith(b"PK\x03\x04"):
            return self._kind_of_zip()
        if self._head.startswith(b"\x7fELF"):
            return ContentKind.NATIVE
        is_pickle = self._head.startswith(_PICKLE_PROTOCOLS) or self._name.endswith(_PICKLE_ENDINGS)
        return ContentKind.PICKLE if is_pickle else ContentKind.OTHER

    def _kind_of_zip(self) -> ContentKind:
        # The table of contents stands at the end.
        tail = b"".join(self._tail)
        if b"/constants.pkl" in tail:
            return ContentKind.TORCHSCRIPT
        if b"/data.pkl" in tail:
            return ContentKind.TORCH_SAVE
        return ContentKind.EXPORTED if self._name.endswith(".pt2") else ContentKind.OTHER
