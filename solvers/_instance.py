"""From a one-line syntax to an instance, for puzzles whose instance is a few whole numbers.

The puzzle's own model checks the values.

    read(solver, Game24, "4 9 10 13")  ->  the instance with a=4, b=9, c=10, d=13
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from reasoner.errors import BadInstance
from reasoner.text import clean, shorten

if TYPE_CHECKING:
    from reasoner.solver import Solver

M = TypeVar("M", bound="Numbers")

_NUMBER = re.compile(r"[+-]?[0-9]{1,9}")


class Numbers(BaseModel):
    """An instance that is written as its fields, in order, with blanks between them."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    def numbers(self) -> tuple[int, ...]:
        """Return the values of the fields, in order."""
        return tuple(getattr(self, name) for name in type(self).model_fields)

    def line(self) -> str:
        """Return the instance in its one-line syntax."""
        return " ".join(map(str, self.numbers()))


def read(solver: Solver[Any], model: type[M], line: str) -> M:
    """Read an instance.

    Raises:
        BadInstance: there are not as many whole numbers as fields, or the model refuses their values.
    """
    names = list(model.model_fields)
    words = line.split()
    if len(words) != len(names) or not all(_NUMBER.fullmatch(word) for word in words):
        raise _bad(solver, line, f"{len(names)} whole numbers are needed")
    try:
        return model.model_validate(dict(zip(names, map(int, words), strict=True)))
    except ValidationError as error:
        first = error.errors()[0]
        where = f"{first['loc'][0]} = {first['input']}: " if first["loc"] else ""
        raise _bad(solver, line, where + first["msg"].removeprefix("Value error, ").lower()) from error


def _bad(solver: Solver[Any], line: str, why: str) -> BadInstance:
    return BadInstance(f"{solver.name}: cannot use the instance '{shorten(clean(line), 60)}': {why}", hint=f"the syntax is {solver.syntax}")
