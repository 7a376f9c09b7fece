"""Bounds the work of one rendering: loops, filters, `+` and `~` are counted, and a deadline of processor time stands behind the count.

A template of a user's own is checked before it runs (`reasoner.prompts.templates`), but two nested loops over a long statement, or a filter that
is applied inside them, can still take hours, and `x ~ x` can double a text until memory ends. Here every loop, filter and
concatenation of a template asks first: the count is the same on every machine, so what is refused once is refused always; the
deadline cuts what the count did not foresee.

    work = Work()
    template.new_context({"statement": "...", WORK: work})

Knows Jinja2's syntax tree and filters; does not know what a prompt is.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sized
from typing import Any

from jinja2 import nodes, pass_context
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from reasoner.errors import BadTemplate

MAX_STEPS = 2_000_000
"""Steps of one rendering: turns of loops, and a step for every 64 characters or items that a filter or a concatenation handles."""
MAX_SECONDS = 2.0
"""Processor time of one rendering, looked at between steps."""
MAX_VALUE = 1 << 22
"""Characters or items that one value inside a rendering may have."""

WORK = " work"
"""Where a rendering's `Work` stands in its context: no template can write this name."""

_LOOP, _JOIN, _HOLD = " each", " joined", " held"
_UNIT = 64
_LOOK_EVERY = 256


class Work:
    """What one rendering has done so far."""

    __slots__ = ("_ends_at", "_next_look", "steps")

    def __init__(self) -> None:
        self.steps = 0
        self._next_look = _LOOK_EVERY
        self._ends_at = time.thread_time() + MAX_SECONDS

    def charge(self, size: int) -> None:
        """Count the handling of a value of so many characters or items, before it is done.

        Raises:
            BadTemplate: the rendering does too much, or the value would be too large.
        """
        if size > MAX_VALUE:
            raise BadTemplate(f"a template would make a value of {size} characters or items", hint=f"at most {MAX_VALUE} are allowed")
        self.steps += 1 + size // _UNIT
        if self.steps >= self._next_look:
            self._next_look = self.steps + _LOOK_EVERY
            if self.steps > MAX_STEPS:
                raise BadTemplate(f"a template takes more than {MAX_STEPS} steps", hint="loop over less")
            if time.thread_time() > self._ends_at:
                raise BadTemplate(f"a template takes more than {MAX_SECONDS:g} s", hint="loop over less")


def counted(env: ImmutableSandboxedEnvironment, tree: nodes.Template) -> nodes.Template:
    """Make a checked syntax tree count its work; to be compiled by an environment that `prepare` has been given."""

    def visit(node: nodes.Node) -> None:
        for child in node.iter_child_nodes():
            visit(child)
        for name in node.fields:
            value = getattr(node, name)
            if isinstance(value, list):
                setattr(node, name, [_asking_first(item) for item in value])
            else:
                setattr(node, name, _asking_first(value))
        if isinstance(node, nodes.For):
            node.iter = nodes.Filter(node.iter, _LOOP, [], [], None, None, lineno=node.lineno)

    visit(tree)
    tree.set_environment(env)
    return tree


def _asking_first(node: Any) -> Any:
    """Return a node that makes a value out of others in a form that counts; any other as it is."""
    if isinstance(node, nodes.Concat):
        return nodes.Filter(nodes.List(node.nodes, lineno=node.lineno), _JOIN, [], [], None, None, lineno=node.lineno)
    if isinstance(node, (nodes.List, nodes.Dict)) or (isinstance(node, nodes.Tuple) and node.ctx == "load"):
        return nodes.Filter(node, _HOLD, [], [], None, None, lineno=node.lineno)
    return node


def prepare(env: ImmutableSandboxedEnvironment, filters: frozenset[str]) -> None:
    """Give an environment the counting filters; those that are not named are taken away.

    Filters that are given the context are never worked out while a template is compiled, so a bomb of constants cannot go off there.
    """
    env.filters = {name: _counted_filter(name, env.filters[name]) for name in sorted(filters)} | {_LOOP: _each, _JOIN: _join, _HOLD: _hold}


