"""What files of an archive can take the place of, in real workers and inline."""

import json
import sys
from pathlib import Path

import pytest

import wfctl
from wfctl.errors import RunError

SPEC = "dag:\n  only: []\n"
BOTH_WAYS = pytest.mark.parametrize("inline", [False, True])

EXPLOSIVE = "raise SystemExit('the file of the archive was imported: ' + __name__)\n"

# Everything of ours that is loaded late: answers in base64, the YAML reader, threads, tracebacks, metrics.
USES_ALL = """
    from ts.context import Context
    from ts.handler_utils.micro_batching import MicroBatching
    from ts.handler_utils.utils import import_class, send_intermediate_predict_response
    from ts.metrics.process_memory_metric import check_process_mem_usage
    from ts.metrics.system_metrics import memory_used
    from ts.utils.util import CLEANUP_REGEX, PredictionException, get_yaml_config, list_classes_from_module

    class Steps:
        def preprocess(self, data): return data
        def inference(self, data): return data
        def postprocess(self, data): return data

    def only(data, context):
        if data is None:
            return None
        asked = bytes(data[0]["body"]).decode()
        if asked == "fail":
            return [1 / 0]
        if asked == "refuse":
            raise PredictionException("refused", 422)
        memory_used()
        context.metrics.add_time("took", 1)
        answer = {"config": str(get_yaml_config("own.yaml")["day"]), "steps": MicroBatching(Steps()).handle([1, 2])}
        send_intermediate_predict_response([b"piece "], context.request_ids, "", 200, context)
        return [answer]

    def other(data, context):
        return None if data is None else [b"\\xff"]
"""


def explode(folder: Path, *names: str) -> None:
    """Write a file of each name that fails loudly when it is imported."""
    for name in names:
        target = folder / name / "__init__.py" if name.endswith("/") else folder / f"{name}.py"
        target.parent.mkdir(exist_ok=True)
        target.write_text(EXPLOSIVE)


def ask(flow, text: str) -> bytes:
    return flow.predict_parts(wfctl.service.inputs.body_part(text.encode(), "application/octet-stream")).body


@BOTH_WAYS
def test_nothing_of_ours_is_taken_from_an_archive_that_brings_the_whole_standard_library(workflow, inline) -> None:
    folder = workflow("dag:\n  only: [other, second]\n", USES_ALL + "\n    second = other\n")
    (folder / "own.yaml").write_text("day: 2020-01-01\n")
    explode(folder, *(sys.stdlib_module_names - {"__main__"}), "yaml", "ts/", "wfctl/")
    with wfctl.open_deployment(folder, inline=inline, until="only") as flow:
        answer = ask(flow, "work")
        assert answer.startswith(b"piece ")
        assert json.loads(answer.removeprefix(b"piece ")) == {"config": "2020-01-01", "steps": [1, 2]}
        with pytest.raises(RunError) as failed:
            ask(flow, "fail")
        with pytest.raises(RunError) as refused:
            ask(flow, "refuse")
    assert failed.value.traceback_text.endswith("ZeroDivisionError: division by zero")
    assert (refused.value.status, refused.value.message) == (422, "refused")
    with wfctl.open_deployment(folder, inline=inline) as flow:
        assert json.loads(ask(flow, "work")) == {"other": {"b64": "/w=="}, "second": {"b64": "/w=="}}


@BOTH_WAYS
def test_the_names_of_the_rule_lead_where_it_says(workflow, inline) -> None:
    handler = """
        import base64, json, queue, ts, wfctl, yaml
        import tabnanny, own_module

        def only(data, context):
            if data is None:
                return None
            shadowed = [each.__name__ for each in (base64, json, queue, ts, wfctl, yaml) if hasattr(each, "ARCHIVE")]
            return [{"shadowed": shadowed, "own": [tabnanny.ARCHIVE, own_module.ARCHIVE]}]
    """
    folder = workflow(SPEC, handler)
    for name in ("base64", "json", "queue", "ts", "wfctl", "yaml", "tabnanny", "own_module"):
        (folder / f"{name}.py").write_text(f"ARCHIVE = {name!r}\n")
    assert "tabnanny" not in sys.modules
    with wfctl.open_deployment(folder, inline=inline) as flow:
        assert flow.predict().json() == {"shadowed": [], "own": ["tabnanny", "own_module"]}
    assert "tabnanny" not in sys.modules


@BOTH_WAYS
def test_a_handler_may_have_put_its_classes_into_the_main_module(workflow, inline) -> None:
    handler = """
        import sys
        import pickle
        import __main__

        class Net:
            def __init__(self, label): self.label = label

        Net.__module__ = "__main__"
        __main__.Net = Net
        kept = pickle.dumps(Net("kept"), 2)

        def {name}(data, context):
            if data is None:
                return None
            assert b"__main__" in kept
            found = pickle.loads(kept)
            return [{{"label": found.label, "node": "{name}", "same": type(found) is Net}}]
    """
    folder = workflow(SPEC, handler.format(name="only"))
    (folder / "workflow.yaml").write_text("models:\n  m: {url: m}\ndag:\n  only: [m]\n")
    model = folder / "m"
    (model / "MAR-INF").mkdir(parents=True)
    manifest = {"model": {"modelName": "m", "modelVersion": "1", "handler": "net.py:m"}, "archiverVersion": "1"}
    (model / "MAR-INF" / "MANIFEST.json").write_text(json.dumps(manifest))
    from textwrap import dedent

    (model / "net.py").write_text(dedent(handler.format(name="m")))
    before = dict(vars(sys.modules["__main__"]))
    with wfctl.open_deployment(folder, inline=inline) as flow:
        for _ in range(2):
            assert flow.predict().json() == {"label": "kept", "node": "m", "same": True}
    assert vars(sys.modules["__main__"]) == before


@BOTH_WAYS
def test_pieces_of_an_answer_reach_the_next_node_in_order(workflow, inline) -> None:
    handler = """
        import json
        from ts.handler_utils.utils import send_intermediate_predict_response
        from ts.protocol.otf_message_handler import send_intermediate_predict_response as by_its_old_name

        def first(data, context):
            if data is None:
                return None
            piece = ["one "]
            send_intermediate_predict_response(piece, context.request_ids, "part", 200, context)
            piece[0] = "two "
            by_its_old_name(piece, context.request_ids, "part", 200, context)
            return ["three"]

        def second(data, context):
            return None if data is None else [data[0]["body"].decode()]
    """
    folder = workflow("dag:\n  first: [second]\n", handler)
    with wfctl.open_deployment(folder, inline=inline) as flow:
        assert [flow.predict().body for _ in range(2)] == [b"one two three"] * 2


def test_inline_leaves_no_finder_and_no_module_of_ts_behind(workflow) -> None:
    handler = "import ts.context\n\ndef only(data, context):\n    return data and [ts.__version__]\n"
    finders, modules = sys.meta_path[:], {name for name in sys.modules if name.partition(".")[0] == "ts"}
    with wfctl.open_deployment(workflow(SPEC, handler), inline=True) as flow:
        assert flow.predict().body == b"0.12.0"
        assert sys.meta_path == finders
    assert {name for name in sys.modules if name.partition(".")[0] == "ts"} == modules
