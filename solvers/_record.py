"""From a JSON line to an instance and back, for families whose instance is more than a few numbers.

The family's own model checks the values.

    read(solver, RoomMap, '{"rooms": ["1", "2"], ...}')  ->  the instance
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from reasoner.errors import BadInstance
from reasoner.text import clean, shorten

if TYPE_CHECKING:
    from reasoner.solver import Solver

MAX_LINE_CHARS = 200_000

_encode = json.JSONEncoder(ensure_ascii=True).encode
"""Made once, not at every line."""

M = TypeVar("M", bound="Record")


class Record(BaseModel):
    """An instance that is written as one JSON object; fields at their defaults are left out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def line(self) -> str:
        """Return the instance in its one-line syntax, in ASCII."""
        return _encode(self.model_dump(mode="json", exclude_defaults=True))


def read(solver: Solver[Any], model: type[M], line: str) -> M:
    """Read an instance.

    Raises:
        BadInstance: the line is no JSON object, or the model refuses its values.
    """
    try:
        return model.model_validate(load(line))
    except ValueError as error:  # a ValidationError is one too
        shown = shorten(clean(line[:1000]), 60)
        hint = f"the syntax is {solver.syntax}"
        raise BadInstance(f"{solver.name}: cannot use the instance '{shown}': {shorten(clean(why(error)), 150)}", hint=hint) from error


def load(line: str) -> dict[str, Any]:
    """Read one JSON object; the constants NaN and Infinity are refused.

    Raises:
        ValueError: it is none, it is too long or nests too deep.
    """
    if len(line) > MAX_LINE_CHARS:
        raise ValueError(f"the line has {len(line)} characters, at most {MAX_LINE_CHARS} are read")
    try:
        made = json.loads(line, parse_constant=_refuse)
    except RecursionError as error:
        raise ValueError("it nests too deep") from error
    if not isinstance(made, dict):
        raise ValueError("it is no JSON object")  # noqa: TRY004 - one fault of one text
    return made


def why(error: ValueError) -> str:
    """Say in one line what is wrong, with the field and the value where they are known."""
    if not isinstance(error, ValidationError):
        return str(error)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    return f"{where} = {shorten(repr(first['input'])[:400], 40)}: {message}" if where else message


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON value")
