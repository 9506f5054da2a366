"""A handler in the shape of a function: called once with None to load, then once per batch."""

from pathlib import Path

import torch
from letters import LANGUAGES, LetterRuns, batch_of

model = LetterRuns()


def predict(data, context):
    if data is None:
        folder = Path(context.system_properties["model_dir"])
        weights = folder / context.manifest["model"]["serializedFile"]
        model.load_state_dict(torch.load(weights, weights_only=True))
        return None
    texts = [row["body"].decode("utf-8") for row in data]
    with torch.inference_mode():
        chances = torch.softmax(model(*batch_of(texts)), dim=1)
    return [dict(zip(LANGUAGES, row, strict=True)) for row in chances.tolist()]
