"""Rules about names: what they look like, and whether they lead to something."""

from collections.abc import Iterator
from unicodedata import normalize

from wfctl.check.closest import closest
from wfctl.check.names import LONGEST_NAME, NameKind, has_bad_form, is_reserved, is_too_long
from wfctl.check.rules.renaming import renamed_target
from wfctl.check.subject import Subject
from wfctl.check.wording import did_you_mean, quoted
from wfctl.dag.order import reachable
from wfctl.diagnostics.catalog import find
from wfctl.diagnostics.model import Diagnostic, Label, Span

_SECTIONS = ("models", "dag", "wfctl")


def unknown_node(subject: Subject) -> Iterator[Diagnostic]:
    """Report each edge to a name that nothing in the workflow has."""
    keys = {entry.name for entry in subject.spec.dag}
    ways: dict[str, set[str]] = {}
    for entry in subject.spec.dag:
        # A repetition within the list is a fault of its own.
        for target in {target.name: target for target in reversed(entry.targets)}.values():
            if target.name not in keys and subject.names.kinds[target.name] is NameKind.UNKNOWN:
                matches = subject.names.matches.get(target.name, ())
                if matches and matches[0] not in ways:
                    # Among all names as they were meant: two edits that are safe alone may close a circle together.
                    ways[matches[0]] = reachable(subject.mended, matches[:1])
                closes_circle = bool(matches) and subject.names.meant(entry.name) in ways[matches[0]]
                yield find(
                    "WF304",
                    f"{quoted(entry.name)} feeds into {quoted(target.name)}, which is neither a model nor a function",
                    target.span,
                    label="no model, and no function of the handler, has this name",
                    help=did_you_mean(matches) or "name a model, or write a function of this name in the handler",
                    secondary=_homes(subject, matches),
                    fix=() if closes_circle else renamed_target(subject, entry, target),
                )


def bad_name(subject: Subject) -> Iterator[Diagnostic]:
    """Report each name with characters that names cannot have."""
    for name, span in _defined(subject):
        if has_bad_form(name):
            yield find(
                "WF308",
                f"{quoted(name)} cannot be a name: {_why_bad(name)}" if name else "a name is empty",
                span,
                help='names are made of letters, digits and "_", with "-", "." or spaces between them',
            )


def reserved_name(subject: Subject) -> Iterator[Diagnostic]:
    """Report each name that already has a meaning."""
    for name, span in _defined(subject):
        if is_reserved(name):
            in_models = name in subject.spec.models and name in _SECTIONS
            slip = f'"{name}:" as a section stands at the left margin; is it indented too far?'
            yield find(
                "WF309",
                f"{quoted(name)} has a meaning of its own and cannot name a node",
                span,
                help=slip if in_models else "choose another name",
            )


def name_too_long(subject: Subject) -> Iterator[Diagnostic]:
    """Report each name that would not fit into a file name."""
    for name, span in _defined(subject):
        if is_too_long(name):
            yield find(
                "WF310",
                f"the name {quoted(name)} is longer than {LONGEST_NAME} bytes",
                span,
                help="names become parts of file names, labels and web addresses: choose a shorter one",
            )


def names_differ_only_in_case(subject: Subject) -> Iterator[Diagnostic]:
    """Report each name that a second one equals but for case."""
    first: dict[str, tuple[str, Span]] = {}
    for name, span in _defined(subject):
        if subject.names.kinds.get(name) in {NameKind.UNKNOWN, NameKind.REFUSED}:
            continue
        earlier, place = first.setdefault(normalize("NFC", name).casefold(), (name, span))
        if earlier != name:
            yield find(
                "WF311",
                f"{quoted(name)} and {quoted(earlier)} differ only in case",
                span,
                help="some file systems and most readers take them for one name: rename one of them",
                secondary=(Label(span=place, text="the other one"),),
            )


def settings_for_nothing(subject: Subject) -> Iterator[Diagnostic]:
    """Report settings under ``wfctl:`` for a name that is no such node."""
    yield from _functions_for_nothing(subject)
    for name, own in subject.spec.extension.nodes.items():
        if name not in subject.names.kinds:
            yield find(
                "WF312",
                f"settings for {quoted(name)}, which the dag does not have",
                own.span,
                help=did_you_mean(closest(name, tuple(subject.names.kinds)))
                or "remove the settings, or add the node to the dag",
            )


def _functions_for_nothing(subject: Subject) -> Iterator[Diagnostic]:
    for name, own in subject.spec.extension.functions.items():
        if name in subject.spec.models:
            yield find(
                "WF312",
                f"{quoted(name)} is a model, and these settings are for functions",
                own.span,
                help='move the settings to the entry of the model under "models:"',
                secondary=(Label(span=subject.spec.models[name].name_span, text="the model"),),
            )
        elif name not in subject.names.kinds:
            functions = subject.names.of_kind(NameKind.FUNCTION, NameKind.UNCERTAIN)
            yield find(
                "WF312",
                f"settings for {quoted(name)}, which the dag does not have",
                own.span,
                help=did_you_mean(closest(name, functions)) or "remove the settings, or add the function to the dag",
            )


def _defined(subject: Subject) -> Iterator[tuple[str, Span]]:
    """Yield every name once, at the place that defines it."""
    for model in subject.spec.models.values():
        yield model.name, model.name_span
    for name, span in subject.places.items():
        if name not in subject.spec.models:
            yield name, span


def _why_bad(name: str) -> str:
    refused = next((char for char in name if not f"_{char}".isidentifier() and char not in "-. "), None)
    if refused is not None:
        return f"{quoted(refused)} cannot stand in one"
    if ".." in name:
        return '".." leads out of a folder'
    return f"it begins with {quoted(name[0])}" if name[0] in "-. " else f"it ends with {quoted(name[-1])}"


def _homes(subject: Subject, matches: tuple[str, ...]) -> tuple[Label, ...]:
    """Show where the best match is defined."""
    if not matches:
        return ()
    best = matches[0]
    if best in subject.spec.models:
        return (Label(span=subject.spec.models[best].name_span, text=f"the model {quoted(best)}"),)
    if subject.handler is not None and best in subject.handler.functions:
        return (Label(span=subject.handler.functions[best].span, text=f"the function {quoted(best)}"),)
    return ()
