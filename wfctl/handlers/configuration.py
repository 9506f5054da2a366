"""A YAML file of the archive as a dictionary.

Invariant: read by our own reader with its budgets; nothing in the file is run.
"""

from pathlib import Path
from typing import Any


def get_yaml_config(yaml_file_path: str) -> dict[str, Any]:
    """Return what a YAML file holds; raises ``OSError``, or ``ArchiveError`` for what is no mapping."""
    # Imported here: most handlers read no configuration of their own, and their workers do without a YAML reader.
    from wfctl.spec.source import read_mapping

    return read_mapping(Path(yaml_file_path).read_text(encoding="utf-8"))
