"""Names of classes: read from a model's ``index_to_name.json``, put in the place of numbers.

Invariant: needs neither torch nor numpy; probabilities come as plain lists.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from wfctl.handlers.unloadable import UnfitFileError

NAMES_FILE = "index_to_name.json"

_log = logging.getLogger(__name__)


def load_label_mapping(mapping_file_path: str) -> dict[str, Any] | None:
    """Return class number (as text) -> name; ``None``, with a warning, if the model has no such file."""
    path = Path(mapping_file_path)
    if not path.is_file():
        warn_of_numbers(path.name)
        return None
    try:
        mapping = json.loads(path.read_text(encoding="utf-8-sig"))
    except ValueError as reason:
        raise UnfitFileError(f'"{path.name}" is no JSON: {reason}') from reason
    if not isinstance(mapping, dict):
        raise UnfitFileError(f'"{path.name}" must hold an object of class numbers and names')
    if isinstance(names := mapping.get("object_type_names"), list):
        return {str(at): name for at, name in enumerate(names)}
    return {key: _name(value, path.name) for key, value in mapping.items()}


def warn_of_numbers(file_name: str = NAMES_FILE) -> None:
    """Say that a model has no names for its classes."""
    _log.warning('"%s" is not in the archive, so classes are named by their numbers', file_name)


def map_class_to_label(
    probs: Sequence[Sequence[Any]],
    mapping: Mapping[str, str] | None = None,
    lbl_classes: Sequence[Sequence[int]] | None = None,
) -> list[dict[str, Any]]:
    """Return one name -> probability per row; the number as text where there is no name."""
    if not isinstance(probs, list):
        raise TypeError(f"probabilities must be a list, not {type(probs).__name__}")
    if mapping is not None and not isinstance(mapping, dict):
        raise TypeError(f"names of classes must be a dictionary, not {type(mapping).__name__}")
    numbers = lbl_classes if lbl_classes is not None else [range(len(row)) for row in probs]
    names = mapping or {}
    return [
        {names.get(str(number), str(number)): value for number, value in zip(*pair, strict=False)}
        for pair in zip(numbers, probs, strict=False)
    ]


def _name(value: Any, file_name: str) -> str:
    name = value[-1] if isinstance(value, list) and value else value
    if not isinstance(name, str):
        raise UnfitFileError(f'"{file_name}" must name each class by a text or a list of texts')
    return name
