"""Train the sample's model on most articles of the Universal Declaration of Human Rights, measure it on the others.

Needs nothing beyond wfctl itself; takes about ten seconds on one core.
"""

import csv
import random
import sys
from pathlib import Path

import torch
from torch import nn

HERE = Path(__file__).parent
SEED, ROUNDS, BATCH = 20, 25, 64
HELD_OUT_ARTICLES = {4, 8, 12, 16, 20, 24, 28}
WORDS_OF_A_PIECE = 5

sys.path.insert(0, str(HERE / "identify"))
from letters import LANGUAGES, LetterRuns, batch_of  # noqa: E402 - the file that also goes into the archive


def main():
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    rows = read("declaration.csv")
    seen = [row for row in rows if int(row["article"]) not in HELD_OUT_ARTICLES]
    unseen = [row for row in rows if int(row["article"]) in HELD_OUT_ARTICLES]
    model = trained([(row["text"], row["language"]) for row in seen])
    paragraphs = [(row["text"], row["language"]) for row in unseen]
    pieces = [(piece, language) for text, language in paragraphs for piece in pieces_of(text)]
    everyday = [(row["text"], row["language"]) for row in read("everyday.csv")]
    for name, texts in (("paragraphs", paragraphs), ("pieces", pieces), ("everyday", everyday)):
        right = count_right(model, texts)
        print(f"{name}: {right} of {len(texts)} right ({right / len(texts):.2%})")
    torch.save(model.state_dict(), HERE / "identify" / "weights.pt")


def read(name):
    with (HERE / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def pieces_of(text):
    """Return the text in pieces of five words; what is left over at the end is dropped."""
    words = text.split()
    ends = range(WORDS_OF_A_PIECE, len(words) + 1, WORDS_OF_A_PIECE)
    return [" ".join(words[end - WORDS_OF_A_PIECE : end]) for end in ends]


def trained(texts):
    """Train on pieces of every length, so that short texts are no surprise; for a fixed number of rounds."""
    draw = random.Random(SEED)  # noqa: S311 - repeatable on purpose
    model = LetterRuns()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    for _ in range(ROUNDS):
        cut = [(piece, language) for text, language in texts for piece in random_pieces(text, draw)]
        draw.shuffle(cut)
        for at in range(0, len(cut), BATCH):
            chosen = cut[at : at + BATCH]
            labels = torch.tensor([LANGUAGES.index(language) for _, language in chosen])
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(*batch_of([piece for piece, _ in chosen])), labels).backward()
            optimizer.step()
    return model.eval()


def random_pieces(text, draw):
    words = text.split()
    while words:
        length = draw.randint(2, 12)
        yield " ".join(words[:length])
        words = words[length:]


def count_right(model, texts):
    with torch.inference_mode():
        best = model(*batch_of([text for text, _ in texts])).argmax(dim=1).tolist()
    return sum(LANGUAGES[at] == language for at, (_, language) in zip(best, texts, strict=True))


if __name__ == "__main__":
    main()
