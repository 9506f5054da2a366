import torch


class Net(torch.nn.Module):
    def forward(self, x):
        return torch.cat([x.mean(dim=(2, 3)), (x * x).mean(dim=(2, 3))], dim=1)
