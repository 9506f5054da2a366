import json
import re

import pytest
import torch
from noted_times import NotedTimes

from wfctl.handlers.base_handler import BaseHandler
from wfctl.handlers.context import Context


class Doubling(BaseHandler):
    def preprocess(self, data):
        return super().preprocess([row["body"] for row in data])

    def get_insights(self, tensor, inputs, target):
        return [{"shape": list(tensor.shape), "inputs": inputs, "target": target}]

    def describe_handle(self):
        return {"about": "doubles"}


@pytest.fixture
def handler(tmp_path):
    context = Context(model_name="flow__m", model_dir=str(tmp_path), manifest={}, batch_size=1)
    made = Doubling()
    made.model, made.device = (lambda tensor: tensor * 2), torch.device("cpu")
    return made, context


def answered(handler, rows, **headers):
    made, context = handler
    context.begin_batch(["id"] * len(rows), [dict(headers) for _ in rows])
    return made.handle(rows, context)


def test_the_three_steps_follow_each_other_and_are_timed(handler):
    assert answered(handler, [{"body": [1.0]}, {"body": [2.0]}]) == [[2.0], [4.0]]
    assert [each.value >= 0 for each in handler[1].metrics.reported() if each.name == "HandlerTime"] == [True]


def test_nothing_is_kept_for_training(handler):
    handler[0].model = lambda tensor: torch.tensor([float(torch.is_inference_mode_enabled())])
    assert answered(handler, [{"body": [1.0]}]) == [1.0]


def test_a_header_asks_for_a_description(handler):
    assert answered(handler, [{"body": [1.0]}], describe="True") == [{"about": "doubles"}]


def test_a_header_asks_for_an_explanation(handler):
    (insight,) = answered(handler, [{"body": [1.0, 2.0]}], explain="True")
    assert insight == {"shape": [1, 2], "inputs": [1.0, 2.0], "target": 0}
    assert handler[0].explain
    answered(handler, [{"body": [1.0]}])
    assert not handler[0].explain


def test_the_class_to_explain_stands_beside_the_input(handler):
    (insight,) = answered(handler, [{"data": [3.0], "body": [1.0], "target": 2}], explain="True")
    assert (insight["inputs"], insight["target"]) == ([3.0], 2)


@pytest.mark.parametrize("asked", ["true", "False", "", True])
def test_only_the_word_true_asks_for_anything(handler, asked):
    assert answered(handler, [{"body": [1.0]}], explain=asked, describe=asked) == [[2.0]]


def test_the_time_of_a_description_is_reported_too(handler):
    handler[1].metrics = NotedTimes()
    answered(handler, [{"body": [1.0]}], describe="True")
    assert handler[1].metrics.times["HandlerTime"] >= 0


def test_steps_are_timed_where_the_configuration_asks(handler):
    handler[1].model_yaml_config = {"handler": {"profile": True}}
    handler[1].metrics = NotedTimes()
    answered(handler, [{"body": [1.0]}])
    steps = {"ts_handler_preprocess", "ts_handler_inference", "ts_handler_postprocess"}
    assert steps <= handler[1].metrics.times.keys()


def test_a_handler_that_cannot_explain_says_so():
    made = BaseHandler()
    context = Context(model_name="m", model_dir="/", manifest={}, batch_size=1)
    context.begin_batch(["id"], [{"explain": "True"}])
    with pytest.raises(NotImplementedError, match="cannot explain"):
        made.handle([], context)


def test_class_names_are_read_while_loading(tmp_path):
    class Named(BaseHandler):
        def _load_pickled_model(self, model_dir, model_file, model_pt_path):
            return torch.nn.Identity()

    (tmp_path / "index_to_name.json").write_text(json.dumps({"0": "zero"}), encoding="utf-8")
    manifest = {"model": {"modelFile": "overridden.py"}}
    made = Named()
    made.initialize(Context(model_name="m", model_dir=str(tmp_path), manifest=manifest, batch_size=1, gpu_id=None))
    assert (made.mapping, made.initialized, str(made.device)) == ({"0": "zero"}, True, "cpu")
    assert not made.model.training


class ForeignContext:
    """What people write for their own tests: just what the original looks at."""

    def __init__(self, folder, **names):
        self.manifest = {"model": names}
        self.system_properties = {"model_dir": str(folder), "gpu_id": "0"}
        self.metrics = NotedTimes()

    def get_request_header(self, idx, key):
        return False


MODEL = """
import torch

class Doubler(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.factor = torch.nn.Parameter(torch.tensor([2.0]))
    def forward(self, x):
        return x * self.factor
"""


def test_a_context_of_others_is_enough(tmp_path, model_file, monkeypatch):
    def refuse():
        raise RuntimeError("no driver here")

    # Also where there is one. Torch that has no CUDA cannot be initialised either, and is asked why.
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "init", refuse)
    made = Doubling()
    context = ForeignContext(tmp_path, modelFile=model_file(MODEL))
    made.initialize(context)
    assert made.handle([{"body": [3.0]}], context) == [[6.0]]
    assert (made.mapping, made.model_yaml_config, made.get_device()) == (None, {}, torch.device("cpu"))


def test_a_context_of_others_is_one_of_a_trusted_archive(tmp_path, model_file):
    name = model_file(MODEL)
    made = Doubling()
    made.initialize(ForeignContext(tmp_path, modelFile=name))
    torch.save(made.model, tmp_path / "w.pt")
    made.initialize(ForeignContext(tmp_path, modelFile=name, serializedFile="w.pt"))
    assert made.model.factor.item() == 2


