import onnx
import pytest
import torch
from onnx import TensorProto, helper

from wfctl.handlers.base_handler import BaseHandler
from wfctl.handlers.loading.onnx_session import is_session, load_onnx
from wfctl.handlers.unloadable import UnloadableModelError


@pytest.fixture
def write(tmp_path):
    """Return a function that writes a model which adds its inputs, and doubles them beside if asked to."""

    def make(*outputs, inputs=("x",)):
        def tensor(name):
            return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 2])

        nodes = [helper.make_node("Add", [inputs[0], inputs[-1]], [name]) for name in outputs]
        graph = helper.make_graph(nodes, "adds", [tensor(each) for each in inputs], [tensor(each) for each in outputs])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
        onnx.save(model, tmp_path / "m.onnx")
        return str(tmp_path / "m.onnx")

    return make


class Rows(BaseHandler):
    def preprocess(self, data):
        return torch.tensor([row["body"] for row in data])


def test_a_session_is_what_handlers_get_as_the_model(write):
    session = load_onnx(write("y"), "cpu")
    assert is_session(session)
    assert session.get_providers() == ["CPUExecutionProvider"]
    assert session.get_session_options().intra_op_num_threads == torch.get_num_threads()


def test_a_model_in_onnx_answers_through_the_base_handler(write, context, batch):
    write("y")
    handler, about = Rows(), context(serializedFile="m.onnx")
    handler.initialize(about)
    assert batch(handler, about, {"body": [1.0, 2.0]}, {"body": [3.0, 4.0]}) == [[2.0, 4.0], [6.0, 8.0]]


def test_a_handler_may_run_the_session_itself(write, context, batch):
    class Own(Rows):
        def inference(self, data):
            return self.model.run(None, {"x": data.numpy()})[0]

    write("y")
    handler, about = Own(), context(serializedFile="m.onnx")
    handler.initialize(about)
    assert batch(handler, about, {"body": [1.0, 2.0]}) == [[2.0, 4.0]]


def test_several_inputs_and_outputs_keep_their_order(write):
    handler = BaseHandler()
    handler.model = load_onnx(write("y", "z", inputs=("a", "b")), "cpu")
    y, z = handler.inference(torch.tensor([[1.0, 2.0]]), torch.tensor([[10.0, 20.0]]))
    assert y.tolist() == z.tolist() == [[11.0, 22.0]]


def test_a_file_that_is_no_onnx_is_named(tmp_path):
    (tmp_path / "m.onnx").write_bytes(b"no model")
    with pytest.raises(UnloadableModelError, match=r'"m\.onnx" cannot be read as ONNX: '):
        load_onnx(str(tmp_path / "m.onnx"), "cpu")


def test_a_model_that_can_be_called_is_no_session():
    assert not is_session(torch.nn.Identity())
    assert not is_session(lambda x: x)
