"""One Python file of an archive, taken apart once for all rules: imports, calls, attributes, exceptions raised.

Invariant: read with ``ast``, never imported; iterative, so that no file is nested too deeply for it.
"""

import ast
import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from wfctl.diagnostics.model import SourceText, Span
from wfctl.handler_facts import MAX_CHARACTERS

_GUARDS = frozenset({"ImportError", "ModuleNotFoundError", "Exception", "BaseException"})
_ASKING = re.compile(r"find_spec$|(?:.*_)?available$", re.IGNORECASE)
"""Names that a condition has which asks whether something is there: ``find_spec``, ``is_flash_attn_2_available``."""
_IMPORTING = frozenset({"import_module", "__import__", "import_class"})
_CONTEXT_NAMES = frozenset({"context", "ctx", "_context", "_ctx"})
_METHODS_WITH_CONTEXT = {"initialize": 1, "handle": 2}
"""Name of a method -> place of the context among its parameters, ``self`` being the first."""
_FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """One piece of the tree that a rule may look at."""

    tree: ast.AST
    line: int
    function: str | None
    """The function at the top level that it stands in; ``None`` in a class, or outside of all."""
    is_guarded: bool
    """Whether the file goes on where an import at this place fails."""

    @property
    def called(self) -> ast.AST | None:
        """What is called, where this is a call."""
        return self.tree.func if isinstance(self.tree, ast.Call) else None

    def argument(self, place: int, *keywords: str) -> ast.expr | None:
        """Return the argument of a call at ``place`` or under one of the keywords; ``None`` if it cannot be told."""
        if not isinstance(self.tree, ast.Call):
            return None
        named = next((each.value for each in self.tree.keywords if each.arg in keywords), None)
        given = self.tree.args
        if named is not None or not 0 <= place < len(given):
            return named
        return None if any(isinstance(each, ast.Starred) for each in given[: place + 1]) else given[place]


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """One module that is imported, with the names taken from it."""

    module: str
    """Empty for ``from . import a``."""
    names: tuple[str, ...]
    use: Use
    level: int = 0
    """Dots before the name: what has some stays inside the archive."""

    @property
    def is_sure(self) -> bool:
        """Whether the handler fails where nothing of this name is installed or in the archive."""
        return not self.use.is_guarded and not self.level


@dataclass(frozen=True, slots=True, kw_only=True)
class PythonFile:
    """One file; what cannot be read as Python has no uses."""

    member: str
    """Its name inside the archive."""
    source: SourceText
    imports: tuple[Import, ...] = ()
    calls: tuple[Use, ...] = ()
    """Their trees are ``ast.Call``."""
    attributes: tuple[Use, ...] = ()
    """Attributes of the context, by whatever name it goes; their trees are ``ast.Attribute``."""
    raised: tuple[Use, ...] = ()
    """Calls that make the exception of a ``raise``."""
    imports_by_name: bool = False
    """Whether a name that is known only when it runs says what is imported."""
    fault: str | None = None
    """Why it is no Python."""

    def place(self, line: int) -> Span:
        """Return the whole of a line."""
        start = self.source.line_starts[min(line, len(self.source.line_starts)) - 1]
        return self.source.span(start, start + len(self.source.line(line)))


def read_python(member: str, source: SourceText) -> PythonFile:
    """Take one file apart."""
    if len(source.text) > MAX_CHARACTERS:
        return PythonFile(member=member, source=source, fault="it is larger than 1 MB")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source.text.removeprefix("\ufeff"))
    except SyntaxError as error:
        return PythonFile(member=member, source=source, fault=error.msg.partition(";")[0])
    except (RecursionError, MemoryError):
        return PythonFile(member=member, source=source, fault="it is nested too deeply to be read")
    except ValueError as error:
        return PythonFile(member=member, source=source, fault=str(error))
    uses = list(_walk(tree))
    contexts = _CONTEXT_NAMES | set(_context_parameters(tree))
    return PythonFile(
        member=member,
        source=source,
        imports=tuple(each for use in uses for each in _imports(use)),
        calls=tuple(use for use in uses if isinstance(use.tree, ast.Call)),
        attributes=tuple(use for use in uses if _is_of_context(use.tree, contexts)),
        raised=tuple(
            Use(tree=use.tree.exc, line=use.line, function=use.function, is_guarded=use.is_guarded)
            for use in uses
            if isinstance(use.tree, ast.Raise) and isinstance(use.tree.exc, ast.Call)
        ),
        imports_by_name=any(map(_is_by_name, uses)),
    )


