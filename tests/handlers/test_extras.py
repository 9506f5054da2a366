import subprocess
import sys

import pytest

from wfctl.handlers.extras import extra

HIDE = """
import sys
class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition('.')[0] in {hidden!r}:
            raise ModuleNotFoundError(f'No module named {{name!r}}', name=name)
sys.meta_path.insert(0, Hidden())
"""


def without(hidden, code):
    """Run a program in an interpreter where some libraries are not installed, and return its last line of errors."""
    done = subprocess.run([sys.executable, "-c", HIDE.format(hidden=hidden) + code], capture_output=True, text=True)
    return done.stderr.strip().splitlines()[-1] if done.returncode else done.stdout.strip()


@pytest.mark.parametrize(
    ("module", "hidden"),
    [("vision_handler", "PIL"), ("image_classifier", "torchvision"), ("object_detector", "torchvision")],
)
def test_a_handler_of_pictures_names_the_extra_that_is_missing(module, hidden):
    told = without([hidden], f"import wfctl.handlers.vision.{module}")
    assert f'the handler needs "{hidden}", which is not installed' in told
    assert told.endswith('pip install "wfctl[vision]"')


def test_a_model_in_onnx_names_the_extra_that_is_missing():
    told = without(
        ["onnxruntime"], "from wfctl.handlers.loading.onnx_session import load_onnx; load_onnx('m.onnx', 'cpu')"
    )
    assert told.endswith('needs "onnxruntime", which is not installed; install it by: pip install "wfctl[onnx]"')


def test_texts_are_classified_without_captum_and_only_explaining_asks_for_it():
    code = (
        "import wfctl.handlers.text.text_classifier as text, torch\n"
        "handler = text.TextClassifier()\n"
        "handler.model = torch.nn.Sequential()\n"
        "handler.model.embedding = torch.nn.Embedding(1, 1)\n"
        "print('loaded', flush=True)\n"
        "handler.lig"
    )
    assert without(["captum"], code).endswith('pip install "wfctl[explain]"')
    assert without(["captum"], code.removesuffix("\nhandler.lig")) == "loaded"


def test_a_library_made_for_another_torch_is_said_to_be_that():
    with (
        pytest.raises(
            ImportError, match=r"does not load \(operator x::y does not exist\).*--upgrade \"wfctl\[vision\]"
        ),
        extra("vision"),
    ):
        raise RuntimeError("operator x::y does not exist")


def test_the_base_handler_needs_none_of_the_extras():
    hidden = ["PIL", "torchvision", "onnxruntime", "captum", "numpy"]
    assert without(hidden, "import wfctl.handlers.base_handler; print('loaded')") == "loaded"
