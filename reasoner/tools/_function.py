"""`@tool`: a typed Python function becomes a tool. Its schema is read off the signature, what it says off the docstring.

@tool(effect="once", timeout_s=5)
def send(to: str, text: str) -> str: ...
"""

from __future__ import annotations

import inspect
import json
import re
from typing import TYPE_CHECKING, Any, cast, get_type_hints, overload

from pydantic import Field, PydanticUserError, ValidationError, create_model
from pydantic_core import PydanticSerializationError, to_json

from reasoner.errors import BadConfig, ReasonerError, ToolFailed
from reasoner.redaction import without_known
from reasoner.sandbox.threads import in_thread
from reasoner.text import shorten
from reasoner.tools._tool import Arguments, Effect, Lent, Tool, describe, schema_of
from reasoner.types import digest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
_SECTION = re.compile(r"^(Args|Arguments|Parameters|Returns|Raises|Yields|Example|Examples|Note|Notes):\s*$", re.MULTILINE)
_ARGUMENT = re.compile(r"^ {2,8}\*{0,2}(\w+)\s*(?:\([^)]*\))?:\s*(.*)$")


class FunctionTool(Tool):
    """A function as a tool; called directly it is still the function."""

    def __init__(self, function: Callable[..., Any], *, name: str, effect: Effect, timeout_s: float, max_output_chars: int) -> None:
        self.function = function
        self.name = name
        self.effect = effect
        self.timeout_s = timeout_s
        self.max_output_chars = max_output_chars
        self.description, told = _docstring(function)
        self._model = _model(function, name, told)
        self.__doc__ = function.__doc__

    @property
    def parameters(self) -> dict[str, Any]:
        """The JSON schema of the function's arguments."""
        return schema_of(self._model)

    @property
    def fingerprint(self) -> str:
        """What the model is shown, and the text of the function where it can be read."""
        try:
            source = inspect.getsource(self.function)
        except (OSError, TypeError):
            source = ""
        return digest(super().fingerprint, source)[:16]

    def accept(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Check arguments and return them as JSON has them."""
        try:
            return self._model.model_validate(dict(arguments)).model_dump(mode="json", exclude_unset=True)
        except ValidationError as error:
            raise ToolFailed(describe(error, self.name)) from None

    async def call(self, arguments: Mapping[str, Any], lent: Lent | None = None) -> str:  # noqa: ARG002 - a function runs no programs
        """Call the function and return its result as text; whatever it raises is told to the model."""
        try:
            given = self._model.model_validate(dict(arguments))
        except ValidationError as error:
            raise ToolFailed(describe(error, self.name)) from None
        values = {name: getattr(given, name) for name in type(given).model_fields}
        try:
            if inspect.iscoroutinefunction(self.function):
                return _text(await self.function(**values))
            return _text(await in_thread(lambda: self.function(**values)))
        except ReasonerError:
            raise
        except (Exception, SystemExit) as error:
            raise ToolFailed(without_known(f"{type(error).__name__}: {shorten(str(error), 2000)}")) from error

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function itself."""
        return self.function(*args, **kwargs)


@overload
def tool(function: Callable[..., Any], /) -> FunctionTool: ...
@overload
def tool(
    *, name: str | None = None, effect: Effect = "pure", timeout_s: float = 30.0, max_output_chars: int = 16_000
) -> Callable[[Callable[..., Any]], FunctionTool]: ...
def tool(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    effect: Effect = "pure",
    timeout_s: float = 30.0,
    max_output_chars: int = 16_000,
) -> FunctionTool | Callable[[Callable[..., Any]], FunctionTool]:
    """Make a tool of a typed function.

    `effect` is `pure` (changes nothing, may be run again), `once` (never run twice) or `approve` (a person decides first). The function may be
    asynchronous; one that is not runs in a thread, which goes on by itself when it is not back within `timeout_s`.

    Raises:
        BadConfig: an argument has no type or none that JSON can carry, or there is no docstring to tell the model what the tool does.
    """

    def make(given: Callable[..., Any]) -> FunctionTool:
        called = name or str(getattr(given, "__name__", ""))
        if not NAME.fullmatch(called):
            raise BadConfig(f"{called!r} cannot be the name of a tool", hint="use letters, digits, - and _, at most 64")
        if effect not in {"pure", "once", "approve"}:
            raise BadConfig(f"the tool {called} has the effect {effect!r}", hint="use pure, once or approve")
        if timeout_s <= 0 or max_output_chars < 1:
            raise BadConfig(f"the tool {called} has no time or no room for a result", hint="timeout_s and max_output_chars are above 0")
        return FunctionTool(given, name=called, effect=effect, timeout_s=timeout_s, max_output_chars=max_output_chars)

    return make if function is None else make(function)


def _docstring(function: Callable[..., Any]) -> tuple[str, dict[str, str]]:
    """Return what a docstring says of the function, and of each argument."""
    text = inspect.getdoc(function) or ""
    parts = _SECTION.split(text)
    told: dict[str, str] = {}
    for title, body in zip(parts[1::2], parts[2::2], strict=True):
        if title not in {"Args", "Arguments", "Parameters"}:
            continue
        last = ""
        for line in body.splitlines():
            if found := _ARGUMENT.match(line):
                last = found[1]
                told[last] = found[2].strip()
            elif last and line.strip():
                told[last] += " " + line.strip()
    description = parts[0].strip()
    if not description:
        raise BadConfig(
            f"the tool {getattr(function, '__name__', '?')} has no docstring", hint="its first line tells the model what it does"
        )
    return description, told


def _model(function: Callable[..., Any], name: str, told: Mapping[str, str]) -> type[Arguments]:
    try:
        hints = get_type_hints(function, include_extras=True)
    except (NameError, TypeError) as error:
        raise BadConfig(f"the types of the tool {name} cannot be read: {error}", hint="import them where the tool is written") from error
    fields: dict[str, Any] = {}
    for argument in inspect.signature(function).parameters.values():
        if argument.kind not in {argument.POSITIONAL_OR_KEYWORD, argument.KEYWORD_ONLY}:
            raise BadConfig(f"the tool {name} takes {argument}", hint="a tool has named arguments only")
        if argument.name not in hints:
            raise BadConfig(f"the argument {argument.name} of the tool {name} has no type", hint=f"write {argument.name}: str, for example")
        default = ... if argument.default is argument.empty else argument.default
        fields[argument.name] = (hints[argument.name], Field(default, description=told.get(argument.name)))
    try:
        model = cast("type[Arguments]", create_model(name, __base__=Arguments, **fields))
        model.model_json_schema()
    except (PydanticUserError, NameError, TypeError, ValueError) as error:
        raise BadConfig(
            f"the arguments of the tool {name} cannot be written as JSON: {shorten(str(error), 300)}", hint="use plain types"
        ) from error
    return model


def _text(value: Any) -> str:
    """Return a result as the model reads it: text as it is, anything else as JSON."""
    if isinstance(value, str):
        return value
    if value is None:
        return "done"
    try:
        return json.dumps(json.loads(to_json(value, inf_nan_mode="strings")), ensure_ascii=False)
    except (PydanticSerializationError, ValueError, RecursionError):
        return str(value)
