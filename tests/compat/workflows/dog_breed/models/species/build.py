import torch


class Brightness(torch.nn.Module):
    def forward(self, x):
        bright = x.mean(dim=1, keepdim=True)
        return torch.cat([100 - bright, bright - 100], dim=1)


def build(folder):
    torch.jit.trace(Brightness(), torch.zeros(1, 4)).save(str(folder / "model.pt"))
