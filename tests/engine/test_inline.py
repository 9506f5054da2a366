"""What only the inline backend does: the interpreter is left as it was found, and a debugger works."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest
from fakes.calls import call_of
from fakes.plans import plan_of
from fakes.told import Told

from wfctl.engine.backend import WorkerId
from wfctl.engine.call import Part
from wfctl.engine.engine import open_engine
from wfctl.engine.inline import InlineBackend
from wfctl.errors import LoadError, RunError
from wfctl.spec.model import WorkerSettings

BODY = (Part("body", b"x"),)


def write(folder: Path, text: str, **files: str) -> Path:
    folder.mkdir()
    (folder / "handler.py").write_text(dedent(text), encoding="utf-8")
    for name, content in files.items():
        (folder / f"{name}.py").write_text(content, encoding="utf-8")
    return folder


def run(folder: Path, *, lines=None, **settings):
    plan = plan_of("a", default=WorkerSettings(max_batch_delay_ms=0, **settings), folders={"a": folder})

    async def main():
        told = (lambda *line: None) if lines is None else (lambda *line: lines.append(line))
        async with open_engine(plan, InlineBackend(), on_output=told) as engine:
            return await engine.run(BODY)

    return asyncio.run(main())


def test_handlers_run_in_this_process_and_thread(tmp_path):
    text = """
    import os, threading
    def handle(data, context):
        return data and [f"{os.getpid()} {threading.current_thread() is threading.main_thread()}"]
    """
    assert run(write(tmp_path / "a", text)).body == f"{os.getpid()} True".encode()


def test_the_interpreter_is_left_as_it_was(tmp_path):
    text = """
    import helping_hand, sys
    sys.path.append("/nowhere/of/mine")
    def handle(data, context):
        import late_hand
        assert "/nowhere/of/mine" in sys.path
        return data and [helping_hand.WORD + late_hand.WORD]
    """
    folder = write(tmp_path / "a", text, helping_hand="WORD = 'one'", late_hand="WORD = 'two'")
    path, cwd, streams = sys.path[:], Path.cwd(), (sys.stdout, sys.stderr)
    assert run(folder).body == b"onetwo"
    assert (sys.path, Path.cwd(), (sys.stdout, sys.stderr)) == (path, cwd, streams)
    assert {"handler", "helping_hand", "late_hand"}.isdisjoint(sys.modules)


def test_a_module_of_this_process_is_hidden_from_a_node_that_brings_its_own(tmp_path):
    import click

    folder = write(
        tmp_path / "a",
        "import click\ndef handle(data, context):\n    return data and [click.WORD]",
        click="WORD = 'own'",
    )
    assert run(folder).body == b"own"
    assert sys.modules["click"] is click


def test_a_module_found_by_a_changed_import_path_stays_with_its_node(tmp_path):
    text = """
    import os, sys
    sys.path.insert(0, os.path.join(os.getcwd(), "lib"))
    import deeply_hidden
    def handle(data, context):
        return data and [str(sys.modules["deeply_hidden"] is deeply_hidden)]
    """
    folder = write(tmp_path / "a", text)
    write(folder / "lib", "", deeply_hidden="")
    assert run(folder).body == b"True"
    assert "deeply_hidden" not in sys.modules


def test_a_failed_load_leaves_the_interpreter_as_it_was_too(tmp_path):
    folder = write(tmp_path / "a", "import part_of_it\nraise OSError('gone')", part_of_it="")
    path, cwd = sys.path[:], Path.cwd()
    with pytest.raises(LoadError, match="gone"):
        run(folder)
    assert (sys.path, Path.cwd()) == (path, cwd)
    assert "part_of_it" not in sys.modules


def test_a_handler_that_exits_fails_its_node_only(tmp_path):
    folder = write(tmp_path / "a", "import sys\ndef handle(data, context):\n    data and sys.exit('enough')")
    with pytest.raises(RunError) as caught:
        run(folder)
    assert (caught.value.node, caught.value.attempts) == ("a", 2)
    assert "enough" in caught.value.traceback_text


def test_the_keyboards_interrupt_ends_the_run_and_not_the_node(tmp_path):
    folder = write(tmp_path / "a", "def handle(data, context):\n    if data:\n        raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        run(folder)
    assert "handler" not in sys.modules


def test_ctrl_c_stops_a_handler_at_once(tmp_path):
    text = """
    import signal
    def handle(data, context):
        if data:
            signal.raise_signal(signal.SIGINT)
            return ["not stopped"]
    """
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        run(write(tmp_path / "a", text))
    assert signal.getsignal(signal.SIGINT) is before


def test_a_handler_may_run_a_loop_of_its_own(tmp_path):
    text = """
    import asyncio
    async def think():
        return "thought"
    def handle(data, context):
        return data and [asyncio.run(think())]
    """
    assert run(write(tmp_path / "a", text)).body == b"thought"


def test_a_slow_handler_is_late_and_its_answer_counts(tmp_path):
    text = """
    import time
    def handle(data, context):
        until = time.monotonic() + 0.05
        while data and time.monotonic() < until:
            pass
        return data and ["late"]
    """
    result = run(write(tmp_path / "a", text), timeout_ms=10)
    assert (result.body, result.timings[0].attempts) == (b"late", 1)


STOPPING = """
def handle(data, context):
    seen = "nothing"
    if data:
        breakpoint()
        return [seen]
