"""The model: a sum of what each run of one to three letters says about the languages."""

from zlib import crc32

import torch
from torch import nn

BUCKETS = 8192
LANGUAGES = (
    "Czech",
    "Danish",
    "Dutch",
    "English",
    "Finnish",
    "French",
    "German",
    "Hungarian",
    "Italian",
    "Polish",
    "Portuguese",
    "Romanian",
    "Spanish",
    "Swedish",
)


class LetterRuns(nn.Module):
    def __init__(self):
        super().__init__()
        self.evidence = nn.EmbeddingBag(BUCKETS, len(LANGUAGES), mode="mean")
        self.sharpness = nn.Parameter(torch.tensor(1.0))

    def forward(self, buckets, starts):
        return self.evidence(buckets, starts) * self.sharpness


def batch_of(texts):
    """Return the letter runs of many texts in one row of bucket numbers, and where each text begins."""
    runs = [buckets_of(text) for text in texts]
    starts = [0]
    for run in runs[:-1]:
        starts.append(starts[-1] + len(run))
    return torch.tensor([bucket for run in runs for bucket in run]), torch.tensor(starts)


def buckets_of(text):
    letters = "".join(char if char.isalpha() else " " for char in text.lower())
    padded = f" {' '.join(letters.split())} "
    return [
        crc32(padded[at : at + length].encode()) % BUCKETS
        for length in (1, 2, 3)
        for at in range(len(padded) - length + 1)
    ]
