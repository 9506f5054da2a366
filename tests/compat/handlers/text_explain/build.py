import torch


def build(folder):
    weights = torch.arange(16, dtype=torch.float32).reshape(8, 2) / 8
    weights[1] = torch.tensor([0.0, 2.0])
    weights[2] = torch.tensor([3.0, 0.0])
    torch.save({"embedding.weight": weights}, folder / "weights.pth")
    words = ["<unk>", "good", "bad", "dog", "is", "not", "it", "good dog"]
    bigrams = {a + " " + b: 0 for a in words for b in words if " " not in a + b}
    torch.save(bigrams | {word: index for index, word in enumerate(words)}, folder / "source_vocab.pt")
