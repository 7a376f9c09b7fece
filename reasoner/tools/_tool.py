"""The seam to a tool, and what every tool shares: arguments that are checked, results that are bounded."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, ValidationError

from reasoner.errors import ToolFailed
from reasoner.sandbox.monty import LentFunctionFailed
from reasoner.text import storable
from reasoner.types import ToolSpec, canonical_json, digest

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from reasoner.solver import Solver

    Lent = Mapping[str, Callable[..., Awaitable[Any]]]
else:
    Lent = dict

Effect = Literal["pure", "once", "approve"]
"""`pure` changes nothing outside and may be run again; `once` is never run twice; `approve` waits for a person, and is then run once."""

MAX_ARGUMENTS_CHARS = 100_000
MAX_PROBLEMS = 5
NO_OUTPUT = "[no output]"
"""What a program that shows nothing gives back."""


class Result(NamedTuple):
    """What a call came to: the text, and whether it is a result or tells of a failure."""

    ok: bool
    text: str

    def value(self) -> Any:
        """Return what a program that made the call is given: the value where the text is JSON, else the text.

        Raises:
            LentFunctionFailed: the call failed.
        """
        if not self.ok:
            raise LentFunctionFailed(self.text)
        try:
            return json.loads(self.text)
        except (ValueError, RecursionError):
            return self.text


class Arguments(BaseModel):
    """What a tool takes: a field for every argument, with a type and a description."""

    model_config = ConfigDict(extra="forbid")


class Tool(ABC):
    """One thing a model may do."""

    name: str
    description: str
    effect: Effect = "pure"
    timeout_s: float = 30.0
    max_output_chars: int = 16_000
    ends: bool = False
    """Whether it does nothing but give the answer."""
    needs: ClassVar[str] = ""
    """What has to be installed or named for it, in a few words for a list; empty: nothing."""
    arguments: ClassVar[type[Arguments]] = Arguments

    @property
    def parameters(self) -> dict[str, Any]:
        """The JSON schema of the arguments, as a model is shown it."""
        return schema_of(self.arguments)

    @property
    def spec(self) -> ToolSpec:
        """The tool as a request names it."""
        return ToolSpec(self.name, self.description, json.dumps(self.parameters, ensure_ascii=True, separators=(",", ":")))

    @property
    def fingerprint(self) -> str:
        """What the tool is, as far as a model and a rerun can tell; part of a run's identity."""
        return digest(self.name, self.description, canonical_json(self.parameters), self.effect)[:16]

    def accept(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Check arguments and return them as the tool takes them, ready for JSON.

        Raises:
            ToolFailed: they are not what the schema says; the message says what is wrong with which.
        """
        try:
            return self.arguments.model_validate(dict(arguments)).model_dump(mode="json")
        except ValidationError as error:
            raise ToolFailed(describe(error, self.name)) from None

    def about(self, solver: Solver[Any], instance: Any) -> Tool:  # noqa: ARG002 - for tools that need to know the problem
        """Return the tool for one problem; nearly every tool is the same for all."""
        return self

    def fresh(self, seed: str) -> Tool:  # noqa: ARG002 - for tools that keep something between calls
        """Return the tool for one trajectory; one that keeps nothing between calls is the same for all."""
        return self

    def remember(self, arguments: Mapping[str, Any], result: Result, lent: Sequence[Result]) -> None:  # noqa: B027 - most keep nothing
        """Take note of a call of this trajectory that was made before and is not made again; `lent` are the results its own calls had."""

    @abstractmethod
    async def call(self, arguments: Mapping[str, Any], lent: Lent | None = None) -> str:
        """Do it and return what the model is to see. `lent` are functions it may offer to programs of the model.

        Raises:
            ToolFailed: it cannot be done; the message is for the model.
            SandboxMissing: it would have to run outside a sandbox.
        """

    def answer(self, observation: str) -> str | None:
        """Return the answer that a successful call gave, None where the work goes on. It may depend on nothing but the text."""
        return observation if self.ends else None

    async def aclose(self) -> None:  # noqa: B027 - most hold nothing
        """Release what the tool holds. Safe to call twice."""


def schema_of(model: type[BaseModel]) -> dict[str, Any]:
    """Return the JSON schema of a model without the titles that pydantic makes up."""
    schema: dict[str, Any] = _untitled(model.model_json_schema())
    schema.pop("description", None)
    schema.setdefault("properties", {})
    return schema


def _untitled(value: Any, *, names: bool = False) -> Any:
    """Drop `title` where it is a keyword; under `properties` it is the name of an argument."""
    if isinstance(value, dict):
        return {
            key: _untitled(inner, names=key in {"properties", "$defs"} and not names)
            for key, inner in value.items()
            if names or key != "title" or not isinstance(inner, str)
        }
    return [_untitled(inner) for inner in value] if isinstance(value, list) else value


def describe(error: ValidationError, name: str) -> str:
    """Say what is wrong with a tool's arguments, for the model that wrote them."""
    problems = [
        f"{'.'.join(map(str, problem['loc'])) or 'arguments'}: {problem['msg']}"
        for problem in error.errors(include_url=False)[:MAX_PROBLEMS]
    ]
    return f"the arguments of {name} are wrong: {'; '.join(problems)}"


def read_arguments(text: str) -> dict[str, Any]:
    """Read the arguments of a call as a model wrote them: a JSON object, a JSON string that holds one, or nothing at all.

    Raises:
        ToolFailed: they are no JSON object, or too long or too deep.
    """
    if len(text) > MAX_ARGUMENTS_CHARS:
        raise ToolFailed(f"the arguments have {len(text):,} characters, at most {MAX_ARGUMENTS_CHARS:,} are read")
    try:
        value = json.loads(text) if text.strip() else {}
        if isinstance(value, str) and value.lstrip().startswith("{"):
            value = json.loads(value)
    except (ValueError, RecursionError) as error:
        raise ToolFailed(f"the arguments are no JSON: {error}") from None
    if not isinstance(value, dict):
        raise ToolFailed(f"the arguments are a JSON {type(value).__name__}, and have to be an object")
    return value


def bounded(text: str, n_chars: int) -> str:
    """Return at most about `n_chars` characters of a result: its beginning and its end, with a line that says what is left out."""
    text = storable(text)
    if len(text) <= n_chars:
        return text
    half = n_chars // 2
    return f"{text[:half]}\n[{len(text) - 2 * half:,} characters left out]\n{text[len(text) - half :]}"
