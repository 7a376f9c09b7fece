"""Bound the work of one rendering: loops, filters, `+` and `~` are counted, and a deadline of processor time stands behind the count.

A template of a user's own is checked before it runs (`reasoner.prompts.templates`), but two nested loops over a long statement, or a filter that
is applied inside them, can still take hours, and `x ~ x` can double a text until memory ends. So the environment counts: turns of loops and
values that are put together, by calls that `CountingCode` has compiled in; `+` by the sandbox's own hook; filters by what wraps them. The count
is the same on every machine, so what is refused once is refused always; the deadline cuts what the count did not foresee.

    template = CountingEnvironment(filters=["upper"]).from_string("{% block user %}{{ statement|upper }}{% endblock %}")
    template.new_context({"statement": "...", WORK: Work()})
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from typing import Any

from jinja2 import StrictUndefined, Undefined, nodes, pass_context
from jinja2.compiler import CodeGenerator, Frame
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


class CountingCode(CodeGenerator):
    """Jinja2's compiler, which writes a call that counts wherever a loop turns or a value is put together.

    `blockvisit` writes the statements of a block, the body of a loop among them.
    """

    _tests: frozenset[nodes.Node] = frozenset()
    """The tests of loops met so far (`for x in items if test`)."""

    def blockvisit(self, nodes: Iterable[nodes.Node], frame: Frame) -> None:
        """Count each time a block is entered."""
        self.writeline("environment.turn(context)")
        super().blockvisit(nodes, frame)

    def visit_For(self, node: nodes.For, frame: Frame) -> None:  # noqa: N802 - Jinja2's name
        """Count the items that the test of `for x in items if test` passes over, too."""
        if node.test is not None:
            self._tests |= {node.test}
        super().visit_For(node, frame)

    def visit(self, node: nodes.Node, *args: Any, **kwargs: Any) -> Any:
        """Write a node; before the test of a loop, a call that counts and says nothing."""
        if node not in self._tests:
            return super().visit(node, *args, **kwargs)
        self.write("environment.turn(context) or (")
        super().visit(node, *args, **kwargs)
        self.write(")")
        return None

    def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:  # noqa: N802
        """Let `a ~ b` be joined by the environment."""
        self._counted("joined", super().visit_List, nodes.List(node.nodes, lineno=node.lineno), frame)

    def visit_List(self, node: nodes.List, frame: Frame) -> None:  # noqa: N802
        """Count what a list holds."""
        self._counted("held", super().visit_List, node, frame)

    def visit_Dict(self, node: nodes.Dict, frame: Frame) -> None:  # noqa: N802
        """Count what a dict holds."""
        self._counted("held", super().visit_Dict, node, frame)

    def visit_Tuple(self, node: nodes.Tuple, frame: Frame) -> None:  # noqa: N802
        """Count what a tuple holds, where it is no target of an assignment."""
        if node.ctx == "load":
            self._counted("held", super().visit_Tuple, node, frame)
        else:
            super().visit_Tuple(node, frame)

    def _counted(self, how: str, write: Callable[[Any, Frame], None], node: nodes.Node, frame: Frame) -> None:
        self.write(f"environment.{how}(context, ")
        write(node, frame)
        self.write(")")


class CountingEnvironment(ImmutableSandboxedEnvironment):
    """A sandbox that counts, with the named filters and nothing else: no globals, and no functions as values.

    Filters are given the context, so none is worked out while a template is compiled: a bomb of constants cannot go off there.
    """

    code_generator_class = CountingCode
    intercepted_binops = frozenset(["+"])

    def __init__(self, filters: Iterable[str]) -> None:
        # autoescape stays off: these are prompts for a model, not HTML; escaping belongs to the viewer.
        super().__init__(undefined=StrictUndefined, autoescape=False, trim_blocks=True, lstrip_blocks=True)
        self.globals.clear()
        self.filters = {name: _counted_filter(name, self.filters[name]) for name in sorted(filters)}

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Return an attribute; a method (`text.format_map`) is none, and where a dict has a key of that name (`items`), its value is."""
        value = super().getattr(obj, attribute)
        if isinstance(obj, Mapping) and _is_function(value) and attribute in obj:
            value = obj[attribute]
        return self.unsafe_undefined(obj, attribute) if _is_function(value) else value

    def getitem(self, obj: Any, argument: Any) -> Any:
        """Return an item; a method is none."""
        value = super().getitem(obj, argument)
        return self.unsafe_undefined(obj, str(argument)) if _is_function(value) else value

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Add, having counted the size of both sides."""
        _work(context).charge(_size(left) + _size(right))
        return super().call_binop(context, operator, left, right)

    def turn(self, context: Context) -> None:
        """Count one turn of a loop, one block or one item passed over."""
        _work(context).charge(0)

    def held(self, context: Context, value: Any) -> Any:
        """Count a list, dict or tuple that a template makes, with all it holds."""
        # Lists of one list twice, nested thirty deep, are short to write and take a billion words to print.
        _work(context).charge(_deep_size(value))
        return value

    def joined(self, context: Context, values: list[Any]) -> str:
        """Join what stands between `~`."""
        _work(context).charge(_deep_size(values))
        texts = [str(value) for value in values]
        _work(context).charge(sum(map(len, texts)))
        return "".join(texts)


def _is_function(value: Any) -> bool:
    return callable(value) and not isinstance(value, Undefined)


def _work(context: Context) -> Work:
    work: Work = context.parent[WORK]
    return work


def _size(value: Any) -> int:
    if isinstance(value, Sized):
        return len(value)
    return value.bit_length() >> 3 if isinstance(value, int) else 1


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
