"""Models compiled ahead of time to machine code: needs a C++ compiler, and fails without one."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.timeout(600)

MODEL = """
import sys, torch

class Doubles(torch.nn.Module):
    def forward(self, x):
        return torch.relu(x) * 2

batch = torch.export.Dim("batch", min=2, max=64)
program = torch.export.export(Doubles().eval(), (torch.ones(4, 2),), dynamic_shapes={"x": {0: batch}})
"""
PACKAGE = MODEL + "torch._inductor.aoti_compile_and_package(program, package_path=sys.argv[1])\n"
LIBRARY = MODEL + (
    "torch._inductor.aot_compile(program.module(), (torch.ones(4, 2),),"
    " options={'aot_inductor.output_path': sys.argv[1]})\n"
)
ANSWERS = """
import sys, torch
from wfctl.handlers.base_handler import BaseHandler
from wfctl.handlers.context import Context

folder, name = sys.argv[1:]
config = {"pt2": {"export": {"aot_compile": True}}}
context = Context(model_name="m", model_dir=folder, manifest={"model": {"serializedFile": name}}, batch_size=1,
                  model_yaml_config=config)
handler = BaseHandler()
handler.initialize(context)
print(handler.postprocess(handler.inference(torch.tensor([[-1.0, 1.0], [2.0, 3.0], [0.0, 4.0], [5.0, 5.0]]))))
"""


@pytest.mark.parametrize(("code", "name"), [(PACKAGE, "m.pt2"), (LIBRARY, "m.so")])
def test_machine_code_answers_through_the_base_handler(tmp_path, code, name):
    made = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / name)], capture_output=True, text=True, cwd=tmp_path
    )
    assert made.returncode == 0, made.stderr
    done = subprocess.run([sys.executable, "-c", ANSWERS, str(tmp_path), name], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().splitlines()[-1] == "[[0.0, 2.0], [4.0, 6.0], [0.0, 8.0], [10.0, 10.0]]"
