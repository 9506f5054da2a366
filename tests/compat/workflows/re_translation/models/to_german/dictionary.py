import torch


class Dictionary(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("becomes", torch.zeros(3, dtype=torch.long))

    def forward(self, x):
        return self.becomes[x]
