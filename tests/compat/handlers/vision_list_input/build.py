import torch


class Colours(torch.nn.Module):
    def forward(self, x):
        return torch.cat([x.mean(dim=(2, 3)), x.amin(dim=(2, 3))], dim=1)


def build(folder):
    torch.jit.trace(Colours(), torch.zeros(1, 3, 224, 224)).save(str(folder / "model.pt"))
