import torch


def handle(data, context):
    if data is None:
        return
    return [
        torch.arange(6, dtype=torch.float32).reshape(2, 3),
        torch.ones(2, requires_grad=True) * 2,
        torch.tensor(3.5, dtype=torch.bfloat16),
        torch.tensor([[1, 2]])[:, 1],
    ]
