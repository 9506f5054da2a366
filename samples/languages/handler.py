"""The two functions around the model: bytes to text, probabilities to an answer."""

import json

from ts.utils.util import PredictionException

LONGEST = 10_000
FEWEST_LETTERS = 3


def read_text(data, context):
    """Make text of what was sent; a text about which nothing can be said is refused here."""
    if data is None:
        return None
    return [text_of(row.get("body") or row.get("data")) for row in data]


def answer(data, context):
    """Name the language, and the one it might be instead."""
    if data is None:
        return None
    return [named(json.loads(row["body"])) for row in data]


def text_of(sent):
    if isinstance(sent, bytes | bytearray):
        try:
            sent = sent.decode("utf-8")
        except UnicodeDecodeError as reason:
            raise PredictionException(f"the text is not UTF-8: byte {reason.start} cannot be read", 400) from reason
    if not isinstance(sent, str) or not sent.strip():
        raise PredictionException("send a text: there is none in the request", 400)
    if len(sent) > LONGEST:
        raise PredictionException(f"the text has {len(sent)} characters; {LONGEST} are allowed", 413)
    letters = sum(map(str.isalpha, sent))
    if letters < FEWEST_LETTERS:
        raise PredictionException(f"the text has {letters} letters; a language needs at least {FEWEST_LETTERS}", 400)
    return " ".join(sent.split())


def named(probabilities):
    (language, probability), (other, other_probability) = sorted(
        probabilities.items(), key=lambda pair: pair[1], reverse=True
    )[:2]
    return {
        "language": language,
        "probability": round(probability, 4),
        "otherwise": {"language": other, "probability": round(other_probability, 4)},
    }
