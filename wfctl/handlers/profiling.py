"""A batch under torch's profiler, its trace written where TensorBoard finds it.

Invariant: knows the steps of a handler by name only; what is profiled is what would run otherwise.
"""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile, record_function, tensorboard_trace_handler

_log = logging.getLogger(__name__)

TRACES = "/tmp/pytorch_profiler"  # noqa: S108 - where those who profiled under the original look


def default_arguments() -> dict[str, Any]:
    """Return what is profiled unless a handler says otherwise."""
    devices = [ProfilerActivity.CUDA] if torch.cuda.is_available() else []
    return {"activities": [ProfilerActivity.CPU, *devices], "record_shapes": True}


def trace_writer(manifest: Any) -> Callable[[Any], None]:
    """Return what writes the traces of a model, in a folder of the model's name."""
    name = ((manifest or {}).get("model") or {}).get("modelName") or ""
    folder = str(Path(TRACES, name))
    _log.info("traces of the profiler are written to %s", folder)
    writer: Callable[[Any], None] = tensorboard_trace_handler(folder)
    return writer


def profiled(handler: Any, data: Any, *, is_explain: Callable[[], bool]) -> tuple[Any, Any]:
    """Return the answers of a handler's steps, and the profile."""
    with profile(**handler.profiler_args) as profiler:
        with record_function("preprocess"):
            ready = handler.preprocess(data)
        if is_explain():
            with record_function("explain"):
                answers = handler.explain_handle(ready, data)
        else:
            with record_function("inference"):
                answers = handler.inference(ready)
            with record_function("postprocess"):
                answers = handler.postprocess(answers)
    _log.info(profiler.key_averages().table(sort_by="cpu_time_total", row_limit=10))
    return answers, profiler
