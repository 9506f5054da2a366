"""The YAML examples of the TorchServe Workflows documentation: drawn, archived and run with tiny models."""

import json
import re
from pathlib import Path

import pytest

import wfctl as wfctl_package
from wfctl.archive.mar import write_mar

OK = Path(__file__).parent.parent / "cases" / "ok"

MODEL = """
import json

class Tiny:
    def initialize(self, context):
        self.name = context.model_name

    def handle(self, data, context):
        rows = [row["body"] if isinstance(row["body"], dict) else json.loads(row["body"]) for row in data]
        return [{"seen": [*row["seen"], self.name.rpartition("__")[2]]} for row in rows]
"""

FUNCTIONS = """
import json

def _seen(row):
    parts = [value if isinstance(value, dict) else json.loads(value) for value in row.values()]
    return sorted({name for part in parts for name in part["seen"]}, key=str)

"""
FUNCTION = """
def {name}(data, context):
    if data is None:
        return None
    return [{{"seen": [*_seen(data[0]), "{name}"]}}]

"""

# Case -> (function nodes, models, nodes the answer must have passed)
EXAMPLES = {
    "torchserve-full": (["pre_processing", "postprocessing"], ["m1", "m2", "m3", "m4"]),
    "torchserve-sequential": (["function1", "function2"], ["model1", "model2"]),
    "torchserve-parallel": (["pre_processing", "aggregate_func"], ["model1", "model2"]),
    "torchserve-models": ([], ["model_name"]),
}


@pytest.fixture(params=EXAMPLES)
def example(request, tmp_path: Path):
    functions, models = EXAMPLES[request.param]
    folder = tmp_path / "example"
    folder.mkdir()
    text = (OK / f"{request.param}.yaml").read_text(encoding="utf-8")
    (folder / "workflow.yaml").write_text(text, encoding="utf-8")
    (folder / "handler.py").write_text(FUNCTIONS + "".join(FUNCTION.format(name=name) for name in functions))
    code = tmp_path / "tiny.py"
    code.write_text(MODEL)
    for name, target in re.findall(r"^  (\w+):\n    url ?: (\S+)", text, re.MULTILINE):
        write_mar(folder / target, model_name=name, handler=code)
    return folder, {*functions, *models}


def test_it_is_valid_drawn_archived_and_answers(example, wfctl) -> None:
    folder, nodes = example
    checked = wfctl("validate", folder)
    assert checked.returncode == 0, checked.stdout.decode()
    drawn = wfctl("render", folder)
    assert drawn.returncode == 0
    assert all(name in drawn.stdout.decode() for name in nodes)
    packed = wfctl("archive", folder, "--workflow-name", "example", "--export-path", folder)
    assert packed.returncode == 0, packed.stderr.decode()
    done = wfctl("run", "-w", folder / "example.war", "-", stdin=b'{"seen": []}')
    assert done.returncode == 0, done.stderr.decode()
    assert set(json.loads(done.stdout)["seen"]) == nodes


OUTPUTS = {
    "string": ('"grün"', "grün".encode()),
    "int": ("7", b"7"),
    "list": ("[1, 'a']", b'[\n  1,\n  "a"\n]'),
    "dict": ("{'a': 1, 'b': 'x'}", b'{\n  "a": 1,\n  "b": "x"\n}'),
    "json": ("{'a': [None, True, 1.5]}", b'{\n  "a": [\n    null,\n    true,\n    1.5\n  ]\n}'),
    "bytearray": ("bytearray(b'\\x00\\xff')", b"\x00\xff"),
}


@pytest.mark.parametrize("kind", OUTPUTS)
def test_every_documented_output_type_goes_through_a_run(flow, wfctl, kind) -> None:
    expression, expected = OUTPUTS[kind]
    handler = (
        f"def first(data, context):\n    return None if data is None else [{expression}]\n"
        "def second(data, context):\n    return None if data is None else [bytes(data[0]['body'])]\n"
    )
    done = wfctl("run", "-w", flow("dag:\n  first: [second]\n", handler), "-", stdin=b"x")
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout == expected


def test_every_documented_output_type_of_a_model_is_the_answer_too(flow, tmp_path) -> None:
    values = ", ".join(f"'{kind}': {expression}" for kind, (expression, _) in OUTPUTS.items())
    code = tmp_path / "model.py"
    code.write_text(
        f"VALUES = {{{values}}}\n"
        "def handle(data, context):\n    return data and [VALUES[row['body'].decode()] for row in data]\n"
    )
    folder = flow("models:\n  m: {url: m.mar}\ndag:\n  m: []\n", "")
    write_mar(folder / "m.mar", model_name="m", handler=code)
    with wfctl_package.open_deployment(folder) as opened:
        for kind, (_, expected) in OUTPUTS.items():
            assert opened.predict(kind.encode()).body == expected


def test_a_tensor_goes_through_a_run(flow, wfctl) -> None:
    handler = (
        "import io, torch\n"
        "def first(data, context):\n    return None if data is None else [torch.arange(6.0).reshape(2, 3)]\n"
        "def second(data, context):\n"
        "    if data is None:\n        return None\n"
        "    tensor = torch.load(io.BytesIO(data[0]['body']))\n"
        "    return [{'shape': list(tensor.shape), 'sum': tensor.sum().item()}]\n"
    )
    done = wfctl("run", "-w", flow("dag:\n  first: [second]\n", handler), "-", stdin=b"x")
    assert done.returncode == 0, done.stderr.decode()
    assert json.loads(done.stdout) == {"shape": [2, 3], "sum": 15.0}
