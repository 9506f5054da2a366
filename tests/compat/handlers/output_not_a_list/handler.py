import torch


def handle(data, context):
    if data is None:
        return
    kinds = {"tuple": ("x",), "dict": {"x": 1}, "none": None, "tensor": torch.zeros(1), "text": "x"}
    return kinds[data[0]["body"]]
