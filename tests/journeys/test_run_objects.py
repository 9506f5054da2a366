"""A workflow whose nodes hand each other tensors, from the command line."""

import json

import pytest

SPEC = """
    dag:
      prepare: [double, negate]
      double: [join]
      negate: [join]
    wfctl:
      payload: object
      functions:
        double: {batch-size: 4, max-batch-delay: 1}
"""
HANDLER = """
    from dataclasses import dataclass

    import torch

    @dataclass
    class Sample:
        name: str
        values: torch.Tensor

    def prepare(data, context):
        if data is None:
            return None
        return [Sample(row["body"]["name"], torch.tensor(row["body"]["values"])) for row in data]

    def double(data, context):
        if data is None:
            return None
        return list(torch.stack([row["body"].values for row in data]) * 2)

    def negate(data, context):
        if data is None:
            return None
        return [Sample(row["body"].name.upper(), -row["body"].values) for row in data]

    def join(data, context):
        if data is None:
            return None
        return [{row["negate"].name: (row["double"] + row["negate"].values).tolist()} for row in data]
"""
INPUT = json.dumps({"name": "a", "values": [1.0, 2.0, 3.0]}).encode()


@pytest.mark.parametrize("how", [[], ["--inline"]])
def test_json_goes_in_and_comes_out_and_tensors_travel_between(flow, wfctl, tmp_path, how) -> None:
    (tmp_path / "in.json").write_bytes(INPUT)
    done = wfctl("run", *how, "-w", flow(SPEC, HANDLER), tmp_path / "in.json")
    assert (done.returncode, json.loads(done.stdout)) == (0, {"A": [1.0, 2.0, 3.0]}), done.stderr


@pytest.mark.parametrize("how", [[], ["--inline"]])
def test_a_value_that_json_cannot_say_travels_on_and_is_refused_where_it_would_leave(
    flow, wfctl, tmp_path, how
) -> None:
    (tmp_path / "in.json").write_bytes(INPUT)
    done = wfctl("run", *how, "-w", flow(SPEC, HANDLER), tmp_path / "in.json", "--until", "negate")
    assert (done.returncode, done.stdout) == (3, b"")
    assert "an item of type Sample cannot be sent on" in done.stderr.decode()
    assert "Traceback" not in done.stderr.decode()


@pytest.mark.parametrize("how", [[], ["--inline"]])
def test_a_class_that_the_next_node_cannot_import_is_named_with_what_to_do(flow, wfctl, tmp_path, how) -> None:
    source = tmp_path / "detector_handler.py"
    source.write_text(
        "class Detection:\n    pass\n\ndef handle(data, context):\n    return data and [Detection() for row in data]\n"
    )
    folder = flow(
        "models: {detector: {url: detector.mar}}\ndag: {detector: [show]}\nwfctl: {payload: object}\n",
        "def show(data, context):\n    return data and [str(row['body']) for row in data]\n",
    )
    packed = wfctl(
        "archive-model", "--model-name", "detector", "-v", "1.0", "--handler", source, "--export-path", folder
    )
    assert packed.returncode == 0, packed.stderr
    done = wfctl("run", *how, "-w", folder, "-", stdin=b"x")
    told = done.stderr.decode()
    assert (done.returncode, done.stdout) == (3, b"")
    assert 'node "show" cannot take what node "detector" sent: "Detection" of module "detector_handler"' in told
    assert "help: send plain values, tensors or arrays, or put the module into the archives of both nodes" in told


def test_the_check_says_that_torchserve_hands_over_bytes(flow, wfctl) -> None:
    done = wfctl("validate", flow(SPEC, HANDLER), "--output-format", "concise")
    assert done.returncode == 0
    assert "WF910" in done.stdout.decode()
