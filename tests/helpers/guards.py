"""Find a guard by where it stands and take it away: file, qualified name of what holds it, and a short text within that.

    removed(source, [["Claim.check", "if row is None or row[0] != epoch:", "if row is None:"]])

How lines are broken and indented makes no difference: white space in the text stands for any white space. The text has to be there exactly
once within the symbol, which is a function, a method, a class, or a name assigned at the top of the file. Empty in place of the text
leaves `pass` where a whole statement stood.
"""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterable, Sequence


class NotThere(Exception):
    """A guard is not where it is said to be."""


def removed(source: str, changes: Iterable[Sequence[str]]) -> str:
    """Return the source without a guard.

    Raises:
        NotThere: a symbol or a text is not there, or the text is there more than once.
    """
    for symbol, old, new in changes:
        begin, end = span(source, symbol)
        found = [*re.finditer(pattern(old), source[begin:end])]
        if len(found) != 1:
            raise NotThere(f"{symbol}: {old!r} is there {len(found)} times")
        source = _replaced(source, begin + found[0].start(), begin + found[0].end(), new)
    return source


def span(source: str, symbol: str) -> tuple[int, int]:
    """Return where a symbol begins and ends in the source, decorators included.

    Raises:
        NotThere: there is no such symbol.
    """
    body: Sequence[ast.stmt] = ast.parse(source).body
    node: ast.stmt | None = None
    for name in symbol.split("."):
        node = next((each for each in _inside(body) if name in _names(each)), None)
        if node is None:
            raise NotThere(f"there is no {symbol}")
        body = node.body if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) else []
    assert node is not None
    assert node.end_lineno is not None
    lines = source.splitlines(keepends=True)
    first = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", ()))])
    return sum(map(len, lines[: first - 1])), sum(map(len, lines[: node.end_lineno]))


def _inside(body: Iterable[ast.stmt]) -> Iterable[ast.stmt]:
    """Yield statements, those of `if` and `try` at the same place included."""
    for each in body:
        yield each
        for part in ("body", "orelse", "finalbody"):
            if not isinstance(each, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                yield from _inside(getattr(each, part, ()))
        for handler in getattr(each, "handlers", ()):
            yield from _inside(handler.body)


def _names(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return {node.name}
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return {each.id for target in targets for each in ast.walk(target) if isinstance(each, ast.Name)}


def pattern(text: str) -> str:
    """Return the expression that finds a text however its lines are broken."""
    return r"\s+".join(re.escape(word) for word in text.split())


def _replaced(source: str, begin: int, end: int, new: str) -> str:
    line = source.rfind("\n", 0, begin) + 1
    indent = source[line:begin] if not source[line:begin].strip() else ""
    if not indent and source[line:begin].strip():
        indent = re.match(r"\s*", source[line:]).group()  # type: ignore[union-attr]  # it matches the empty text
    whole = not source[line:begin].strip() and source[end:].partition("\n")[0].strip() == ""
    if not new.strip():
        return source[:begin] + ("pass" if whole else "") + source[end:]
    return source[:begin] + textwrap.indent(textwrap.dedent(new).strip("\n"), indent).removeprefix(indent) + source[end:]
