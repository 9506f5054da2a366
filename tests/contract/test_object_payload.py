"""``payload: object`` on every backend: values between nodes, bytes and JSON where the workflow begins and ends."""

import asyncio
import io
from functools import partial
from pathlib import Path
from textwrap import dedent

import pytest
import torch

import wfctl
from wfctl.archive.mar import write_mar
from wfctl.engine.call import Part
from wfctl.engine.engine import open_engine
from wfctl.engine.inline import InlineBackend
from wfctl.engine.local.backend import LocalBackend
from wfctl.errors import RunError
from wfctl.plan import CodeUnit, make_plan
from wfctl.spec.model import Extension, Payload, WorkerSettings
from wfctl.workflow import Node, NodeKind, Workflow

every_backend = pytest.mark.parametrize("inline", [False, True], ids=["local", "inline"])
OBJECTS = "wfctl: {payload: object}\n"


@pytest.fixture
def flow(tmp_path):
    """Return a function that writes a workflow of functions, and models from the text of their handlers."""

    def flow(spec: str, handler: str, **models: str) -> Path:
        for name, text in models.items():
            source = tmp_path / "models" / f"{name}_handler.py"
            source.parent.mkdir(exist_ok=True)
            source.write_text(dedent(text), encoding="utf-8")
            write_mar(tmp_path / f"{name}.mar", model_name=name, handler=source)
        (tmp_path / "workflow.yaml").write_text(dedent(spec), encoding="utf-8")
        (tmp_path / "handler.py").write_text(dedent(handler), encoding="utf-8")
        return tmp_path

    return flow


def answer(folder, inline, value, **options):
    with wfctl.open_deployment(folder, inline=inline, **options) as deployment:
        return deployment.predict(value)


KINDS = """
import torch

def first(data, context):
    return data and [{"tensor": torch.ones(3), "text": row["body"]["text"], "none": None, "pair": (1, 2)} for row in data]

def second(data, context):
    return data and [
        {"kind": type(row["body"]).__name__, "tensor": type(row["body"]["tensor"]).__name__,
         "sum": float(row["body"]["tensor"].sum()), "pair": type(row["body"]["pair"]).__name__, **row["body"], "tensor": 0}
        for row in data
    ]
"""


@every_backend
def test_values_reach_the_next_node_as_they_are_and_json_leaves_the_last(flow, inline):
    found = answer(flow(f"dag: {{first: [second]}}\n{OBJECTS}", KINDS), inline, {"text": "hi"})
    assert found.json() == {"kind": "dict", "tensor": 0, "sum": 3.0, "pair": [1, 2], "text": "hi", "none": None}


@every_backend
def test_without_the_key_bytes_travel_as_in_torchserve(flow, inline):
    handler = """
    def first(data, context):
        return data and [{"a": 1}]
    def second(data, context):
        return data and [type(row["body"]).__name__ for row in data]
    """
    assert answer(flow("dag: {first: [second]}\n", handler), inline, b"x").text == "bytearray"


@every_backend
@pytest.mark.parametrize(
    "made", ["'text'", "b'bytes'", "bytearray(b'array')", "None", "3", "[1, 'a', (2,)]", "{1}", "1j"]
)
def test_every_kind_of_value_stays_of_its_kind(flow, inline, made):
    handler = f"""
    def first(data, context):
        return data and [{made}]
    def second(data, context):
        return data and [row["body"] for row in data]
    def third(data, context):
        return data and [repr(row["body"]) for row in data]
    """
    found = answer(flow(f"dag: {{first: [second], second: [third]}}\n{OBJECTS}", handler), inline, b"x")
    assert found.text == repr(eval(made))


FAN = """
import torch

def split(data, context):
    return data and [torch.full((200, 200), float(row["body"])) for row in data]

def left(data, context):
    if data is None:
        return None
    for row in data:
        row["body"] += 1  # what arrives is this node's own
    return [row["body"] for row in data]

def right(data, context):
    if data is None:
        return None
    for row in data:
        row["body"] *= 2
    return [{"doubled": row["body"]} for row in data]

def join(data, context):
    return data and [[float(row["left"].mean()), float(row["right"]["doubled"].mean())] for row in data]
"""


