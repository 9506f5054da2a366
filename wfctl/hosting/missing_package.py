"""What to install when a handler imports what is not there.

Invariant: a guess is made from names only; nothing is imported, and no index is asked.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from wfctl.handlers.extras import EXTRA_OF, command_for
from wfctl.handlers.unloadable import Unloadable
from wfctl.plan import CodeUnit

DISTRIBUTIONS: Final[Mapping[str, str]] = {
    "bs4": "beautifulsoup4",
    "cv2": "opencv-python-headless",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}
"""Import name -> name to install, where the two differ."""

_OURS: Final = frozenset({"ts", "wfctl"})

_UNFIT_TORCHVISION: Final = "operator torchvision::"
"""How torch says that it does not know an operator that torchvision's own library should have brought."""


def hint_for(reason: BaseException, code: CodeUnit) -> str | None:
    """Return how to get what a failed import asked for; ``None`` if nothing of that kind went wrong."""
    if isinstance(reason, Unloadable):
        return None  # its words say it already
    if str(reason).startswith(_UNFIT_TORCHVISION):
        return f"the installed torchvision was built for another torch: {command_for('vision', renews=True)}"
    missing = next((each for each in (reason, reason.__cause__) if isinstance(each, ModuleNotFoundError)), None)
    if missing is None or not missing.name:
        return None
    name = missing.name.partition(".")[0]
    if name in _OURS or Path(code.model_dir, name).is_dir() or Path(code.model_dir, f"{name}.py").is_file():
        return None
    extra = EXTRA_OF.get(name)
    command = f"pip install {DISTRIBUTIONS.get(name, name)}" if extra is None else command_for(extra)
    return f'the handler needs the package "{name}": {command}{_listed_in(code)}'


def _listed_in(code: CodeUnit) -> str:
    model = (code.manifest or {}).get("model")
    listed = model.get("requirementsFile") if isinstance(model, Mapping) else None
    return f'; the archive lists what it needs in "{listed}"' if isinstance(listed, str) else ""
