"""What the commands share about their surroundings: environment variables, and what a shell may complete.

Invariant: the only place of the command line that reads the environment; it imports nothing heavy.
"""

import os
from collections.abc import Mapping


def colour_choice(environ: Mapping[str, str] = os.environ) -> bool | None:
    """Return ``False`` where the user wants no colour, else ``None``: colour on terminals only."""
    return False if environ.get("NO_COLOR") else None


def is_github_actions(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether this is a job of GitHub Actions, which reads findings from workflow commands."""
    return environ.get("GITHUB_ACTIONS") == "true"
