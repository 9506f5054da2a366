import torch


def build(folder):
    torch.save({"norm.1.weight": torch.tensor([[2.0, 1.0]]), "norm.1.bias": torch.tensor([0.5])}, folder / "weights.pth")
