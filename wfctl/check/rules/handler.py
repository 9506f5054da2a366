"""Rules about the handler: it has what the dag calls, and that can be called."""

import sys
from collections.abc import Iterator

from wfctl.check.closest import closest
from wfctl.check.names import NameKind, candidates_of
from wfctl.check.rules.renaming import renamed_key
from wfctl.check.subject import Subject
from wfctl.check.wording import did_you_mean, listed, quoted
from wfctl.diagnostics.catalog import find
from wfctl.diagnostics.model import Diagnostic, Label
from wfctl.handler_facts import FunctionFact

_ARGUMENTS = 2  # data and context
_NEEDED_BY_HANDLERS = frozenset({"numpy", "PIL", "torch", "torchvision", "transformers", "ts", "wfctl", "yaml"})


def missing_handler(subject: Subject) -> Iterator[Diagnostic]:
    """Report once that there is no handler though the dag calls functions."""
    functions = subject.names.of_kind(NameKind.UNCERTAIN)
    if not functions or not subject.handler_is_missing:
        return
    wanted = subject.sources.handler_wanted
    missing = "there is no handler file" if wanted is None else f"the handler file {quoted(wanted)} is not there"
    matches = closest(functions[0], candidates_of(subject.spec, None)) if len(functions) == 1 else ()
    yield find(
        "WF401",
        f"the dag calls {listed(functions)}, and {missing}",
        subject.places[functions[0]],
        label="not a model, so a function of the handler",
        help=did_you_mean(matches) or "put a Python file with these functions beside the spec, or name it",
    )


def missing_function(subject: Subject) -> Iterator[Diagnostic]:
    """Report each node of the dag that is neither a model nor a function of the handler."""
    if subject.handler is None:
        return
    for entry in subject.spec.dag:
        if subject.names.kinds[entry.name] is NameKind.UNKNOWN:
            has = listed([fact.name for fact in subject.handler.functions.values() if not fact.is_opaque])
            yield find(
                "WF403",
                f"{quoted(entry.name)} is not a model, and the handler has no function of this name",
                entry.span,
                help=did_you_mean(subject.names.matches.get(entry.name, ()))
                or f'write "def {entry.name}(data, context)" in the handler',
                fix=renamed_key(subject, entry),
                notes=(f"{quoted(_file_name(subject.handler.source.name))} defines {has or 'no functions'}",),
            )


def wrong_arity(subject: Subject) -> Iterator[Diagnostic]:
    """Report each function that cannot be called with two arguments."""
    for fact in subject.used_functions():
        if fact.is_opaque or (fact.required <= _ARGUMENTS and (fact.accepts is None or fact.accepts >= _ARGUMENTS)):
            continue
        yield find(
            "WF404",
            f"{quoted(fact.name)} is called with data and context, and {_takes(fact)}",
            fact.span,
            help=f'write "def {fact.name}(data, context)"',
            secondary=_use(subject, fact),
        )


def none_not_guarded(subject: Subject) -> Iterator[Diagnostic]:
    """Report each function that fails when it is called with None at load."""
    for fact in subject.used_functions():
        if not (fact.guards_none or fact.is_opaque or fact.is_async):
            yield find(
                "WF405",
                f"{quoted(fact.name)} is called once with None when it is loaded, and uses its data unasked",
                fact.span,
                help='begin with "if data is None: return None"',
                secondary=_use(subject, fact),
            )


def async_function(subject: Subject) -> Iterator[Diagnostic]:
    """Report each function that would hand back a coroutine."""
    for fact in subject.used_functions():
        if fact.is_async:
            yield find(
                "WF406",
                f'{quoted(fact.name)} is an "async def", and nobody awaits it',
                fact.span,
                help='write "def"; inside, asyncio.run(...) runs what must be awaited',
                secondary=_use(subject, fact),
            )


def handler_shadows_module(subject: Subject) -> Iterator[Diagnostic]:
    """Report a handler whose file name hides a module of Python or of the usual libraries."""
    source = subject.sources.handler
    if source is None or not subject.names.of_kind(NameKind.FUNCTION, NameKind.UNCERTAIN):
        return
    stem = _file_name(source.name).removesuffix(".py")
    if stem in sys.stdlib_module_names or stem in _NEEDED_BY_HANDLERS:
        yield find(
            "WF407",
            f'the handler is called "{stem}.py", and "import {stem}" will find it instead of the module',
            source.span(0, 0),
            help='rename the file, to "handler.py" for example',
        )


def _file_name(path: str) -> str:
    return path.replace("\\", "/").rsplit("/", 1)[-1]


def _takes(fact: FunctionFact) -> str:
    by_position = fact.required if fact.accepts is None else fact.accepts
    if fact.required > by_position:
        return "has a parameter that only a keyword can fill"
    count = fact.required if fact.required > _ARGUMENTS else by_position
    return f"takes {({0: 'no argument', 1: '1 argument'}).get(count, f'{count} arguments')}"


def _use(subject: Subject, fact: FunctionFact) -> tuple[Label, ...]:
    return (Label(span=subject.places[fact.name], text="called as a node"),)