@every_backend
def test_on_fan_in_values_come_by_their_parents_names_and_branches_do_not_disturb_each_other(flow, inline):
    folder = flow(f"dag: {{split: [left, right], left: [join], right: [join]}}\n{OBJECTS}", FAN)
    with wfctl.open_deployment(folder, inline=inline) as deployment:
        found = [each.json() for each in deployment.predict_many(range(20))]
    assert found == [[n + 1, n * 2] for n in range(20)]


@every_backend
def test_several_leaves_each_make_json(flow, inline):
    handler = """
    import torch
    def split(data, context):
        return data and [torch.ones(2)]
    def left(data, context):
        return data and [row["body"].tolist() for row in data]
    def right(data, context):
        return data and [f"sum {row['body'].sum()}" for row in data]
    """
    found = answer(flow(f"dag: {{split: [left, right]}}\n{OBJECTS}", handler), inline, b"x")
    assert found.json() == {"left": [1.0, 1.0], "right": "sum 2.0"}


@every_backend
def test_a_node_that_is_stopped_at_answers_as_a_leaf(flow, inline):
    folder = flow(f"dag: {{split: [left], left: [join]}}\n{OBJECTS}", FAN)
    found = answer(folder, inline, b"3", until="left")
    assert torch.equal(torch.load(io.BytesIO(found.body), weights_only=True), torch.full((200, 200), 4.0))


@every_backend
def test_a_batch_of_a_model_gets_rows_of_their_own(flow, inline):
    model = """
    import torch
    def handle(data, context):
        if data is None:
            return None
        batch = torch.stack([row["body"] for row in data]) * 2
        return list(batch)
    """
    handler = """
    import torch
    def make(data, context):
        return data and [torch.arange(1000.0) * row["body"] for row in data]
    def size(data, context):
        return data and [[row["body"].untyped_storage().nbytes() < 10_000, float(row["body"][1])] for row in data]
    """
    spec = f"models: {{m: {{url: m.mar, batch-size: 8, max-batch-delay: 5}}}}\ndag: {{make: [m], m: [size]}}\n{OBJECTS}"
    with wfctl.open_deployment(flow(spec, handler, m=model), inline=inline) as deployment:
        found = [each.json() for each in deployment.predict_many(range(40), window=16)]
    assert found == [[True, 2.0 * number] for number in range(40)]


SHARED = """
import dataclasses

@dataclasses.dataclass
class Box:
    label: str

class Plain:
    def __init__(self, box):
        self.box = box

def first(data, context):
    return data and [Plain(Box("a"))]

def second(data, context):
    return data and [[type(row["body"]) is Plain, row["body"].box == Box("a")] for row in data]
"""


@every_backend
def test_functions_share_the_classes_of_their_handler_file(flow, inline):
    assert answer(flow(f"dag: {{first: [second]}}\n{OBJECTS}", SHARED), inline, b"x").json() == [True, True]


@every_backend
def test_a_class_that_only_its_model_knows_is_the_next_nodes_error_by_name(flow, inline):
    model = """
    class Detection:
        pass
    def handle(data, context):
        return data and [Detection() if row["body"] == "class" else {"label": row["body"]} for row in data]
    """
    handler = """
    def make(data, context):
        return data and [bytes(row["body"]).decode() for row in data]
    def show(data, context):
        return data and [row["body"]["label"] for row in data]
    """
    spec = """
    models: {m: {url: m.mar}}
    dag: {make: [m], m: [show]}
    wfctl: {payload: object, functions: {show: {batch-size: 4, max-batch-delay: 20}}}
    """
    folder = flow(spec, handler, m=model)

    async def main():
        async with wfctl.open_deployment(folder, inline=inline) as deployment:
            runs = map(deployment.apredict, (b"a", b"class", b"b"))
            return await asyncio.gather(*runs, return_exceptions=True)

    good, bad, other = asyncio.run(main())
    assert (good.text, other.text) == ("a", "b")
    assert isinstance(bad, RunError)
    assert (bad.node, bad.message) == ("show", "Unsupported model input data type.")
    assert 'node "show" cannot take what node "m" sent: "Detection" of module "m_handler" is not known here' in str(bad)
    assert "help: send plain values, tensors or arrays" in bad.traceback_text


