import torch


class Net(torch.nn.Module):
    def forward(self, x):
        return {"out": x * 4}
