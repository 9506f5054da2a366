"""The two functions of the workflow: what goes into the models, and what comes out of their votes."""

import json

from ts.utils.util import PredictionException

SIDE, DARKEST = 8, 16


def preprocess(data, context):
    """Turn {"image": 8 rows of 8 numbers from 0 to 16} into 64 bytes."""
    if data is None:
        return None
    return [pixels_of(row.get("body") or row.get("data")) for row in data]


def vote(data, context):
    """Average the probabilities that the models give to each digit."""
    if data is None:
        return None
    return [verdict({model: json.loads(answer) for model, answer in row.items()}) for row in data]


def pixels_of(value):
    if isinstance(value, bytes | bytearray):
        value = parsed(value)
    image = value.get("image") if isinstance(value, dict) else None
    if not isinstance(image, list) or len(image) != SIDE:
        raise PredictionException('send {"image": [...]} with 8 rows of 8 numbers from 0 to 16', 400)
    for number, row in enumerate(image, start=1):
        if not isinstance(row, list) or len(row) != SIDE:
            raise PredictionException(f"row {number} of the image must hold 8 numbers", 400)
        for pixel in row:
            if type(pixel) not in {int, float} or not 0 <= pixel <= DARKEST:
                raise PredictionException(f"row {number} of the image holds {pixel!r}; pixels are 0 to 16", 400)
    return bytes(round(pixel) for row in image for pixel in row)


def parsed(value):
    try:
        return json.loads(value)
    except ValueError:
        return None


def verdict(answers):
    """Return the digit with the highest mean probability, and what each model would have said alone."""
    means = [sum(each) / len(answers) for each in zip(*answers.values(), strict=True)]
    digit = best(means)
    return {
        "digit": digit,
        "probability": round(means[digit], 4),
        "votes": {model: best(answers[model]) for model in sorted(answers)},
        "probabilities": {str(each): round(mean, 4) for each, mean in enumerate(means)},
    }


def best(probabilities):
    return max(range(len(probabilities)), key=probabilities.__getitem__)