@every_backend
@pytest.mark.parametrize(
    ("raised", "said"), [("KeyError('mine')", "KeyError: 'mine'"), ("SystemExit(3)", "SystemExit: 3")]
)
def test_what_taking_a_value_apart_raises_is_its_nodes_error(flow, inline, raised, said):
    handler = f"""
    class Hostile:
        def __reduce__(self):
            raise {raised}
    def first(data, context):
        return data and [Hostile() if row["body"] == b"bad" else "good" for row in data]
    def second(data, context):
        return data and [row["body"] for row in data]
    """
    with wfctl.open_deployment(flow(f"dag: {{first: [second]}}\n{OBJECTS}", handler), inline=inline) as deployment:
        with pytest.raises(RunError, match=f"item of type Hostile cannot be handed on: {said}") as caught:
            deployment.predict(b"bad")
        assert (caught.value.node, caught.value.message) == ("first", "Unsupported model output data type.")
        assert deployment.predict(b"fine").text == "good"


@every_backend
@pytest.mark.parametrize("raised", ["ValueError('mine')", "SystemExit(3)"])
def test_what_rebuilding_a_value_raises_is_the_error_of_the_node_that_got_it(flow, inline, raised):
    handler = f"""
    def explode():
        raise {raised}
    class Hostile:
        def __reduce__(self):
            return explode, ()
    def first(data, context):
        return data and [Hostile() if row["body"] == b"bad" else "good" for row in data]
    def second(data, context):
        return data and [row["body"] for row in data]
    """
    with wfctl.open_deployment(flow(f"dag: {{first: [second]}}\n{OBJECTS}", handler), inline=inline) as deployment:
        with pytest.raises(RunError, match="rebuilding it raised") as caught:
            deployment.predict(b"bad")
        assert caught.value.node == "second"
        assert deployment.predict(b"fine").text == "good"


@every_backend
@pytest.mark.parametrize("output", ["data[:1] * 3", "None", "{}"])
def test_a_wrong_number_of_values_is_the_nodes_error(flow, inline, output):
    handler = f"""
    def first(data, context):
        return data and {output}
    def second(data, context):
        return data and [1]
    """
    with pytest.raises(RunError) as caught:
        answer(flow(f"dag: {{first: [second]}}\n{OBJECTS}", handler), inline, b"x")
    assert caught.value.node == "first"


@every_backend
def test_a_value_that_contains_itself_arrives_and_is_refused_at_the_edge(flow, inline):
    handler = """
    def first(data, context):
        loop = []
        loop.append(loop)
        return data and [loop]
    def second(data, context):
        return data and [row["body"] if row["body"][0] is row["body"] else "lost" for row in data]
    """
    with pytest.raises(RunError, match=r"an item of type list cannot be sent on: .*[Cc]ircular") as caught:
        answer(flow(f"dag: {{first: [second]}}\n{OBJECTS}", handler), inline, b"x")
    assert caught.value.node == "second"


@every_backend
def test_a_status_of_the_handlers_fails_its_item_whatever_it_returned(flow, inline):
    handler = """
    def first(data, context):
        if data:
            context.set_response_status(code=418, idx=0)
        return data and [{"a", "set"}]
    def second(data, context):
        return data and [1]
    """
    with pytest.raises(RunError, match="status 418") as caught:
        answer(flow(f"dag: {{first: [second]}}\n{OBJECTS}", handler), inline, b"x")
    assert (caught.value.node, caught.value.status) == ("first", 418)


@every_backend
def test_pieces_sent_early_arrive_as_bytes_before_the_rest(flow, inline):
    handler = """
    from ts.handler_utils.utils import send_intermediate_predict_response
    def first(data, context):
        if data is None:
            return None
        send_intermediate_predict_response(["one "], context.request_ids, "", 200, context)
        return ["two"]
    def second(data, context):
        return data and [repr(row["body"]) for row in data]
    """
    assert answer(flow(f"dag: {{first: [second]}}\n{OBJECTS}", handler), inline, b"x").text == "b'one two'"