class CountingEnvironment(ImmutableSandboxedEnvironment):
    """A sandbox in which `+` is counted."""

    intercepted_binops = frozenset(["+"])

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Add, having counted the size of both sides."""
        _work(context).charge(_size(left) + _size(right))
        return super().call_binop(context, operator, left, right)


def _work(context: Context) -> Work:
    work: Work = context.parent[WORK]
    return work


def _size(value: Any) -> int:
    if isinstance(value, Sized):
        return len(value)
    return value.bit_length() >> 3 if isinstance(value, int) else 1


@pass_context
def _each(context: Context, value: Any) -> Any:
    # What is no sequence (an undefined variable, a number) fails in the loop itself, with Jinja2's own message.
    return _Counted(_work(context), value) if isinstance(value, Sized) else value


class _Counted:
    """A sequence whose every step is charged; it has a length, so `loop.last` and `loop.length` cost what they did."""

    __slots__ = ("_value", "_work")

    def __init__(self, work: Work, value: Any) -> None:
        self._work = work
        self._value = value

    def __len__(self) -> int:
        return len(self._value)

    def __iter__(self) -> Iterator[Any]:
        charge = self._work.charge
        for item in self._value:
            charge(0)
            yield item


@pass_context
def _join(context: Context, values: list[Any]) -> str:
    _work(context).charge(_deep_size(values))
    texts = [str(value) for value in values]
    _work(context).charge(sum(map(len, texts)))
    return "".join(texts)


@pass_context
def _hold(context: Context, value: Any) -> Any:
    # Lists of one list twice, nested thirty deep, are short to write and take a billion words to print.
    _work(context).charge(_deep_size(value))
    return value


def _counted_filter(name: str, original: Any) -> Any:
    needs_context = getattr(original, "jinja_pass_arg", None)

    @pass_context
    def run(context: Context, value: Any, *args: Any, **kwargs: Any) -> Any:
        work = _work(context)
        work.charge(_GROWTH.get(name, _as_large)(value, args, kwargs))
        extra = () if needs_context is None else (context.eval_ctx if needs_context.name == "eval_context" else context.environment,)
        made = original(*extra, value, *args, **kwargs)
        if isinstance(made, Iterator):
            made = _drawn(made)
        work.charge(_size(made))
        return made

    return run


def _drawn(items: Iterator[Any]) -> list[Any]:
    """Take a lazy result at once, so that its size is known; it is as long as its input at most, which has been charged."""
    return list(items)


def _deep_size(value: Any) -> int:
    """Return the characters and items of a value and of all it holds; the counting ends once they are too many for one value."""
    size = 0
    pending = [value]
    while pending and size <= MAX_VALUE:
        held = pending.pop()
        size += _size(held)
        if isinstance(held, dict):
            pending.extend(held.keys())
            pending.extend(held.values())
        elif isinstance(held, (list, tuple, set, frozenset)):
            pending.extend(held)
    return size


def _as_large(value: Any, _args: tuple[Any, ...], _kwargs: dict[str, Any]) -> int:
    return _deep_size(value)


def _indent(value: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> int:
    width = kwargs.get("width", args[0] if args else 4)
    text = str(value)
    return len(text) + (text.count("\n") + 1) * (width if isinstance(width, int) else len(str(width)))


def _replace(value: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> int:
    old, new = str(kwargs.get("old", args[0] if args else "")), str(kwargs.get("new", args[1] if len(args) > 1 else ""))
    text = str(value)
    return len(text) + (text.count(old) if old else len(text) + 1) * len(new)


def _joining(value: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> int:
    glue = kwargs.get("d", args[0] if args else "")
    return _deep_size(value) + _size(value) * len(str(glue))


def _tojson(value: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> int:
    indent = kwargs.get("indent", args[0] if args else 0)
    size = _deep_size(value)
    return 6 * size + (size * 8 * indent if isinstance(indent, int) else size * 8)


def _sum(value: Any, _args: tuple[Any, ...], _kwargs: dict[str, Any]) -> int:
    # Lists are copied at each step: the sum of n lists costs n times their size.
    return _deep_size(value) * (_size(value) if any(isinstance(item, (list, tuple)) for item in value) else 1)


def _sorted(value: Any, _args: tuple[Any, ...], _kwargs: dict[str, Any]) -> int:
    return 4 * _deep_size(value)


_GROWTH: dict[str, Callable[[Any, tuple[Any, ...], dict[str, Any]], int]] = {
    "indent": _indent,
    "replace": _replace,
    "join": _joining,
    "tojson": _tojson,
    "sum": _sum,
    "sort": _sorted,
    "unique": _sorted,
}
"""How large a filter's work can be where it is more than the size of its input."""
