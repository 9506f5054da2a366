import sys

import torch


class Doubler(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.full((1,), 2.0))

    def forward(self, x):
        return x * self.scale


def build(folder):
    main = sys.modules["__main__"]
    Doubler.__module__ = "__main__"
    main.Doubler = Doubler
    torch.save(Doubler(), folder / "whole.pth")
    del main.Doubler