def last_name(tree: ast.AST | None) -> str:
    """Return the last part of a dotted name: ``c`` of ``a.b.c``; nothing for what is no name."""
    if isinstance(tree, ast.Attribute):
        return tree.attr
    return tree.id if isinstance(tree, ast.Name) else ""


def dotted(tree: ast.AST | None) -> str:
    """Return a dotted name as it is written; nothing for what is no name."""
    parts: list[str] = []
    while isinstance(tree, ast.Attribute):
        parts.append(tree.attr)
        tree = tree.value
    return ".".join(reversed([*parts, tree.id])) if isinstance(tree, ast.Name) else ""


def literal(tree: ast.AST | None) -> object:
    """Return the value of a literal; ``None`` for anything else."""
    return tree.value if isinstance(tree, ast.Constant) else None


def _walk(tree: ast.Module) -> Iterator[Use]:
    """Yield every piece in the order of the text; what only type checkers read is left out."""
    stack: list[tuple[ast.AST, str | None, bool]] = [(each, None, False) for each in reversed(tree.body)]
    while stack:
        node, function, is_guarded = stack.pop()
        yield Use(tree=node, line=getattr(node, "lineno", 1), function=function, is_guarded=is_guarded)
        if isinstance(node, ast.If) and last_name(node.test) == "TYPE_CHECKING":
            stack.extend((each, function, is_guarded) for each in reversed(node.orelse))
            continue
        if isinstance(node, _FUNCTIONS) and function is None and node.col_offset == 0:
            function = node.name
        shielded = set(map(id, _body_that_may_fail(node)))
        stack.extend(
            (child, function, is_guarded or id(child) in shielded)
            for child in reversed(list(ast.iter_child_nodes(node)))
        )


def _body_that_may_fail(node: ast.AST) -> Sequence[ast.stmt]:
    """Return the statements of a block that survives a failed import among them; nothing for any other block."""
    if isinstance(node, ast.With):
        suppressed = [arg for item in node.items for arg in getattr(item.context_expr, "args", ())]
        return node.body if any(last_name(each) in _GUARDS for each in suppressed) else ()
    if isinstance(node, ast.Try) and any(map(_survives_import_errors, node.handlers)):
        return node.body
    if isinstance(node, ast.If) and any(_ASKING.match(last_name(each)) for each in ast.walk(node.test)):
        return node.body
    return ()


def _survives_import_errors(handler: ast.ExceptHandler) -> bool:
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    is_caught = any(kind is None or last_name(kind) in _GUARDS for kind in kinds)
    return is_caught and not any(isinstance(each, ast.Raise) for each in ast.walk(handler))


def _imports(use: Use) -> Iterator[Import]:
    tree = use.tree
    if isinstance(tree, ast.Import):
        yield from (Import(module=alias.name, names=(), use=use) for alias in tree.names)
    elif isinstance(tree, ast.ImportFrom):
        names = tuple(alias.name for alias in tree.names)
        yield Import(module=tree.module or "", names=names, use=use, level=tree.level)
    elif isinstance(tree, ast.Call) and last_name(tree.func) in {"import_module", "__import__"}:
        module = literal(use.argument(0, "name"))
        if isinstance(module, str) and module and not module.startswith("."):
            yield Import(module=module, names=(), use=use)


def _is_by_name(use: Use) -> bool:
    name = last_name(use.called)
    if name in _IMPORTING:
        return not isinstance(literal(use.argument(0, "name")), str)
    return name == "spec_from_file_location"


def _context_parameters(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            for method in node.body:
                place = _METHODS_WITH_CONTEXT.get(getattr(method, "name", ""))
                if place is not None and isinstance(method, _FUNCTIONS) and len(method.args.args) > place:
                    yield method.args.args[place].arg
    for function in tree.body:
        # A node's function: data and context, whatever they are called.
        if isinstance(function, _FUNCTIONS) and len(function.args.args) == 2:  # noqa: PLR2004
            yield function.args.args[1].arg


def _is_of_context(tree: ast.AST, contexts: frozenset[str] | set[str]) -> bool:
    return isinstance(tree, ast.Attribute) and last_name(tree.value) in contexts
