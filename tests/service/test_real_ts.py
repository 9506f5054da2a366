"""``--ts real``: an installed package of TorchServe's shape is found, and its absence is told before anything starts."""

import os
from pathlib import Path

import pytest

import wfctl
from wfctl.errors import LoadError, RunError, UnsupportedError

SPEC = "dag:\n  only: []\n"
BOTH_WAYS = pytest.mark.parametrize("inline", [False, True])

HANDLER = """
    import ts
    from ts.torch_handler.base_handler import BaseHandler
    from ts.utils.util import PredictionException

    def only(data, context):
        if data is None:
            return None
        if bytes(data[0]["body"]) == b"refuse":
            raise PredictionException("too dark", 422)
        context.cl_socket.sendall(BaseHandler.piece(context.get_request_id(0)))
        context.set_response_header(0, "ts_stream_next", "true")
        return [{"version": ts.__version__, "server": context.system_properties["server_version"]}]
"""

INSTALLED = {
    "ts/__init__.py": "__version__ = 'installed'\n",
    "ts/torch_handler/__init__.py": "",
    # One message of the original's protocol: 200, "ok", and for one request the bytes "part ".
    "ts/torch_handler/base_handler.py": """
import struct
def text(words): return struct.pack("!i", len(words)) + words
class BaseHandler:
    @staticmethod
    def piece(request):
        headers = struct.pack("!i", 1) + text(b"ts_stream_next") + text(b"true")
        one = text(request.encode()) + text(b"") + struct.pack("!i", 200) + text(b"") + headers + text(b"part ")
        return struct.pack("!i", 200) + text(b"ok") + one + struct.pack("!i", -1)
""",
    "ts/utils/__init__.py": "",
    "ts/utils/util.py": """
class PredictionException(Exception):
    def __init__(self, message, error_code=500):
        super().__init__(message)
        self.message, self.error_code = message, error_code
""",
}


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a package of TorchServe's shape where both we and our workers look for packages."""
    place = tmp_path / "site"
    for name, text in INSTALLED.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(str(place))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, (str(place), os.environ.get("PYTHONPATH")))))
    return place


@BOTH_WAYS
@pytest.mark.usefixtures("installed")
def test_handlers_find_the_installed_package(workflow, inline) -> None:
    folder = workflow(SPEC, HANDLER)
    (folder / "ts.py").write_text("raise SystemExit('the file of the archive was imported')\n")
    with wfctl.open_deployment(folder, inline=inline, ts="real") as flow:
        answer = flow.predict()
        assert answer.body.startswith(b"part {")
        assert '"version": "installed"' in answer.body.decode()
        assert not answer.headers
        with pytest.raises(RunError) as refused:
            flow.predict(b"refuse")
    assert (refused.value.message, refused.value.status) == ("too dark", 422)


@BOTH_WAYS
@pytest.mark.usefixtures("installed")
def test_our_own_modules_are_found_where_it_is_not_asked_for(workflow, inline) -> None:
    handler = "import ts\n\ndef only(data, context):\n    return data and [ts.__version__]\n"
    with wfctl.open_deployment(workflow(SPEC, handler), inline=inline) as flow:
        assert flow.predict().body == b"0.12.0"


@pytest.mark.usefixtures("installed")
def test_both_can_run_in_one_interpreter_at_the_same_time(workflow) -> None:
    handler = """
        import ts
        def only(data, context):
            if data is None: return
            import ts.utils.util
            return [f"{ts.__version__} {ts.utils.util.PredictionException.__module__}"]
    """
    own, real = workflow(SPEC, handler, "own"), workflow(SPEC, handler, "real")
    with (
        wfctl.open_deployment(own, inline=True) as ours,
        wfctl.open_deployment(real, inline=True, ts="real") as theirs,
    ):
        for _ in range(2):
            assert ours.predict().body == b"0.12.0 wfctl.handlers.prediction_exception"
            assert theirs.predict().body == b"installed ts.utils.util"


@BOTH_WAYS
def test_an_absent_torchserve_is_told_before_anything_starts(workflow, inline) -> None:
    folder = workflow(SPEC, "raise SystemExit('imported')\n")
    (folder / "ts").mkdir()
    with pytest.raises(UnsupportedError, match="TorchServe is not installed") as caught:
        wfctl.open_deployment(folder, inline=inline, ts="real").__enter__()
    assert caught.value.hint.startswith("pip install torchserve, or leave --ts real out")


def test_another_package_of_that_name_is_not_taken_for_it(workflow, installed) -> None:
    for path in (installed / "ts" / "torch_handler").iterdir():
        path.unlink()
    with pytest.raises(UnsupportedError, match="TorchServe is not installed"):
        wfctl.open_deployment(workflow(SPEC, HANDLER), ts="real").__enter__()


def test_a_package_that_fails_to_import_fails_the_load(workflow, installed) -> None:
    (installed / "ts" / "__init__.py").write_text("import no_such_package\n")
    with pytest.raises(LoadError, match=r"it cannot be imported: No module named 'no_such_package'"):
        wfctl.open_deployment(workflow(SPEC, HANDLER), ts="real").__enter__()


def test_another_word_than_own_and_real_is_refused(workflow) -> None:
    with pytest.raises(UnsupportedError, match='ts is "own" or "real", and not "both"'):
        wfctl.open_deployment(workflow(SPEC, HANDLER), ts="both")
