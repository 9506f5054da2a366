import json

import pytest
import torch

from wfctl.handlers import profiling
from wfctl.handlers.base_handler import BaseHandler

# Some releases of torch warn once of their own default.
pytestmark = pytest.mark.filterwarnings("ignore:Warning. Profiler clears events:UserWarning")


class Doubling(BaseHandler):
    def preprocess(self, data):
        return torch.tensor([row["body"] for row in data])

    def get_insights(self, tensor, inputs, target):
        return [{"inputs": inputs}]

    def describe_handle(self):
        return "doubles"


@pytest.fixture
def profiled(monkeypatch, tmp_path, context):
    monkeypatch.setenv("ENABLE_TORCH_PROFILER", "true")
    monkeypatch.setattr(profiling, "TRACES", str(tmp_path / "traces"))
    made = Doubling()
    made.model, made.device = (lambda tensor: tensor * 2), torch.device("cpu")
    return made, context()


def steps_of(folder):
    (trace,) = folder.iterdir()
    events = json.loads(trace.read_text(encoding="utf-8"))["traceEvents"]
    names = {event["name"] for event in events}
    return names & {"preprocess", "inference", "postprocess", "explain"}


def test_the_steps_are_written_under_the_name_of_the_model(profiled, batch, tmp_path):
    made, about = profiled
    assert batch(made, about, {"body": [1.0]}) == [[2.0]]
    assert steps_of(tmp_path / "traces" / "m") == {"preprocess", "inference", "postprocess"}
    assert made.profiler_args["record_shapes"]
    assert about.metrics.times["HandlerTime"] > 0


def test_explaining_is_profiled_as_such(profiled, batch, tmp_path):
    made, about = profiled
    assert batch(made, about, {"body": [1.0]}, explain="True") == [{"inputs": [1.0]}]
    assert steps_of(tmp_path / "traces" / "m") == {"preprocess", "explain"}


def test_what_a_handler_says_of_itself_is_not_profiled(profiled, batch, tmp_path):
    made, about = profiled
    assert batch(made, about, {"body": [1.0]}, describe="True") == ["doubles"]
    assert not (tmp_path / "traces").exists()


def test_a_handler_may_say_what_is_profiled_and_where_it_goes(profiled, batch, tmp_path):
    made, about = profiled
    seen = []
    made.profiler_args = {"activities": [torch.profiler.ProfilerActivity.CPU], "on_trace_ready": seen.append}
    batch(made, about, {"body": [1.0]})
    assert len(seen) == 1
    assert "record_shapes" not in made.profiler_args
    assert not (tmp_path / "traces").exists()


def test_the_switch_is_read_at_every_call(profiled, batch, tmp_path, monkeypatch):
    made, about = profiled
    monkeypatch.delenv("ENABLE_TORCH_PROFILER")
    batch(made, about, {"body": [1.0]})
    assert not (tmp_path / "traces").exists()


def test_traces_go_where_those_of_the_original_go():
    assert profiling.TRACES == "/tmp/pytorch_profiler"
