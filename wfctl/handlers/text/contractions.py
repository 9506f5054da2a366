"""English contractions and what they stand for.

Known to archives as ``ts.torch_handler.contractions``. Double ones (``couldn't've``) are not here on purpose: the
original lists them, but the shorter one always matches first, and models were fed with what comes of that.
Invariant: a table; every key is in lower case.
"""

from collections.abc import Iterator

_ENDINGS = {
    "n't": (
        "not",
        "are could did does do had has have is may might must need ought should was were would",
    ),
    "'ve": ("have", "could i might must should so they to we what when where who why will would you"),
    "'d": ("would", "he i it she that there they we you"),
    "'ll": ("will", "he how i it she they we what who you"),
    "'re": ("are", "they we what you"),
    "'s": ("is", "he how it she that there what when where who why"),
}

_ALONE = {
    "ain't": "is not",
    "can't": "cannot",
    "'cause": "because",
    "how'd": "how did",
    "i'm": "i am",
    "let's": "let us",
    "ma'am": "madam",
    "o'clock": "of the clock",
    "sha'n't": "shall not",
    "shan't": "shall not",
    "so's": "so as",
    "where'd": "where did",
    "won't": "will not",
    "y'all": "you all",
}


def _regular() -> Iterator[tuple[str, str]]:
    for ending, (word, stems) in _ENDINGS.items():
        for stem in stems.split():
            yield f"{stem}{ending}", f"{stem} {word}"


CONTRACTION_MAP = {**dict(_regular()), **_ALONE}
"""Contraction -> words."""
