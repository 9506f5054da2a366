"""Train the two models of the sample and measure them on digits they have not seen.

Needs scikit-learn, for the data only: pip install 'wfctl[train]'. Takes well under a minute on one core.
Run it from anywhere; it writes the weights, held_out.csv and input.json beside itself.
"""

import csv
import sys
import zipfile
from pathlib import Path

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

HERE = Path(__file__).parent
SEED, EPOCHS, BATCH = 20, 60, 64
HELD_OUT = 360

sys.path.insert(0, str(HERE / "cnn"))
from digits_cnn import DigitsCnn  # noqa: E402 - the file that also goes into the archive


def main():
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    digits = load_digits()
    images = digits.data.astype("uint8")
    seen, unseen, seen_labels, unseen_labels = train_test_split(
        images, digits.target, test_size=HELD_OUT, stratify=digits.target, random_state=SEED
    )
    inputs, labels = torch.tensor(seen) / 16, torch.tensor(seen_labels)
    cnn = trained(DigitsCnn(), inputs.reshape(-1, 1, 8, 8), labels)
    mlp = trained(nn.Sequential(nn.Linear(64, 96), nn.ReLU(), nn.Dropout(0.25), nn.Linear(96, 10)), inputs, labels)
    report(cnn, mlp, torch.tensor(unseen) / 16, torch.tensor(unseen_labels))
    torch.save(cnn.state_dict(), HERE / "cnn" / "cnn_weights.pt")
    torch.jit.trace(mlp, inputs[:2]).save(HERE / "mlp" / "mlp.pt")
    drop_source_places(HERE / "mlp" / "mlp.pt")
    write_held_out(unseen, unseen_labels)


def trained(model, inputs, labels):
    """Train for a fixed number of rounds: nothing is chosen by looking at the held-out digits."""
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    for _ in range(EPOCHS):
        for picked in torch.randperm(len(inputs)).split(BATCH):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(inputs[picked]), labels[picked]).backward()
            optimizer.step()
    return model.eval()


def report(cnn, mlp, inputs, labels):
    with torch.inference_mode():
        one = torch.softmax(cnn(inputs.reshape(-1, 1, 8, 8)), dim=1)
        other = torch.softmax(mlp(inputs), dim=1)
    for name, probabilities in (("cnn", one), ("mlp", other), ("vote", (one + other) / 2)):
        right = int((probabilities.argmax(dim=1) == labels).sum())
        print(f"{name}: {right} of {len(labels)} held-out digits right ({right / len(labels):.2%})")


def drop_source_places(path):
    """Leave out of a TorchScript file where on this machine its code stood; only error messages would tell."""
    with zipfile.ZipFile(path) as archive:
        members = [(info.filename, archive.read(info)) for info in archive.infolist()]
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members:
            if not name.endswith(".debug_pkl"):
                archive.writestr(zipfile.ZipInfo(name), content)


def write_held_out(images, labels):
    with (HERE / "held_out.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["label", *(f"p{row}{column}" for row in range(8) for column in range(8))])
        writer.writerows([int(label), *map(int, image)] for image, label in zip(images, labels, strict=True))
    seven = next(image for image, label in zip(images, labels, strict=True) if label == 7)
    rows = [", ".join(f"{int(pixel):2d}" for pixel in row) for row in seven.reshape(8, 8)]
    lines = ",\n".join(f"    [{row}]" for row in rows)
    text = f'{{\n  "image": [\n{lines}\n  ]\n}}\n'
    (HERE / "input.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
