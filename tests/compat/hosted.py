"""A program: answer fixtures with our host, each in a freshly forked process, as a worker of ours would be.

``python hosted.py JOBS``: a JSON list of ``{name, spec, envelope, batches, out}``; ``python hosted.py JOBS real`` lets
the handlers find an installed TorchServe behind the name ``ts``.
"""

import importlib
import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any

import forms
import torch

sys.path.append(str(Path(__file__).parent.parent))

import fakes.startup.sitecustomize  # noqa: F401 - lets torchvision be imported

from wfctl.engine.call import Call, CallAnswer, Headers, Part, RequestIds
from wfctl.errors import LoadError
from wfctl.hosting.host import load_host
from wfctl.hosting.place import enter_model_dir
from wfctl.service.prepare import Request, prepare


def main(jobs: list[dict[str, Any]], more: dict[str, Any]) -> None:
    torch.set_num_threads(1)
    importlib.import_module("torchvision")  # slow, and so once for all
    if more:
        importlib.import_module("ts.torch_handler.base_handler")
    for job in jobs:
        pid = os.fork()
        if not pid:
            _child(job, more)
        os.waitpid(pid, 0)


def _child(job: dict[str, Any], more: dict[str, Any]) -> None:
    code = 1
    try:
        Path(job["out"]).write_text(json.dumps(answered(job, more)), encoding="utf-8")
        code = 0
    except BaseException:  # noqa: BLE001 - the fork must never come back into the loop
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def answered(job: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    prepared = prepare(Request(path=Path(job["spec"]), service_envelope=job["envelope"], **more))
    try:
        (node,) = prepared.plan.nodes
        enter_model_dir(node.code.model_dir)
        try:
            host = load_host(node)
        except LoadError as error:
            return {"load": {"failed": error.message}}
        return {"batches": [[_shown(each) for each in host.answer(_calls(batch))] for batch in job["batches"]]}
    finally:
        prepared.remove()


class _ReadableIds(RequestIds):
    """Ids that are the same in every run."""

    def of(self, call_id: int) -> str:
        return f"id-{call_id}"


def _calls(batch: list[Any]) -> list[Call]:
    return [
        Call(
            at,
            [Part(name, body, kind) for name, body, kind in forms.parts_of(request)],
            ids=_ReadableIds("0" * 32),
            headers=Headers(forms.headers_of(request)),
        )
        for at, request in enumerate(batch)
    ]


def _shown(answer: CallAnswer) -> dict[str, Any]:
    if answer.error is not None:
        return forms.failure(answer.status, answer.error.message)
    return forms.success(answer.status, bytes(answer.body), answer.content_type, dict(answer.headers or {}))


if __name__ == "__main__":
    main(
        json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")), {"uses_real_ts": True} if "real" in sys.argv else {}
    )
