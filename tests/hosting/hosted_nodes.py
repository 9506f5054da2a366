from pathlib import Path
from typing import Any

from fakes.calls import call_of

from wfctl.engine.call import Call, Part
from wfctl.plan import CodeUnit, NodePlan
from wfctl.spec.model import WorkerSettings
from wfctl.workflow import NodeKind


def plan_node(model_dir: Path, handler: str = "handler.py", **more: Any) -> NodePlan:
    code = {key: more.pop(key) for key in ("manifest", "config_file", "envelope") if key in more}
    fields: dict[str, Any] = {
        "name": "node",
        "kind": NodeKind.MODEL,
        "settings": WorkerSettings(batch_size=4),
        "parents": (),
        "children": (),
    } | more
    unit = CodeUnit(**({"model_dir": str(model_dir), "handler": handler, "manifest": {"model": {}}} | code))
    return NodePlan(model_name=f"flow__{fields['name']}", code=unit, **fields)


def call(*parts: Part, call_id: int = 1, as_json: bool = False, **headers: str) -> Call:
    return call_of(call_id, parts or (Part("body", b"x"),), headers, as_json=as_json)
