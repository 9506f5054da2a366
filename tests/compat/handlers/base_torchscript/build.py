import torch


class Sum(torch.nn.Module):
    def forward(self, x):
        return torch.cat([x.sum(dim=1, keepdim=True), x.max(dim=1, keepdim=True).values], dim=1)


def build(folder):
    torch.jit.trace(Sum(), torch.zeros(1, 3)).save(str(folder / "model.pt"))
