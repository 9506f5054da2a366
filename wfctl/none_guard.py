"""Whether a function of a handler fails when it is called with ``None``, as each is once when it is loaded.

Invariant: nobody is accused on a guess; whatever reading cannot settle counts as allowed for.
"""

import ast
from collections.abc import Iterable, Iterator
from itertools import chain

_SCOPES = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda


def outside_functions(statement: ast.AST) -> Iterator[ast.AST]:
    """Walk the nodes that belong to the scope of ``statement``; inner scopes are named and not entered."""
    stack = list(reversed(list(ast.iter_child_nodes(statement))))
    while stack:
        node = stack.pop()
        yield node
        if not isinstance(node, _SCOPES):
            stack.extend(reversed(list(ast.iter_child_nodes(node))))


def surely_fails(function: ast.FunctionDef | ast.AsyncFunctionDef, name: str) -> bool:
    """Whether the body fails whenever the parameter ``name`` is ``None``.

    Only what runs on every call counts. Any way out of the function before, any new value of the parameter and any
    ``try`` leaves it open, and open means no.
    """
    try:
        return _body_fails(function.body, name) is True and not _is_generator(function)
    except RecursionError:  # a chain of hundreds of links or operators
        return False


def _is_generator(function: ast.AST) -> bool:
    """Whether a call runs nothing of the body."""
    return any(isinstance(node, ast.Yield | ast.YieldFrom) for node in outside_functions(function))


def _body_fails(body: Iterable[ast.stmt], name: str) -> bool | None:
    """Tell whether the statements fail; ``None`` where what follows them may still fail."""
    for statement in body:
        verdict = _statement_fails(statement, name)
        if verdict is not None:
            return verdict
    return None


def _statement_fails(statement: ast.stmt, name: str) -> bool | None:
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return None
    if any(_fails(node, name) for node in _run_first(statement)):
        return True
    if isinstance(statement, ast.With) and all(_is_grad_mode(item.context_expr) for item in statement.items):
        return _body_fails(statement.body, name)
    return False if _leaves_open(statement, name) else None


def _is_grad_mode(node: ast.expr) -> bool:
    called = node.func if isinstance(node, ast.Call) else None
    return isinstance(called, ast.Attribute) and called.attr in {"no_grad", "inference_mode"}


def _leaves_open(statement: ast.stmt, name: str) -> bool:
    if isinstance(statement, ast.Try | ast.TryStar | ast.With):
        return True
    for node in chain((statement,), outside_functions(statement)):
        if isinstance(node, ast.Return | ast.Raise | ast.Await):
            return True
        if isinstance(node, ast.Name) and node.id == name and not isinstance(node.ctx, ast.Load):
            return True
        if isinstance(node, ast.Name) and node.id in {"exit", "quit", "sys", "os"}:
            return True
    return False


def _run_first(statement: ast.stmt) -> Iterator[ast.expr]:
    """Yield the expressions that run whenever the statement does."""
    match statement:
        case ast.If(test=expression) | ast.While(test=expression) | ast.Match(subject=expression):
            yield expression
        case ast.For(iter=expression):
            # What is looped over is taken apart, as by a star.
            yield ast.Starred(value=expression)
        case ast.With(items=[first, *_]):
            yield first.context_expr
        case ast.Assert(test=expression):
            # A claim that there is something fails as well.
            yield ast.Starred(value=_claimed(expression))
        case ast.Assign(targets=targets, value=value):
            taken_apart = any(isinstance(target, ast.Tuple | ast.List) for target in targets)
            yield ast.Starred(value=value) if taken_apart else value
            yield from targets
        case ast.Expr() | ast.Return() | ast.AugAssign() | ast.AnnAssign() | ast.Delete():
            yield from (child for child in ast.iter_child_nodes(statement) if isinstance(child, ast.expr))
        case _:
            pass


def _claimed(test: ast.expr) -> ast.expr:
    match test:
        case ast.Compare(left=left, ops=[ast.IsNot()], comparators=[ast.Constant(value=None)]):
            return left
        case _:
            return test


_WANTS_VALUE = frozenset(
    (
        *("len", "iter", "list", "tuple", "set", "frozenset", "sorted", "sum", "enumerate", "any", "all"),
        *("reversed", "max", "min", "zip", "int", "float", "bytes", "bytearray"),
    )
)


def _fails(node: ast.expr, name: str) -> bool:
    """Whether evaluating ``node`` fails with ``name`` being ``None``."""
    match node:
        case ast.Subscript(value=inner) | ast.Starred(value=inner) if _is_name(inner, name):
            return True
        case ast.Attribute(value=inner, attr=attribute) if _is_name(inner, name):
            return not attribute.startswith("__")
        case ast.Call(func=ast.Name(id=function), args=[first, *_]) if function in _WANTS_VALUE:
            return _is_name(first, name) or _fails(first, name)
        case ast.Compare(ops=[ast.In() | ast.NotIn()], comparators=[container]) if _is_name(container, name):
            return True
        case ast.ListComp() | ast.SetComp() | ast.GeneratorExp() | ast.DictComp():
            first = node.generators[0].iter
            return _is_name(first, name) or _fails(first, name)
        case _:
            return any(_fails(part, name) for part in _evaluated(node))


def _is_name(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _evaluated(node: ast.expr) -> Iterator[ast.expr]:
    """Yield the parts that are evaluated whenever the whole is."""
    match node:
        case ast.BoolOp(values=[first, *_]):
            yield first
        case ast.IfExp(test=test):
            yield test
        case ast.Compare(left=left, comparators=[first, *_]):
            yield left
            yield first
        case ast.Lambda() | ast.Yield() | ast.YieldFrom():
            pass
        case ast.Call():
            yield node.func
            yield from node.args
            yield from (keyword.value for keyword in node.keywords)
        case _:
            yield from (child for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr))
