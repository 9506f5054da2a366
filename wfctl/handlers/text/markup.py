"""What of a text is markup.

Invariant: imports nothing but the standard library.
"""

import re
from typing import Final

_TAG = "<.*?>"
_ENTITY = "&([a-z0-9]+|#[0-9]{1,6}|#x[0-9a-f]{1,6});"

CLEANUP_REGEX: Final = re.compile(f"{_TAG}|{_ENTITY}")
"""Tags and entities of HTML; text handlers replace them by nothing."""
