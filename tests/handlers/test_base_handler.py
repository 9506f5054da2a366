import json
import subprocess
import sys
import warnings
import zipfile
from pathlib import Path

import pytest
import torch
from fakes.calls import call_of

from wfctl.engine.call import Part
from wfctl.errors import LoadError
from wfctl.hosting.host import load_host
from wfctl.plan import CodeUnit, NodePlan
from wfctl.spec.model import WorkerSettings
from wfctl.workflow import NodeKind

ARCHIVER = Path(sys.executable).with_name("torch-model-archiver")

MODEL = """
import torch

class Doubler(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.factor = torch.nn.Parameter(torch.zeros(1))
    def forward(self, x):
        return x * self.factor
"""

ON_BASE = """
import json
import torch
from ts.torch_handler.base_handler import BaseHandler
from ts.utils.util import map_class_to_label

class Mine(BaseHandler):
    def preprocess(self, data):
        return torch.tensor([json.loads(row["body"]) for row in data])
    def postprocess(self, data):
        return map_class_to_label(data.tolist(), self.mapping)
"""

BY_FUNCTION = """
import json
from ts.torch_handler.base_handler import BaseHandler

service = BaseHandler()

def predict(data, context):
    if not service.initialized:
        service.initialize(context)
    if data is None:
        return None
    return service.handle([json.loads(row["body"]) for row in data], context)
"""


@pytest.fixture(autouse=True)
def own_import_state():
    before, path, finders = set(sys.modules), list(sys.path), list(sys.meta_path)
    yield
    sys.path[:], sys.meta_path[:] = path, finders
    for name in set(sys.modules) - before:
        if name.partition(".")[0] in {"ts", "custom", "doubler"} or name.startswith("wfctl_"):
            del sys.modules[name]


@pytest.fixture
def files(tmp_path):
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "doubler.py").write_text(MODEL, encoding="utf-8")
    (folder / "custom.py").write_text(ON_BASE, encoding="utf-8")
    (folder / "by_function.py").write_text(BY_FUNCTION, encoding="utf-8")
    (folder / "index_to_name.json").write_text(json.dumps({"0": ["n01", "left"], "1": "right"}), encoding="utf-8")
    torch.save({"factor": torch.tensor([2.0])}, folder / "state.pt")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.script(torch.nn.ReLU()).save(folder / "scripted.pt")
    return folder


@pytest.fixture
def archived(files, tmp_path):
    """Pack with the archiver of the original and load what it wrote."""

    def load(**options):
        arguments = [f"--{key.replace('_', '-')}={value}" for key, value in options.items()]
        basics = ["--model-name=m", "--version=1.0", f"--export-path={tmp_path}"]
        subprocess.run([str(ARCHIVER), *basics, *arguments], check=True, cwd=files, capture_output=True)
        return loaded(tmp_path / "m.mar", tmp_path / "unpacked")

    return load


def loaded(archive, into):
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(into)
    manifest = json.loads((into / "MAR-INF" / "MANIFEST.json").read_text(encoding="utf-8"))
    code = CodeUnit(
        model_dir=str(into),
        handler=manifest["model"]["handler"],
        manifest=manifest,
        config_file=manifest["model"].get("configFile"),
    )
    sys.path.insert(0, str(into))
    return load_host(
        NodePlan(
            name="m",
            kind=NodeKind.MODEL,
            model_name="flow__m",
            settings=WorkerSettings(batch_size=2),
            parents=(),
            children=(),
            code=code,
        )
    )


def answered(host, *rows):
    found = host.answer([call_of(at, [Part("body", json.dumps(row).encode())]) for at, row in enumerate(rows)])
    assert [each.error and each.error.traceback_text for each in found] == [None] * len(rows)
    return [json.loads(each.body) for each in found]


def test_a_custom_handler_with_an_eager_model_runs(archived):
    host = archived(
        handler="custom.py", model_file="doubler.py", serialized_file="state.pt", extra_files="index_to_name.json"
    )
    assert answered(host, [1.0, 2.0], [3.0, 4.0]) == [{"left": 2.0, "right": 4.0}, {"left": 6.0, "right": 8.0}]


