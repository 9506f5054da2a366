"""What a handler file offers, read with ``ast``; the file is never imported.

Invariant: facts only. Whether a function is called for, or is good enough, is decided by the rules.
"""

import ast
import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from wfctl.diagnostics.catalog import find
from wfctl.diagnostics.model import Diagnostic, SourceText, Span
from wfctl.none_guard import outside_functions, surely_fails


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionFact:
    """One name at the top level of the handler that can be called."""

    name: str
    span: Span
    """Place of the name in its ``def``."""
    required: int
    """Parameters without a default, those that only a keyword can fill included; ``data`` and ``context`` are two."""
    accepts: int | None
    """Positional parameters in all; ``None`` with ``*args``."""
    is_async: bool = False
    guards_none: bool = True
    """False only if the body surely touches ``data`` as if it were never ``None``."""
    is_opaque: bool = False
    """Bound by an import, an assignment or a decorator: its parameters are not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HandlerFacts:
    """One handler file."""

    source: SourceText
    functions: Mapping[str, FunctionFact] = field(default_factory=dict)
    classes: tuple[str, ...] = ()
    """Classes defined (not imported) at the top level."""
    handler_classes: tuple[str, ...] = ()
    """Those of them that have, or may inherit, a method ``handle``."""
    has_star_import: bool = False
    """Any name may be there: ``from x import *``, a module ``__getattr__``, ``globals()`` or ``exec``."""


MAX_CHARACTERS = 1024 * 1024
"""Python needs 500 bytes of tree for each character in the worst case."""


def read_handler_facts(source: SourceText) -> tuple[HandlerFacts | None, tuple[Diagnostic, ...]]:
    """Read a handler; no facts where it is not Python."""
    if len(source.text) > MAX_CHARACTERS:
        large = find("WF107", "the handler is larger than 1 MB", source.span(0, 0), help="keep data in extra files")
        return None, (large,)
    # A byte order mark is no Python, but Python's own reader of files takes it.
    text = source.text.removeprefix("\ufeff")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
    except SyntaxError as error:
        return None, (_syntax_finding(source, error),)
    except (RecursionError, MemoryError):
        return None, (find("WF402", "the handler is nested too deeply to be read", source.span(0, 0)),)
    except ValueError as error:  # so Python before 3.11.4 says that there is a null byte
        return None, (_null_finding(source, str(error)),)
    return _Reader(source).read(tree), ()


def _null_finding(source: SourceText, words: str) -> Diagnostic:
    start = max(0, source.text.find("\0"))
    return find("WF402", f"the handler is not Python: {words}", source.span(start, start + 1))


def _syntax_finding(source: SourceText, error: SyntaxError) -> Diagnostic:
    if "null bytes" in error.msg:
        return _null_finding(source, error.msg)
    start = _offset(source, error.lineno or 1, max(0, (error.offset or 1) - 1))
    end = start + 1
    if error.end_lineno is not None and error.end_offset is not None and error.end_offset > 0:
        end = max(end, _offset(source, error.end_lineno, error.end_offset - 1))
    return find("WF402", f"the handler is not Python: {error.msg.partition(';')[0]}", source.span(start, end))


def _offset(source: SourceText, line: int, column: int) -> int:
    starts = source.line_starts
    return starts[min(line, len(starts)) - 1] + column if line > 0 else 0


_BASES_WITHOUT_HANDLE = frozenset(
    ("object", "Module", "Dataset", "NamedTuple", "TypedDict", "Enum", "Exception", "ValueError", "RuntimeError")
)
_BINDING_WORDS = re.compile(r"globals|exec|[^\0-\x7f]")
"""Python takes letters of other alphabets for those that they look like."""
_BEFORE_NAME = re.compile(r"(?:async\s+)?def\s+|[\w.]+\s+as\s+")


class _Reader:
    """Goes through the top level in order; what binds a name last counts."""

    def __init__(self, source: SourceText) -> None:
        self._source = source
        self._columns = _Columns(source)
        self._functions: dict[str, FunctionFact] = {}
        self._classes: dict[str, bool] = {}
        self._may_have_any = False

    def read(self, tree: ast.Module) -> HandlerFacts:
        """Return what the module offers."""
        for statement in tree.body:
            self._read_statement(statement)
        self._may_have_any |= "__getattr__" in self._functions or self._binds_by_name(tree)
        return HandlerFacts(
            source=self._source,
            functions=self._functions,
            classes=tuple(self._classes),
            handler_classes=tuple(name for name, may_handle in self._classes.items() if may_handle),
            has_star_import=self._may_have_any,
        )

    def _binds_by_name(self, tree: ast.Module) -> bool:
        # Few texts hold the words at all, and a walk through a large tree is slow.
        return _BINDING_WORDS.search(self._source.text) is not None and any(
            isinstance(node, ast.Name) and node.id in {"globals", "exec"} for node in ast.walk(tree)
        )

    def _read_statement(self, statement: ast.stmt) -> None:
        match statement:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                self._bind(statement.name, self._function(statement))
            case ast.ClassDef():
                self._functions.pop(statement.name, None)
                self._classes[statement.name] = self._may_handle(statement)
            case ast.Import() | ast.ImportFrom():
                self._read_import(statement)
            case ast.Assign(value=value) | ast.AnnAssign(value=ast.expr() as value):
                self._read_assignment(statement, value)
            case ast.AnnAssign():
                pass  # a type without a value binds nothing
            case ast.Delete():
                for name in _stored(statement, ast.Del):
                    self._unbind(name.id)
            case _:
                self._read_compound(statement)

    def _bind(self, name: str, fact: FunctionFact) -> None:
        self._classes.pop(name, None)
        self._functions[name] = fact

    def _unbind(self, name: str) -> None:
        self._classes.pop(name, None)
        self._functions.pop(name, None)

    def _opaque(self, name: str, node: ast.AST) -> None:
        span = self._span(node, name)
        self._bind(name, FunctionFact(name=name, span=span, required=0, accepts=None, is_opaque=True))

    def _read_import(self, statement: ast.Import | ast.ImportFrom) -> None:
        for alias in statement.names:
            if alias.name == "*":
                self._may_have_any = True
            else:
                self._opaque(alias.asname or alias.name.partition(".")[0], alias)

    def _read_assignment(self, statement: ast.stmt, value: ast.expr) -> None:
        is_data = isinstance(value, ast.Constant | ast.List | ast.Dict | ast.Set | ast.Tuple | ast.JoinedStr)
        for name in _stored(statement):
            if is_data and not isinstance(value, ast.List | ast.Tuple):
                self._unbind(name.id)
            else:
                self._opaque(name.id, name)

    def _read_compound(self, statement: ast.stmt) -> None:
        """Take what is bound under a condition, in a loop or in a try: it is there, more is not known."""
        for node in outside_functions(statement):
            match node:
                case ast.FunctionDef() | ast.AsyncFunctionDef():
                    self._opaque(node.name, node)
                case ast.ClassDef():
                    self._classes[node.name] = self._may_handle(node)
                case ast.Import() | ast.ImportFrom():
                    self._read_import(node)
                case ast.Name(ctx=ast.Store()):
                    self._opaque(node.id, node)
                case _:
                    pass

    def _may_handle(self, node: ast.ClassDef) -> bool:
        """Whether a class has ``handle``, or a base of which this is not known to be untrue."""
        if node.decorator_list or any(
            "handle" in {getattr(n, "name", ""), getattr(n, "id", "")} for n in ast.walk(node)
        ):
            return True
        for base in node.bases:
            name = base.attr if isinstance(base, ast.Attribute) else getattr(base, "id", "")
            if self._classes.get(name, name not in _BASES_WITHOUT_HANDLE):
                return True
        return bool(node.keywords)  # a metaclass may add anything

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> FunctionFact:
        given = node.args
        positional = [*given.posonlyargs, *given.args]
        keywords = sum(default is None for default in given.kw_defaults)
        fact = FunctionFact(
            name=node.name,
            span=self._span(node, node.name),
            required=len(positional) - len(given.defaults) + keywords,
            accepts=None if given.vararg else len(positional),
            is_async=isinstance(node, ast.AsyncFunctionDef),
            guards_none=not positional or not surely_fails(node, positional[0].arg),
        )
        if node.decorator_list:
            return replace(fact, required=0, accepts=None, is_async=False, guards_none=True, is_opaque=True)
        return fact

    def _span(self, node: ast.AST, name: str) -> Span:
        start = self._columns.offset(getattr(node, "lineno", 1), getattr(node, "col_offset", 0))
        before = _BEFORE_NAME.match(self._source.text, start)
        start = before.end() if before else start
        return self._source.span(start, start + len(name))


class _Columns:
    """Turns the columns of the tree, which count bytes, into characters.

    Asked from left to right it reads each byte of a line once: a megabyte may stand in one line.
    """

    def __init__(self, source: SourceText) -> None:
        self._source = source
        self._line = 0
        self._bytes = b""
        self._column = 0
        self._characters = 0

    def offset(self, line: int, column: int) -> int:
        """Return the offset of a column; lines count from 1, columns from 0."""
        if line != self._line or column < self._column:
            self._line, self._bytes = line, self._source.line(line).encode()
            self._column = self._characters = 0
        self._characters += len(self._bytes[self._column : column].decode(errors="replace"))
        self._column = column
        return self._source.line_starts[line - 1] + self._characters


def _stored(statement: ast.stmt, context: type[ast.expr_context] = ast.Store) -> Iterator[ast.Name]:
    for node in ast.walk(statement):
        if isinstance(node, ast.Name) and isinstance(node.ctx, context):
            yield node
