"""A sample's nodes called one after another in this process: no engine, just handlers on real archives."""

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from fakes.calls import call_of

from wfctl.engine.call import CallAnswer, Part
from wfctl.hosting.host import Host, load_host
from wfctl.plan import CodeUnit, NodePlan
from wfctl.spec.model import WorkerSettings
from wfctl.workflow import NodeKind

SAMPLES = Path(__file__).parents[2] / "samples"


def function_node(name: str, folder: Path) -> NodePlan:
    code = CodeUnit(model_dir=str(folder), handler="handler.py", manifest=None)
    return _node(name, NodeKind.FUNCTION, code)


def model_node(name: str, archive: Path, into: Path) -> NodePlan:
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(into)
    manifest = json.loads((into / "MAR-INF" / "MANIFEST.json").read_text(encoding="utf-8"))
    code = CodeUnit(model_dir=str(into), handler=manifest["model"]["handler"], manifest=manifest)
    return _node(name, NodeKind.MODEL, code)


@contextmanager
def hosted(node: NodePlan) -> Iterator[Host]:
    """Load a node with its folder first on the import path, and forget its modules afterwards."""
    before, path, finders = set(sys.modules), list(sys.path), list(sys.meta_path)
    sys.path.insert(0, node.code.model_dir)
    try:
        yield load_host(node)
    finally:
        sys.path[:], sys.meta_path[:] = path, finders
        for name in set(sys.modules) - before:
            if (getattr(sys.modules[name], "__file__", None) or "").startswith(node.code.model_dir):
                del sys.modules[name]


def answers(host: Host, batch: Sequence[Sequence[Part]]) -> list[CallAnswer]:
    return host.answer([call_of(at, parts) for at, parts in enumerate(batch)])


def bodies(host: Host, batch: Sequence[Sequence[Part]]) -> list[bytes]:
    found = answers(host, batch)
    assert [each.error and each.error.traceback_text for each in found] == [None] * len(found)
    return [each.body for each in found]


def in_shell(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[bytes]:
    """Run the shell where ``python`` and ``wfctl`` are those of the tests."""
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    return subprocess.run(["sh", *arguments], cwd=cwd, env=environment, capture_output=True, check=False)


def _node(name: str, kind: NodeKind, code: CodeUnit) -> NodePlan:
    return NodePlan(
        name=name,
        kind=kind,
        model_name=f"sample__{name}",
        settings=WorkerSettings(),
        parents=(),
        children=(),
        code=code,
    )