def test_a_custom_handler_with_torchscript_weights_runs(archived):
    assert answered(archived(handler="custom", serialized_file="scripted.pt"), [-1.0, 2.0]) == [{"0": 0.0, "1": 2.0}]


def test_a_function_of_a_module_runs(archived):
    host = archived(handler="by_function:predict", model_file="doubler.py", serialized_file="state.pt")
    assert answered(host, [1.0, 2.0]) == [[2.0, 4.0]]


def test_the_built_in_base_handler_runs_where_the_input_is_numbers(archived):
    host = archived(handler="base_handler", serialized_file="scripted.pt")
    (answer,) = host.answer([call_of(1, [Part("body", b"[1]")])])
    # A row is a dictionary, which no tensor can be made of: as in the original, somebody has to take it apart.
    assert answer.error.message == "Prediction failed"
    assert "preprocess" in answer.error.traceback_text


def test_a_model_file_without_weights_runs_untrained(archived):
    assert answered(archived(handler="custom.py", model_file="doubler.py"), [5.0]) == [{"0": 0.0}]


def test_no_weights_at_all_fail_the_load(archived):
    with pytest.raises(LoadError, match="No model weights could be loaded"):
        archived(handler="custom.py")


def test_a_model_file_with_two_classes_fails_the_load(archived, files):
    (files / "doubler.py").write_text(MODEL + "\nclass Other: pass\n", encoding="utf-8")
    with pytest.raises(LoadError, match='must define exactly one class; it defines "Doubler", "Other"'):
        archived(handler="custom.py", model_file="doubler.py")


def test_weights_of_the_old_format_and_of_another_type_load_too(archived, files):
    torch.save({"factor": torch.tensor([3.0], dtype=torch.float64)}, files / "state.pt")
    torch.save(torch.load(files / "state.pt"), files / "state.pt", _use_new_zipfile_serialization=False)
    host = archived(handler="custom.py", model_file="doubler.py", serialized_file="state.pt")
    assert answered(host, [1.0]) == [{"0": 3.0}]


def broken_weights(files):
    (files / "state.pt").write_bytes(b"no weights")
    return {"model_file": "doubler.py", "serialized_file": "state.pt"}


def weights_of_another_model(files):
    torch.save({"rows": torch.ones(1)}, files / "state.pt")
    return {"model_file": "doubler.py", "serialized_file": "state.pt"}


def weights_without_a_model(files):
    return {"serialized_file": "state.pt"}


def names_that_are_no_json(files):
    (files / "index_to_name.json").write_text("cat", encoding="utf-8")
    return {"model_file": "doubler.py", "extra_files": "index_to_name.json"}


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (broken_weights, '"state.pt" cannot be read: '),
        (weights_of_another_model, '"state.pt" does not fit the model file: '),
        (weights_without_a_model, '"state.pt" is no TorchScript file; '),
        (names_that_are_no_json, '"index_to_name.json" is no JSON: '),
    ],
)
def test_what_is_wrong_with_an_archive_is_told_without_a_traceback_of_ours(archived, files, broken, words):
    with pytest.raises(LoadError) as failed:
        archived(handler="custom.py", **broken(files))
    assert failed.value.message.startswith(f'node "m" failed to load: {words}')
    assert not failed.value.traceback_text


def test_the_configuration_reaches_the_handler(archived, files):
    (files / "model-config.yaml").write_text("handler:\n  profile: true\n", encoding="utf-8")
    (files / "custom.py").write_text(
        "class H:\n"
        "    def initialize(self, context): self.config = context.model_yaml_config\n"
        "    def handle(self, data, context): return [self.config]\n",
        encoding="utf-8",
    )
    assert answered(archived(handler="custom.py", config_file="model-config.yaml"), 1) == [
        {"handler": {"profile": True}}
    ]
