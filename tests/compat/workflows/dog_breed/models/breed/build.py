import torch


def build(folder):
    weight = torch.tensor([[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]])
    torch.save({"layer.weight": weight}, folder / "breed_net.pth")
