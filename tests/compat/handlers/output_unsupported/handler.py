import torch


def handle(data, context):
    if data is None:
        return
    items = {"set": {1}, "object": object(), "bytes inside": [b"x"], "tensor inside": {"t": torch.zeros(1)}}
    return [items.get(row["body"], "fine") for row in data]
