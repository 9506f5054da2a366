import torch


class BreedNet(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(4, 3, bias=False)

    def forward(self, x):
        return self.layer(x)
