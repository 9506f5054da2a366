"""The names of compilers that a ``pt2`` configuration may ask for.

Invariant: needs no torch; a name is known or not, whether or not the compiler is installed.
"""

import enum
import logging

_log = logging.getLogger(__name__)


class PT2Backend(str, enum.Enum):  # noqa: UP042 - the kind of the original, whose texts differ
    """Every compiler the original knows."""

    EAGER = "eager"
    AOT_EAGER = "aot_eager"
    INDUCTOR = "inductor"
    NVFUSER = "nvfuser"
    AOT_NVFUSER = "aot_nvfuser"
    AOT_CUDAGRAPHS = "aot_cudagraphs"
    OFI = "ofi"
    FX2TRT = "fx2trt"
    ONNXRT = "onnxrt"
    IPEX = "ipex"
    TORCHXLA_TRACE_ONCE = "torchxla_trace_once"
    OPENVINO = "openvino"
    TENSORRT = "tensorrt"
    HPU_BACKEND = "hpu_backend"


def check_valid_pt2_backend(backend: str) -> bool:
    """Say whether a compiler is known; warn if it is not."""
    known = [each.value for each in PT2Backend]
    if backend in known:
        return True
    _log.warning('"%s" is no backend of pt2; known are %s', backend, ", ".join(known))
    return False
