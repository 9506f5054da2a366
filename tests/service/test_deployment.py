"""The Python door, on real processes."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import wfctl
from wfctl.archive.pack import write_archive
from wfctl.archive.read_sources import read_sources
from wfctl.archive.war import plan_workflow
from wfctl.diagnostics.report import InvalidWorkflowError
from wfctl.errors import DeadlineExceededError, LoadError, RunError, StoreError
from wfctl.service.deployment import NotOpenError
from wfctl.service.prepare import UnknownNodeError

CHAIN = "dag:\n  first: [second]\n"
HANDLER = """
    import json, os

    def first(data, context):
        if data is None:
            return None
        return [{"got": row["body"], "pid": os.getpid()} for row in data]

    def second(data, context):
        if data is None:
            return None
        rows = [json.loads(row["body"]) for row in data]
        return [{**row, "second": os.getpid()} for row in rows]
"""


def test_each_node_answers_from_a_process_of_its_own(workflow) -> None:
    with wfctl.open_deployment(workflow(CHAIN, HANDLER)) as flow:
        answer = flow.predict({"x": 1}).json()
        pids = {pid for node in flow.engine.statistics().nodes for pid in node.worker_pids}
    assert answer["got"] == {"x": 1}
    assert len({answer["pid"], answer["second"], os.getpid()}) == 3
    assert {answer["pid"], answer["second"]} == pids
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]


def test_inline_nodes_answer_from_this_process(workflow) -> None:
    with wfctl.open_deployment(workflow(CHAIN, HANDLER), inline=True) as flow:
        answer = flow.predict({"x": 1}).json()
    assert (answer["pid"], answer["second"]) == (os.getpid(), os.getpid())


@pytest.mark.parametrize("inline", [False, True])
def test_many_inputs_are_answered_in_input_order(workflow, inline) -> None:
    handler = """
        def only(data, context):
            return None if data is None else [row["body"] for row in data]
    """
    with wfctl.open_deployment(workflow("dag:\n  only: []\n", handler), inline=inline) as flow:
        answers = [answer.json() for answer in flow.predict_many(range(200), window=17)]
    assert answers == list(range(200))


def test_predict_many_draws_inputs_only_as_answers_leave(workflow) -> None:
    handler = "def only(data, context):\n    return None if data is None else [row['body'] for row in data]\n"
    drawn = []

    def inputs():
        for number in range(50):
            drawn.append(number)
            yield number

    with wfctl.open_deployment(workflow("dag:\n  only: []\n", handler)) as flow:
        answers = flow.predict_many(inputs(), window=4)
        next(answers)
        assert len(drawn) == 4
        answers.close()


def test_predict_many_says_that_its_deployment_was_closed(workflow) -> None:
    handler = "def only(data, context):\n    return None if data is None else [row['body'] for row in data]\n"
    with wfctl.open_deployment(workflow("dag:\n  only: []\n", handler)) as flow:
        answers = flow.predict_many(range(50), window=2)
        assert next(answers).json() == 0
    with pytest.raises(NotOpenError):
        list(answers)


def test_it_opens_on_the_callers_event_loop(workflow) -> None:
    async def ask() -> list[dict]:
        async with wfctl.open_deployment(workflow(CHAIN, HANDLER)) as flow:
            answers = await asyncio.gather(*(flow.apredict({"n": n}) for n in range(20)))
        return [answer.json()["got"] for answer in answers]

    assert asyncio.run(ask()) == [{"n": n} for n in range(20)]


def test_form_fields_and_headers_reach_the_entry(workflow) -> None:
    handler = """
        def only(data, context):
            if data is None:
                return None
            row = data[0]
            return [{"text": row["text"].decode(), "j": row["j"], "h": context.get_request_header(0, "X-Who")}]
    """
    with wfctl.open_deployment(workflow("dag:\n  only: []\n", handler)) as flow:
        answer = flow.predict(fields={"text": "hi", "j": {"k": 1}}, headers={"X-Who": "me"})
    assert answer.json() == {"text": "hi", "j": {"k": 1}, "h": "me"}


@pytest.mark.parametrize("inline", [False, True])
def test_a_failing_node_is_named_with_its_attempts_and_traceback(workflow, inline) -> None:
    handler = """
        def only(data, context):
            if data is None:
                return None
            raise ValueError("no good")
    """
    opened = wfctl.open_deployment(workflow("dag:\n  only: []\n", handler), inline=inline)
    with opened as flow, pytest.raises(RunError) as failed:
        flow.predict(b"x")
    error = failed.value
    assert (error.node, error.attempts) == ("only", 2)
    assert error.message == "Prediction failed"
    assert str(error) == 'node "only" failed after 2 attempts: Prediction failed (ValueError: no good)'
    assert "handler.py" in error.traceback_text
    assert 'raise ValueError("no good")' in error.traceback_text
    assert "wfctl/" not in error.traceback_text


def test_timeout_ms_bounds_an_attempt(workflow) -> None:
    spec = "models:\n  timeout-ms: 150\n  retry-attempts: 0\ndag:\n  only: []\n"
    handler = """
        import time

        def only(data, context):
            if data is None:
                return None
            time.sleep(60)
    """
    with wfctl.open_deployment(workflow(spec, handler)) as flow, pytest.raises(DeadlineExceededError) as late:
        flow.predict(b"x")
    assert (late.value.node, late.value.attempts) == ("only", 1)


def test_code_that_does_not_load_is_a_load_error_with_its_traceback(workflow) -> None:
    handler = "import nosuchmodule\n\ndef only(data, context):\n    return data\n"
    with pytest.raises(LoadError) as failed, wfctl.open_deployment(workflow("dag:\n  only: []\n", handler)):
        pass
    assert failed.value.node == "only"
    assert "nosuchmodule" in failed.value.message
    assert "handler.py" in failed.value.traceback_text


def test_an_unsound_workflow_is_refused_with_every_finding(workflow) -> None:
    handler = "def a(data, context):\n    return data\n"
    with (
        pytest.raises(InvalidWorkflowError) as refused,
        wfctl.open_deployment(workflow("dag:\n  a: [nope]\n", handler)),
    ):
        pass
    assert "WF304" in {finding.code for finding in refused.value.report}


def test_findings_in_an_archive_stand_under_its_name_and_not_that_of_a_temporary_folder(workflow, tmp_path) -> None:
    handler = "def a(data):\n    return data\n"
    war = tmp_path / "flow.war"
    write_archive(war, plan_workflow(read_sources(workflow("dag:\n  a: [nope]\n", handler))))
    with pytest.raises(InvalidWorkflowError) as refused, wfctl.open_deployment(war):
        pass
    named = {finding.code: finding.span.source.name for finding in refused.value.report}
    assert (named["WF304"], named["WF404"]) == (f"{war}/workflow.yaml", f"{war}/handler.py")


def test_a_model_that_is_nowhere_names_the_places_tried(workflow) -> None:
    folder = workflow("models:\n  m:\n    url: absent.mar\ndag:\n  m: []\n", "")
    with pytest.raises((StoreError, InvalidWorkflowError)) as refused, wfctl.open_deployment(folder):
        pass
    assert "absent.mar" in str(refused.value)


def test_a_deployment_that_is_not_open_says_how_to_open_it(workflow) -> None:
    flow = wfctl.open_deployment(workflow(CHAIN, HANDLER))
    with pytest.raises(NotOpenError) as refused:
        flow.predict(b"")
    assert "with open_deployment" in refused.value.hint


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"sha_256": "ab" * 32}, 'unexpected keyword argument "sha_256"; did you mean "sha256"\\?'),
        ({"xyz": 1}, 'unexpected keyword argument "xyz"$'),
        ({"trust": "no"}, "trust is True or False, and not 'no'"),
        ({"install_requirements": 0}, "install_requirements is True or False"),
    ],
)
def test_an_option_that_means_nothing_is_a_type_error_at_once(workflow, options, words) -> None:
    with pytest.raises(TypeError, match=words):
        wfctl.open_deployment(workflow("dag: {f: []}\n", "def f(data, context): return data\n"), **options)


def test_several_leaves_answer_one_object(workflow) -> None:
    spec = "dag:\n  start: [left, right]\n"
    handler = """
        def start(data, context):
            return None if data is None else [b"x" for _ in data]

        def left(data, context):
            return None if data is None else [[1, 2]]

        def right(data, context):
            return None if data is None else ["plain text"]
    """
    with wfctl.open_deployment(workflow(spec, handler)) as flow:
        assert flow.predict(b"").json() == {"left": [1, 2], "right": "plain text"}


def test_an_unguarded_script_may_open_a_deployment(workflow, tmp_path: Path) -> None:
    folder = workflow(CHAIN, HANDLER)
    script = tmp_path / "script.py"
    script.write_text(
        "import json, sys, wfctl\n"
        "print('top level runs', flush=True)\n"
        "with wfctl.open_deployment(sys.argv[1]) as flow:\n"
        "    print(json.dumps(flow.predict({'x': 2}).json()['got']))\n"
    )
    done = subprocess.run([sys.executable, script, folder], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    assert first == "top level runs"
    assert json.loads(second) == {"x": 2}


def test_the_public_names_are_lazy() -> None:
    code = "import sys, wfctl; print('wfctl.engine.engine' in sys.modules); wfctl.open_deployment; wfctl.Answer"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "False"


def test_until_a_node_answers_with_its_output_and_loads_nothing_behind_it(workflow) -> None:
    spec = "dag:\n  start: [left, right]\n  left: [end]\n  right: [end]\n"
    handler = """
        def start(data, context):
            return None if data is None else [b"s" for _ in data]

        def left(data, context):
            return None if data is None else [bytes(row["body"]) + b"l" for row in data]

        def right(data, context):
            raise SystemExit("not loaded")

        def end(data, context):
            raise SystemExit("not loaded")
    """
    with wfctl.open_deployment(workflow(spec, handler), until="left") as flow:
        assert flow.nodes == ("start", "left")
        assert flow.predict(b"").body == b"sl"


def test_until_an_unknown_node_suggests_the_one_that_was_meant(workflow) -> None:
    flow = wfctl.open_deployment(workflow(CHAIN, HANDLER), until="secnd")
    with pytest.raises(UnknownNodeError) as refused, flow:
        pass
    assert refused.value.hint == 'did you mean "second"?'


def test_the_door_is_typed_for_callers(tmp_path: Path) -> None:
    caller = tmp_path / "caller.py"
    caller.write_text(
        "import wfctl\n"
        "def ask(path: str) -> bytes:\n"
        "    with wfctl.open_deployment(path) as flow:\n"
        "        answer: wfctl.Answer = flow.predict({'x': 1})\n"
        "        bodies: list[bytes] = [each.body for each in flow.predict_many([1, 2])]\n"
        "    return answer.body + bodies[0]\n"
        "async def ask_there(path: str) -> str:\n"
        "    async with wfctl.open_deployment(path) as flow:\n"
        "        return (await flow.apredict(b'')).text\n"
    )
    argv = [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", caller]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=110, cwd=Path(wfctl.__file__).parent.parent)
    assert done.returncode == 0, done.stdout


def test_what_an_archive_says_of_its_workers_beats_the_spec(workflow, tmp_path) -> None:
    from wfctl.archive.mar import write_mar

    folder = workflow(
        "models:\n  min-workers: 3\n  max-workers: 3\n  m1: {url: m1.mar}\n  m2: {url: m2.mar}\ndag:\n  m1: [m2]\n", ""
    )
    (tmp_path / "h.py").write_text("def handle(data, context):\n    return [row['body'] for row in data or []]\n")
    (tmp_path / "c.yaml").write_text("minWorkers: 2\nmaxWorkers: 2\njobQueueSize: 5\nstartupTimeout: 77\n")
    write_mar(folder / "m1.mar", model_name="m1", handler=tmp_path / "h.py", config_file=tmp_path / "c.yaml")
    write_mar(folder / "m2.mar", model_name="m2", handler=tmp_path / "h.py")
    with wfctl.open_deployment(folder) as flow:
        assert flow.predict(b"x").body == b"x"
        workers = [len(node.worker_pids) for node in flow.engine.statistics().nodes]
        (first, second) = flow.engine._plan.nodes
        notes = [found.message for found in flow.report if found.code == "WF509"]
    assert workers == [2, 3]
    assert (first.queue_size, first.startup_timeout_s) == (5, 77)
    assert (second.queue_size, second.startup_timeout_s) == (None, None)
    (note,) = notes
    assert "beat the spec's 3, as in TorchServe: 2 workers run" in note


def test_an_envelope_of_the_setting_beats_the_manifests(workflow) -> None:
    folder = workflow("models:\n  m: {url: m}\ndag:\n  m: []\n", "")
    (folder / "m" / "MAR-INF").mkdir(parents=True)
    manifest = {"model": {"modelName": "m", "handler": "h.py", "envelope": "json"}}
    (folder / "m" / "MAR-INF" / "MANIFEST.json").write_text(json.dumps(manifest))
    (folder / "m" / "h.py").write_text(
        "def handle(data, context):\n    return data and [repr(each) for each in data]\n"
    )
    said = {}
    for envelope in (None, "body"):
        with wfctl.open_deployment(folder, service_envelope=envelope) as opened:
            said[envelope] = opened.predict([1]).text
    assert said == {None: "{'body': [1]}", "body": "[1]"}


def test_an_envelope_that_is_nowhere_is_a_load_error_with_those_there_are(workflow) -> None:
    folder = workflow("models:\n  m: {url: m}\ndag:\n  m: []\n", "")
    (folder / "m").mkdir()
    (folder / "m" / "handler.py").write_text("def handle(data, context): return data\n")
    with pytest.raises(LoadError, match='no envelope "jsno"') as caught:
        wfctl.open_deployment(folder, service_envelope="jsno").__enter__()
    assert "body, json, kserve, kservev2" in str(caught.value.hint)


def _children() -> set[str]:
    own = str(os.getpid())
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it ended while we looked
        if words[1] == own and words[0] != "Z":
            found.add(stat.parent.name)
    return found


def test_workers_have_an_interpreter_waiting_while_the_workflow_is_read(workflow, monkeypatch) -> None:
    from wfctl.service import deployment

    folder = workflow("dag:\n  f: []\n", "def f(data, context):\n    return data and [os.getppid()]\nimport os\n")
    before, seen = _children(), []
    read = deployment.prepare

    def looking(*words):
        seen.extend(_children() - before)
        return read(*words)

    monkeypatch.setattr(deployment, "prepare", looking)
    with wfctl.open_deployment(folder) as opened:
        server = opened.predict(b"").text
    assert seen == [server]
    assert _children() <= before


def test_a_workflow_that_is_refused_leaves_no_process(workflow) -> None:
    before = _children()
    with pytest.raises(InvalidWorkflowError):
        wfctl.open_deployment(workflow("dag:\n  f: [f]\n", "")).__enter__()
    assert _children() <= before
