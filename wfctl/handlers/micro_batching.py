"""A batch in small pieces that go through a handler's steps at the same time.

Invariant: answers come in the order of the batch; whatever a step raises reaches the caller, and nothing of a batch
is still running when the next begins.
"""

import os
import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, Final

STEPS: Final = ("preprocess", "inference", "postprocess")


class MicroBatching:
    """Takes the place of ``handle`` in a handler, and calls its steps from threads.

    ``parallelism`` says how many threads each step has, one where it says nothing. The original also takes both from
    its callers only: a handler that wants ``micro_batching`` of ``model-config.yaml`` reads it in ``initialize``.
    """

    def __init__(
        self, parent_handler: Any, micro_batch_size: int = 1, parallelism: Mapping[str, int] | None = None
    ) -> None:
        self.handler = parent_handler
        self.micro_batch_size = micro_batch_size
        self._parallelism: dict[str, int] = {}
        self._pools: dict[str, ThreadPoolExecutor] = {}
        self._here = threading.local()
        self.parallelism = dict(parallelism or {})

    @property
    def parallelism(self) -> dict[str, int]:
        """Threads of each step that was given a number."""
        return dict(self._parallelism)

    @parallelism.setter
    def parallelism(self, parallelism: Mapping[str, Any]) -> None:
        for step, threads in parallelism.items():
            if step not in STEPS:
                raise ValueError(f'"{step}" is no step of a handler; the steps are {", ".join(STEPS)}')
            if not isinstance(threads, int) or threads < 1:
                raise ValueError(f'step "{step}" needs at least one thread, not {threads!r}')
        self._parallelism.update(parallelism)
        for step in STEPS:
            self._resize(step)

    def _resize(self, step: str) -> None:
        threads = self._parallelism.get(step, 1)
        pool = self._pools.get(step)
        if pool is None or pool._max_workers != threads:  # noqa: SLF001 - the one place where it is said
            self._pools[step] = ThreadPoolExecutor(threads, thread_name_prefix=step)
            if pool is not None:
                pool.shutdown()

    def shutdown(self) -> None:
        """End the threads, and wait for them; those of a forgotten one end by themselves."""
        # Never from __del__: the collector runs anywhere, also where this thread holds a lock that ending them needs.
        for pool in self._pools.values():
            pool.shutdown(wait=True)

    def get_micro_batch_idx(self) -> int | None:
        """Return the place in the batch of the piece that the calling thread works on."""
        found: int | None = getattr(self._here, "at", None)
        return found

    def handle(self, data: Any) -> list[Any]:
        """Return one item per request; the first piece that fails fails the batch."""
        if self.micro_batch_size < 1:
            raise ValueError(f"micro_batch_size must be at least 1, not {self.micro_batch_size}")
        starts = range(0, len(data), self.micro_batch_size)
        last = [self._through(at, data[start : start + self.micro_batch_size]) for at, start in enumerate(starts)]
        wait(last)
        return [item for piece in last for item in piece.result()]

    def _through(self, at: int, piece: Any) -> "Future[Any]":
        """Send a piece through all steps. Each waits for the one before it, in the order of the pieces."""
        before: Future[Any] = Future()
        before.set_result(piece)
        for step in STEPS:
            before = self._pools[step].submit(self._step, step, at, before)
        return before

    def _step(self, step: str, at: int, before: "Future[Any]") -> Any:
        piece = before.result()
        self._here.at = at
        return getattr(self.handler, step)(piece)

    def __call__(self, data: Any, context: Any) -> Any:
        """Answer one batch, as ``BaseHandler.handle`` does."""
        started = time.perf_counter()
        handler = self.handler
        handler.context = context
        if os.environ.get("ENABLE_TORCH_PROFILER"):
            answers, _ = handler._infer_with_profiler(data=data)  # noqa: SLF001 - the handler's own way
        elif handler._is_describe():  # noqa: SLF001
            answers = [handler.describe_handle()]
        elif handler._is_explain():  # noqa: SLF001
            answers = handler.explain_handle(handler.preprocess(data), data)
        else:
            answers = self.handle(data)
        context.metrics.add_time("HandlerTime", round((time.perf_counter() - started) * 1000, 2), None, "ms")
        return answers
