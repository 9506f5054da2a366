import pytest
import torch
from torch._dynamo import register_backend, reset
from torch._dynamo.eval_frame import OptimizedModule

from wfctl.handlers.loading.pt2 import compile_options, compiled, is_aot_compiled


@pytest.fixture(autouse=True)
def own_compilers():
    reset()
    yield
    reset()


@pytest.mark.parametrize(
    ("pt2", "options"),
    [
        ("eager", {"backend": "eager"}),
        ({"backend": "aot_eager", "dynamic": True}, {"backend": "aot_eager", "dynamic": True}),
        ({}, {}),
        ({"compile": {"enable": True}}, {}),
        ({"compile": {"enable": True, "backend": "eager", "mode": "default"}}, {"backend": "eager", "mode": "default"}),
        ({"compile": {"enable": False, "backend": "eager"}}, None),
        ({"compile": {"backend": "eager"}}, None),
        ({"export": {"aot_compile": True}}, None),
        (None, None),
    ],
)
def test_each_form_of_the_configuration_is_read_and_left_as_it_is(pt2, options):
    configuration = {"pt2": pt2}
    before = repr(configuration)
    assert compile_options(configuration) == options
    assert repr(configuration) == before


def test_a_configuration_without_pt2_compiles_nothing():
    assert compile_options({}) is None


@pytest.mark.parametrize("pt2", ["fast", {"backend": "fast"}, {"compile": {"enable": True, "backend": "fast"}}])
def test_an_unknown_backend_is_warned_of_and_nothing_is_compiled(pt2, caplog):
    assert compile_options({"pt2": pt2}) is None
    assert '"fast" is no backend' in caplog.text


@pytest.mark.parametrize("pt2", [5, ["eager"], True])
def test_a_configuration_of_another_kind_is_refused(pt2):
    with pytest.raises(ValueError, match='"pt2" in the configuration must be a text or a mapping'):
        compile_options({"pt2": pt2})


@pytest.mark.parametrize(
    ("pt2", "is_ahead"),
    [
        ({"export": {"aot_compile": True}}, True),
        ({"export": {"aot_compile": False}}, False),
        ({"export": True}, False),
        ("eager", False),
        (None, False),
    ],
)
def test_only_the_export_form_announces_a_library(pt2, is_ahead):
    assert is_aot_compiled({"pt2": pt2}) is is_ahead


class Net(torch.nn.Module):
    def forward(self, x):
        return torch.relu(x) * 2


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_a_compiled_model_answers_like_the_model_and_is_what_torch_makes(backend):
    model = compiled(Net().eval(), {"backend": backend})
    assert isinstance(model, OptimizedModule)
    with torch.inference_mode():
        assert model(torch.tensor([-1.0, 3.0])).tolist() == [0.0, 6.0]


def test_the_chosen_compiler_is_the_one_that_compiles():
    seen = []

    @register_backend(name="wfctl_counts")
    def counts(graph, example):
        seen.append(graph)
        return graph.forward

    model = compiled(Net(), {"backend": "wfctl_counts"})
    assert not seen
    model(torch.ones(2))
    model(torch.ones(2))
    assert len(seen) == 1


def test_a_compiler_that_is_not_there_leaves_the_model_as_it_is(caplog):
    model = Net()
    assert compiled(model, {"backend": "nvfuser"}) is model
    assert "compiling the model (backend=nvfuser) failed, so it runs uncompiled" in caplog.text


def test_a_compiler_whose_package_is_missing_leaves_the_model_as_it_is(caplog):
    model = Net()
    assert compiled(model, {"backend": "tensorrt"}) is model
    assert "torch_tensorrt" in caplog.text


def test_a_compiler_that_fails_at_the_first_call_is_warned_of_once_and_never_asked_again(caplog):
    asked = []

    @register_backend(name="wfctl_broken")
    def broken(graph, example):
        asked.append(graph)
        raise OSError("no C++ compiler found")

    model = compiled(Net(), {"backend": "wfctl_broken"})
    for _ in range(3):
        assert model(torch.tensor([1.0])).tolist() == [2.0]
    assert len(asked) == 1
    assert caplog.text.count("runs uncompiled") == 1
    assert "no C++ compiler found" in caplog.text


def test_a_request_that_the_model_refuses_does_not_end_compiling(caplog):
    model = compiled(torch.nn.Linear(2, 1), {"backend": "eager"})
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        model(torch.ones(1, 3))
    assert model(torch.ones(1, 2)).shape == (1, 1)
    assert "uncompiled" not in caplog.text


def test_a_function_can_be_compiled_too():
    assert compiled(lambda x: x + 1, {"backend": "eager"})(torch.ones(1)).tolist() == [2.0]


def test_what_cannot_be_called_is_not_compiled(caplog):
    session = object()
    assert compiled(session, {"backend": "eager"}) is session
    assert "runs uncompiled" in caplog.text
