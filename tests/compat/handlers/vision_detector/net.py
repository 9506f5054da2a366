import torch


class Net(torch.nn.Module):
    def forward(self, images):
        found = []
        for image in images:
            means = image.mean(dim=(1, 2))
            boxes = torch.tensor([[0.0, 0.0, 1.0, 2.0], [1.0, 1.0, 3.0, 4.0], [2.0, 0.0, 8.0, 6.0]])
            found.append({"boxes": boxes, "labels": torch.tensor([1, 2, 3]), "scores": means * 0.5})
        return found