@every_backend
def test_pictures_and_arrays_travel(flow, inline):
    handler = """
    import io
    import numpy as np
    from PIL import Image
    def read(data, context):
        return data and [Image.open(io.BytesIO(row["body"])) for row in data]
    def turn(data, context):
        return data and [np.asarray(row["body"]).transpose(1, 0, 2) for row in data]
    def show(data, context):
        return data and [[*row["body"].shape, row["body"].flags.writeable, int(row["body"].sum())] for row in data]
    """
    from PIL import Image

    file = io.BytesIO()
    Image.new("RGB", (300, 200), (1, 2, 3)).save(file, "PNG")
    folder = flow(f"dag: {{read: [turn], turn: [show]}}\n{OBJECTS}", handler)
    assert answer(folder, inline, file.getvalue()).json() == [300, 200, 3, True, 6 * 300 * 200]


@pytest.mark.parametrize("make", [LocalBackend, InlineBackend])
@pytest.mark.parametrize(
    ("made", "said"), [("torch.ones(2)", None), ("torch.nn.Linear(1, 1)", "Linear"), ("Own()", "Own")]
)
def test_a_node_that_is_not_trusted_sends_plain_values_and_tensors_only(tmp_path, make, made, said):
    giver, taker = tmp_path / "giver", tmp_path / "taker"
    for folder in (giver, taker):
        folder.mkdir()
    (giver / "handler.py").write_text(
        f"import torch\nclass Own: pass\ndef handle(data, context):\n    return data and [{made}]\n"
    )
    # The taker knows the class too: what is refused is refused for who sent it.
    (taker / "handler.py").write_text(
        "import torch\nclass Own: pass\ndef handle(data, context):\n    return data and [str(row['body'].sum()) for row in data]\n"
    )
    node = partial(Node, kind=NodeKind.FUNCTION, settings=WorkerSettings(max_batch_delay_ms=0))
    workflow = Workflow(
        nodes=(
            node(name="giver", parents=(), children=("taker",)),
            node(name="taker", parents=("giver",), children=()),
        ),
        extension=Extension(payload=Payload.OBJECT),
    )
    code = {
        folder.name: CodeUnit(
            model_dir=str(folder), handler="handler.py:handle", manifest=None, is_trusted=folder is taker
        )
        for folder in (giver, taker)
    }

    async def main():
        plan = make_plan(workflow, name="flow", code=code)
        async with open_engine(plan, make(), on_output=lambda *_: None) as engine:
            return await engine.run((Part("body", b"x", ""),))

    if said is None:
        assert asyncio.run(main()).body == b"tensor(2.)"
        return
    with pytest.raises(
        RunError, match=f'"{said}" of module .* is not taken from a node whose code is not trusted'
    ) as caught:
        asyncio.run(main())
    assert caught.value.node == "taker"


def test_a_value_that_no_frame_can_hold_is_its_nodes_error(flow):
    handler = """
    import torch
    def first(data, context):
        return data and [torch.empty(2**31 + 1, dtype=torch.uint8) if row["body"] == b"huge" else "small" for row in data]
    def second(data, context):
        return data and [row["body"] for row in data]
    """
    with wfctl.open_deployment(flow(f"dag: {{first: [second]}}\n{OBJECTS}", handler)) as deployment:
        with pytest.raises(RunError, match="bytes are too many for one batch") as caught:
            deployment.predict(b"huge")
        assert caught.value.node == "first"
        assert deployment.predict(b"x").text == "small"


@every_backend
def test_a_value_of_20_mb_passes_through_a_chain(flow, inline):
    handler = """
    import torch
    def a(data, context):
        return data and [torch.ones(5_000_000) for row in data]
    def b(data, context):
        return data and [row["body"].add_(1) for row in data]
    def c(data, context):
        return data and [float(row["body"].sum()) for row in data]
    """
    assert answer(flow(f"dag: {{a: [b], b: [c]}}\n{OBJECTS}", handler), inline, b"x").json() == 10_000_000.0
