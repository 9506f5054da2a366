import json

import pytest
import torch

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
