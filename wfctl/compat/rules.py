"""Every rule about code, in the order of their numbers.

Invariant: pure; a rule takes what was read and yields rows.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from wfctl.compat import imports, uses
from wfctl.compat.local_modules import files_that_run
from wfctl.compat.model import Code, HasLibrary, Row
from wfctl.diagnostics.catalog import RULES, find

CODE_RULES: Mapping[str, Callable[[Code], Iterator[Row]]] = {
    "WF920": imports.unknown_ts_name,
    "WF922": imports.several_processes,
    "WF923": uses.server_features,
    "WF924": uses.status,
    "WF925": uses.headers,
    "WF926": uses.pieces,
    "WF927": uses.refusals,
    "WF929": uses.sleeps,
    "WF931": uses.processes,
    "WF932": uses.written_files,
    "WF933": uses.unpickling,
}

COMPAT_CODES = frozenset(code for code in RULES if code.startswith(("WF92", "WF93", "WF94")))
"""Found by ``check-compat`` alone: only those who move from TorchServe care."""


def about_code(code: Code, has_library: HasLibrary, requirements: str = "") -> Iterator[Row]:
    """Yield all rows about the Python of one archive; what its handler never loads is not looked at."""
    running = replace(code, files=files_that_run(code))
    for rule in CODE_RULES.values():
        yield from rule(running)
    yield from imports.extra_needed(running, has_library)
    yield from imports.library_not_installed(running, has_library, requirements)
    yield from _no_python(running)


def _no_python(code: Code) -> Iterator[Row]:
    """Tell that the handler of a model is no Python; that of a workflow is checked with its spec."""
    for file in code.files:
        if file.fault is not None and file.member == code.handler and not code.functions:
            words = f"the handler is not Python: {file.fault}"
            remedy = "pack the model again with a handler that Python can read"
            yield Row(
                finding=find("WF402", words, file.place(1), help=remedy), nodes=(code.node.name,) if code.node else ()
            )
