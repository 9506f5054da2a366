"""What to say to a handler that takes for granted that its worker has a GPU.

Invariant: looks at the words of an exception; touches no device.
"""

from typing import Final

from wfctl.errors import LoadError

_NUMBERLESS: Final = "cuda:None"
"""What ``"cuda:" + str(gpu_id)`` gives, as many handlers write it that ask only whether there is CUDA at all."""
_HINT: Final = (
    'this worker was given no GPU, and its "gpu_id" is None; have the handler ask for that before it asks for CUDA,'
    ' or take "deviceType: cpu" out of the model\'s configuration'
)


def told_of_gpus(error: LoadError) -> LoadError:
    """Return the error with a hint where a device without a number was asked for."""
    if error.hint is None and _NUMBERLESS in str(error.__cause__):
        error.hint = _HINT
    return error
