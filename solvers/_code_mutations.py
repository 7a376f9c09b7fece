r"""Mutations of small functions of our own: each changes one meaningful place, as programmers get it wrong.

    mutations("def f(a):\n    return a + 1")  ->  ["def f(a):\n    return a - 1", "def f(a):\n    return a + 2", ...]

Only our own sources are parsed here, never what a model wrote.
"""

from __future__ import annotations

import ast
import copy
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_COMPARED: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.Gt), ast.LtE: (ast.Lt, ast.GtE), ast.Gt: (ast.GtE, ast.Lt), ast.GtE: (ast.Gt, ast.LtE), ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,),
    ast.In: (ast.NotIn,), ast.Is: (ast.IsNot,),
}  # fmt: skip
_WORKED: dict[type[ast.operator], tuple[type[ast.operator], ...]] = {
    ast.Add: (ast.Sub,), ast.Sub: (ast.Add,), ast.Mult: (ast.Add,), ast.FloorDiv: (ast.Mod,), ast.Mod: (ast.FloorDiv,),
}  # fmt: skip


@lru_cache(maxsize=256)
def mutations(source: str) -> tuple[str, ...]:
    """Return every function that differs from this one in one place, each once, in the order of the places."""
    tree = ast.parse(source)
    found: dict[str, None] = {}
    for place, node in enumerate(ast.walk(tree)):
        for changed in _changed(node):
            other = copy.deepcopy(tree)
            _put(other, place, changed)
            found[ast.unparse(other)] = None
    found.pop(ast.unparse(tree), None)
    return tuple(found)


def plain(source: str) -> str:
    """Write a function as the mutated ones are written, so that its spelling tells nothing."""
    return ast.unparse(ast.parse(source))


def _put(tree: ast.AST, place: int, changed: ast.AST) -> None:
    """Give the node at a place of the walk the fields of another of its kind."""
    node = next(node for at, node in enumerate(ast.walk(tree)) if at == place)
    for name, value in ast.iter_fields(changed):
        setattr(node, name, copy.deepcopy(value))


def _changed(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what a node may be changed to, of its own kind."""
    if isinstance(node, ast.Compare) and type(node.ops[0]) in _COMPARED:
        for other in _COMPARED[type(node.ops[0])]:
            yield ast.Compare(node.left, [other(), *node.ops[1:]], node.comparators)
    elif isinstance(node, ast.BinOp) and type(node.op) in _WORKED:
        for sign in _WORKED[type(node.op)]:
            yield ast.BinOp(node.left, sign(), node.right)
    elif isinstance(node, ast.AugAssign):
        yield ast.AugAssign(node.target, ast.Sub() if isinstance(node.op, ast.Add) else ast.Add(), node.value)
    elif isinstance(node, ast.BoolOp):
        yield ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)
    elif isinstance(node, ast.Constant):
        yield from _other_constants(node)
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"max", "min"}:
        yield ast.Call(ast.Name("min" if node.func.id == "max" else "max", ast.Load()), node.args, node.keywords)
    elif isinstance(node, ast.Return) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, bool):
        yield ast.Return(ast.Constant(not node.value.value))


def _other_constants(node: ast.Constant) -> Iterator[ast.AST]:
    if type(node.value) is int:
        yield ast.Constant(node.value + 1)
        if node.value > 0:
            yield ast.Constant(node.value - 1)
    elif isinstance(node.value, str) and len(node.value) > 1:
        yield ast.Constant(node.value[:-1])
