"""A program for an environment with the real TorchServe: answer fixtures as its own worker process does.

``python real_worker.py JOBS``: a JSON list of ``{name, model_dir, model_name, handler, envelope, batches, out}``.
Each job is served by the worker class of the original, in a process of its own, over a socket in its own protocol.
Nothing of wfctl is imported.
"""

import importlib.resources
import json
import os
import socket
import struct
import sys
import tempfile
import threading
import traceback
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).parent.parent))
sys.path.insert(0, str(Path(__file__).parent.parent / "compat"))

import fakes.startup.sitecustomize  # noqa: F401 - lets torchvision be imported
import forms

_SUCCESS, _FIRST_ERROR = 200, 400


def main(jobs: list[dict[str, Any]]) -> None:
    torch.set_num_threads(1)
    import ts.model_service_worker
    import ts.torch_handler.base_handler  # noqa: F401 - once for all, it is slow

    for job in jobs:
        Path(job["out"]).write_text(json.dumps(_served(job)), encoding="utf-8")


def _served(job: dict[str, Any]) -> dict[str, Any]:
    ours, its = socket.socketpair()
    died_from, died_to = os.pipe()
    pid = os.fork()
    if not pid:
        ours.close()
        os.close(died_from)
        _be_worker(job, its, died_to)
    its.close()
    os.close(died_to)
    ours.settimeout(60)
    try:
        told = _asked(job, ours)
    finally:
        ours.close()
        os.waitpid(pid, 0)
    kind = os.read(died_from, 1000).decode()
    os.close(died_from)
    return json.loads(json.dumps(told).replace('"DIED"', json.dumps({"died": kind})))


def _be_worker(job: dict[str, Any], line: socket.socket, died_to: int) -> None:
    """Do what ``python -m ts.model_service_worker`` does once the frontend has connected."""
    from ts.model_service_worker import TorchModelServiceWorker

    try:
        os.chdir(job["model_dir"])
        sys.path.insert(0, job["model_dir"])
        config = str(importlib.resources.files("ts") / "configs" / "metrics.yaml")
        name = str(Path(tempfile.mkdtemp()) / "worker.9000")
        worker = TorchModelServiceWorker("unix", name, metrics_config=config)
        worker.handle_connection(line)
    except BaseException as reason:  # noqa: BLE001 - it is what we are here to tell
        traceback.print_exc()
        os.write(died_to, type(reason).__name__.encode())
    finally:
        sys.stdout.flush()
        os._exit(0)


def _asked(job: dict[str, Any], line: socket.socket) -> dict[str, Any]:
    line.sendall(_load_message(job))
    try:
        code, message = _integer(line), _text(line)
        _integer(line)
    except EOFError:
        return {"load": "DIED"}
    if code != _SUCCESS:
        return {"load": {"status": code, "error": message}}
    batches: list[Any] = []
    for batch in job["batches"]:
        # Written beside reading: neither end may wait for the other to make room.
        writer = threading.Thread(target=line.sendall, args=(_predict_message(batch),))
        writer.start()
        try:
            batches.append(_answers(line, len(batch)))
        except EOFError:
            batches.append("DIED")
            break
        finally:
            writer.join()
    return {"batches": batches}


def _load_message(job: dict[str, Any]) -> bytes:
    return b"".join(
        [
            b"L",
            _sized(job["model_name"].encode()),
            _sized(job["model_dir"].encode()),
            struct.pack("!i", 4),
            _sized(job["handler"].encode()),
            struct.pack("!i", -1),
            _sized((job["envelope"] or "").encode()),
            struct.pack("!?", True),
        ]
    )


def _predict_message(batch: list[Any]) -> bytes:
    end = struct.pack("!i", -1)
    pieces = [b"I"]
    for at, request in enumerate(batch):
        pieces.append(_sized(f"id-{at}".encode()))
        for key, value in forms.headers_of(request).items():
            pieces += [_sized(key.encode()), _sized(value.encode())]
        pieces.append(end)
        for name, body, kind in forms.parts_of(request):
            # The frontend cuts off what follows the type.
            pieces += [_sized(name.encode()), _sized(kind.partition(";")[0].strip().encode()), _sized(body)]
        pieces.append(end)
    return b"".join([*pieces, end])


def _answers(line: socket.socket, count: int) -> list[dict[str, Any]]:
    streamed = [b""] * count
    while True:
        code, message = _integer(line), _text(line)
        found = [_item(line) for _ in range(count)]
        if _integer(line) != -1:
            raise ValueError("more answers than requests")
        if code != _SUCCESS:
            return [forms.failure(code, message)] * count
        streamed = [before + item["body"] for before, item in zip(streamed, found, strict=True)]
        if not any(item["headers"].get(forms.STREAM_HEADER) == "true" for item in found):
            return [_shown(item, body) for item, body in zip(found, streamed, strict=True)]


def _item(line: socket.socket) -> dict[str, Any]:
    _text(line)
    item: dict[str, Any] = {"content_type": _text(line), "status": _integer(line), "phrase": _text(line)}
    item["headers"] = {_text(line): _text(line) for _ in range(_integer(line))}
    item["body"] = _exactly(line, _integer(line))
    return item


def _shown(item: dict[str, Any], body: bytes) -> dict[str, Any]:
    if item["status"] >= _FIRST_ERROR:  # what a client of /predictions gets as the status of its response
        return forms.failure(item["status"], item["phrase"] or body.decode("utf-8", "replace"))
    return forms.success(item["status"], body, item["content_type"], item["headers"])


def _sized(content: bytes) -> bytes:
    return struct.pack("!i", len(content)) + content


def _integer(line: socket.socket) -> int:
    return int(struct.unpack("!i", _exactly(line, 4))[0])


def _text(line: socket.socket) -> str:
    return _exactly(line, _integer(line)).decode()


def _exactly(line: socket.socket, size: int) -> bytes:
    content = bytearray()
    while len(content) < size:
        piece = line.recv(min(size - len(content), 2**20))
        if not piece:
            raise EOFError
        content += piece
    return bytes(content)


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