"""
SCRIPT = """
import asyncio, sys
from pathlib import Path
from fakes.plans import plan_of
from wfctl.engine.call import Part
from wfctl.engine.engine import open_engine
from wfctl.engine.inline import InlineBackend
from wfctl.errors import RunError

def show(node, stream, line):
    print(f"[{node}] {line}", file=sys.stderr)

async def main():
    plan = plan_of("a", folders={"a": Path(sys.argv[1])})
    async with open_engine(plan, InlineBackend(), on_output=show) as engine:
        try:
            print((await engine.run([Part("body", b"x")])).body)
        except RunError as error:
            print(error.attempts)

asyncio.run(main())
"""


def debug(folder: Path, typed: str) -> subprocess.CompletedProcess:
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent.parent)}
    return subprocess.run(
        [sys.executable, "-c", SCRIPT, str(folder)],
        input=typed,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )


def test_a_breakpoint_stops_in_the_handler_and_the_answer_stays_clean(tmp_path):
    done = debug(write(tmp_path / "a", STOPPING), "seen = 'everything'\np data\ncontinue\n")
    assert done.stdout == "b'everything'\n"
    assert "handler.py" in done.stderr
    assert "(Pdb) " in done.stderr
    assert "bytearray(b'x')" in done.stderr


def test_leaving_the_debugger_is_not_tried_again(tmp_path):
    done = debug(write(tmp_path / "a", STOPPING), "quit\n")
    assert done.stdout == "1\n"
    assert done.stderr.count("(Pdb) ") == 1


def test_workers_of_a_node_share_one_loaded_copy(tmp_path):
    lines = []
    folder = write(tmp_path / "a", "print('loaded')\ndef handle(data, context):\n    return data and ['']")
    run(folder, lines=lines, max_workers=4)
    assert lines == [("a", "stdout", "loaded")]


def test_a_batch_for_a_worker_that_was_given_up_is_not_run(tmp_path):
    folder = write(tmp_path / "a", "def handle(data, context):\n    data and print('ran')\n    return data")

    async def main():
        backend, told = InlineBackend(), Told()
        await backend.open(plan_of("a", folders={"a": folder}), told)
        await backend.start_worker("a", WorkerId(1))
        backend.send_calls(WorkerId(1), [call_of(1, BODY)])
        backend.kill_worker(WorkerId(1))
        await told.wait_until(lambda: told.lost)
        assert (told.answers, told.lines) == ({}, [])
        await backend.close()

    asyncio.run(main())