def test_whole_models_of_an_archive_that_is_not_trusted_are_refused(tmp_path, context, model_file):
    name = model_file(MODEL)
    made = Doubling()
    made.initialize(context(modelFile=name))
    torch.save(made.model, tmp_path / "w.pt")
    with pytest.raises(RuntimeError, match="--trust"):
        made.initialize(context(modelFile=name, serializedFile="w.pt", is_trusted=False))


@pytest.mark.parametrize(("told", "is_read"), [("1", True), (None, False)])
def test_without_any_context_the_environment_says_who_is_trusted(tmp_path, monkeypatch, model_file, told, is_read):
    name = model_file(MODEL)
    path = str(tmp_path / "w.pt")
    torch.save(BaseHandler()._load_pickled_model(str(tmp_path), name, None), path)
    if told:
        monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", told)
    else:
        monkeypatch.delenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", raising=False)
    made = BaseHandler()
    if is_read:
        assert made._load_pickled_model(str(tmp_path), name, path).factor.item() == 2
    else:
        with pytest.raises(RuntimeError, match="--trust"):
            made._load_pickled_model(str(tmp_path), name, path)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ({}, "the manifest names neither weights (serializedFile) nor a model file (modelFile)"),
        ({"serializedFile": "w.safetensors"}, 'the manifest names "w.safetensors" and no model file'),
        ({"serializedFile": "weights"}, 'the manifest names "weights" and no model file'),
        ({"serializedFile": "w.so"}, '"w.so" is a library, which the configuration must announce by "pt2: {export:'),
    ],
)
def test_weights_that_nothing_can_be_made_of_are_told_with_what_was_there(context, names, words):
    with pytest.raises(RuntimeError, match=re.escape(f"No model weights could be loaded: {words}")):
        BaseHandler().initialize(context(**names))


def test_a_manifest_of_none_names_no_weights(context):
    about = context()
    about.manifest = None
    with pytest.raises(RuntimeError, match="No model weights could be loaded"):
        BaseHandler().initialize(about)


def test_each_suffix_goes_through_the_method_that_a_subclass_overrides(context):
    class Loading(BaseHandler):
        def _load_torchscript_model(self, model_pt_path):
            return torch.nn.Identity().train()

        def _load_torch_export_aot_compile(self, model_so_path):
            return model_so_path

    made = Loading()
    made.initialize(context(serializedFile="w.pt"))
    assert isinstance(made.model, torch.nn.Identity)
    assert not made.model.training
    made.initialize(context(serializedFile="w.so", pt2={"export": {"aot_compile": True}}))
    assert made.model == made.model_pt_path
    assert made.model_pt_path.endswith("/w.so")


def test_an_exported_program_runs_as_it_is(tmp_path, context, batch):
    program = torch.export.export(torch.nn.ReLU(), (torch.ones(1, 2),))
    torch.export.save(program, tmp_path / "m.pt2")
    made, about = Doubling(), context(serializedFile="m.pt2")
    made.initialize(about)
    assert batch(made, about, {"body": [-1.0, 2.0]}) == [[0.0, 2.0]]


@pytest.mark.parametrize("pt2", ["eager", {"compile": {"enable": True, "backend": "aot_eager"}}])
def test_a_model_is_compiled_where_the_configuration_asks(context, model_file, batch, pt2):
    made, about = Doubling(), context(modelFile=model_file(MODEL), pt2=pt2)
    made.initialize(about)
    assert type(made.model).__name__ == "OptimizedModule"
    assert batch(made, about, {"body": [1.0]}) == [[2.0]]


def test_a_torchscript_model_is_asked_to_compile_and_answers_in_any_case(tmp_path, context, batch):
    torch.jit.script(torch.nn.ReLU()).save(tmp_path / "m.pt")
    made, about = Doubling(), context(serializedFile="m.pt", pt2="eager")
    made.initialize(about)
    assert batch(made, about, {"body": [-1.0, 1.0]}) == [[0.0, 1.0]]


def test_a_model_whose_eval_gives_nothing_back_stays(context, model_file):
    text = (
        MODEL
        + "    def eval(self):\n        self.train(False)\n    def to(self, device):\n        self.went = device\n"
    )
    made = BaseHandler()
    made.initialize(context(modelFile=model_file(text)))
    assert (made.model.training, made.model.went) == (False, torch.device("cpu"))


def test_a_subclass_that_makes_nothing_of_the_base_can_still_answer(batch, context):
    class Bare(BaseHandler):
        def __init__(self):
            self.model, self.device = torch.nn.Identity(), torch.device("cpu")

        def preprocess(self, data):
            return torch.tensor([row["body"] for row in data])

    assert batch(Bare(), context(), {"body": [1.0]}) == [[1.0]]


def test_the_attributes_are_those_of_the_original():
    assert set(vars(BaseHandler())) == {
        "model", "mapping", "device", "initialized", "context", "model_pt_path", "manifest", "map_location", "explain",
        "target", "profiler_args", "model_yaml_config",
    }  # fmt: skip
    own = {name for name in vars(BaseHandler) if not name.startswith("__") and name != "_abc_impl"}
    assert own == {
        "initialize", "preprocess", "inference", "postprocess", "handle", "explain_handle", "describe_handle",
        "get_device", "_is_explain", "_is_describe", "_infer_with_profiler", "_load_torchscript_model",
        "_load_pickled_model", "_load_torch_export_aot_compile", "_use_torch_export_aot_compile",
    }  # fmt: skip
