import torch


def build(folder):
    linear = {"linear.weight": torch.tensor([[1.0, 2.0], [3.0, 4.0]]), "linear.bias": torch.zeros(2)}
    torch.save({**linear, "_extra_state": {"seen": 10}}, folder / "weights.pth")
