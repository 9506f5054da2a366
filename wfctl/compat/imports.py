"""What the files of an archive import: TorchServe's own names, several processes, extras, libraries.

Invariant: an import that the file itself survives without is no finding.
"""

import sys
from collections.abc import Iterable, Iterator

from wfctl.check.wording import quoted
from wfctl.compat.found import found
from wfctl.compat.local_modules import is_local
from wfctl.compat.model import Code, HasLibrary, Row
from wfctl.compat.python_file import Import, PythonFile, last_name
from wfctl.compat.ts_faults import faults_of
from wfctl.handlers.extras import EXTRA_OF, command_for
from wfctl.hosting.missing_package import DISTRIBUTIONS
from wfctl.hosting.ts_names import FOR_PICTURES

_SEVERAL_PROCESSES = frozenset({"deepspeed", "pippy"})
_ALWAYS_THERE = frozenset({"__main__", "ts", "wfctl", "torch", "yaml", "click", "rich", "jsonschema"})


def unknown_ts_name(code: Code) -> Iterator[Row]:
    """Tell each name below ``ts`` that we do not have."""
    for file, each in _surely_imported(code.files):
        for name, advice in faults_of(each.module, each.names):
            words = (
                f"TorchServe's own package is asked for {quoted(name)}; here there is no such name,"
                " and the import fails"
            )
            yield found("WF920", words, file, each.use, code, remedy=advice)


def several_processes(code: Code) -> Iterator[Row]:
    """Tell what only works where the server starts one process for each part of a model."""
    places = [
        *(
            (file, each.use)
            for file, each in _surely_imported(code.files)
            if each.module.partition(".")[0] in _SEVERAL_PROCESSES
        ),
        *((file, use) for file in code.files for use in file.calls if last_name(use.called) == "init_process_group"),
    ]
    for file, use in places:
        words = "TorchServe starts the parts of such a model as several processes; here a worker is one process"
        remedy = "load the model in one process, or serve it on its own and call it from the handler"
        yield found("WF922", words, file, use, code, remedy=remedy)


def extra_needed(code: Code, has_library: HasLibrary) -> Iterator[Row]:
    """Tell what one of our extras brings, and is not installed."""
    for file, each in _surely_imported(code.files):
        missing = _missing_for_extra(each, has_library)
        if missing is not None and not is_local(missing, code):
            yield found("WF938", extra_words(missing), file, each.use, code, remedy=command_for(EXTRA_OF[missing]))


def extra_words(library: str) -> str:
    """Say that a library is missing which an extra brings."""
    return f"TorchServe runs where {quoted(library)} is installed; here an extra brings it, and it is not installed"


def missing_for_pictures(handler: str, has_library: HasLibrary) -> str | None:
    """Return a library that one of the built-in handlers for pictures lacks."""
    if handler not in FOR_PICTURES:
        return None
    return next((library for library in ("torchvision", "PIL") if not has_library(library)), None)


def library_not_installed(code: Code, has_library: HasLibrary, requirements: str) -> Iterator[Row]:
    """Tell each library that is imported when the handler is loaded, and is not there.

    ``requirements`` is the text of the requirements file: what it names is told about by the rules for it.
    """
    for file, each in _surely_imported(code.files):
        top = each.module.partition(".")[0]
        is_ours = top in sys.stdlib_module_names or top in _ALWAYS_THERE or top in EXTRA_OF or is_local(top, code)
        is_ours |= top in _SEVERAL_PROCESSES  # told about already
        name = DISTRIBUTIONS.get(top, top)
        if not is_ours and not has_library(top) and not _is_listed(name, requirements):
            words = f"TorchServe runs where {quoted(top)} is installed; here it is not"
            yield found("WF939", words, file, each.use, code, remedy=f"pip install {name}")


def _is_listed(name: str, requirements: str) -> bool:
    return name.replace("_", "-").lower() in requirements.replace("_", "-").lower()


def _missing_for_extra(each: Import, has_library: HasLibrary) -> str | None:
    top, _, below = each.module.partition(".")
    if top == "ts":
        asked = {*below.split("."), *each.names}
        return next(filter(None, (missing_for_pictures(name, has_library) for name in sorted(asked))), None)
    return top if top in EXTRA_OF and not has_library(top) else None


def _surely_imported(files: Iterable[PythonFile]) -> Iterator[tuple[PythonFile, Import]]:
    for file in files:
        yield from ((file, each) for each in file.imports if each.is_sure)
