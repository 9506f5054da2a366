"""The one door to "what becomes of this archive here?".

Invariant: whatever is wrong with an archive becomes part of the answer; nothing of it is imported, unpickled or run.
"""

from dataclasses import replace
from pathlib import Path
from typing import Final

from wfctl.compat.judge_model import judge_model
from wfctl.compat.judge_workflow import judge_workflow
from wfctl.compat.kinds import kind_of
from wfctl.compat.model import HasLibrary, Judged, Kind, Stores
from wfctl.compat.spec_rows import rows_of
from wfctl.diagnostics.report import InvalidWorkflowError
from wfctl.errors import ArchiveError, WfctlError

_GET_AGAIN: Final = "get it again from where it was made, or pack its files again"


def judge(path: Path, stores: Stores, has_library: HasLibrary) -> Judged:
    """Say what a person must know who moves what is at ``path`` from TorchServe to us."""
    kind: Kind | None = None
    try:
        kind = kind_of(path)
        judged = judge_model(path, has_library) if kind is Kind.MODEL else judge_workflow(path, stores, has_library)
    except InvalidWorkflowError as invalid:  # bytes that are no text
        judged = Judged(path=str(path), rows=tuple(rows_of(invalid.report)))
    except WfctlError as error:
        if isinstance(error, ArchiveError):
            error.hint = error.hint or _GET_AGAIN
        judged = Judged(path=str(path), error=error)
    return replace(judged, kind=kind)
