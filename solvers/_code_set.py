"""The functions of `corpora/code`, the calls they are tested by, and what a function makes of these calls in Monty.

tests_of("clamp", "5f3a90c1")[0]  ->  Trial(call="clamp(-20, 0, 14)", wanted=("gives", "0"))
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from reasoner.assets import asset_dir
from reasoner.errors import CorruptRecord
from reasoner.files.bounded_toml import parse_toml
from reasoner.sandbox.monty_once import run_once
from reasoner.text import clean, shorten
from reasoner.types import digest
from solvers._code_inputs import drawn
from solvers._code_mutations import plain
from solvers._record import why

if TYPE_CHECKING:
    from collections.abc import Sequence

N_TESTS = 40

Outcome = tuple[str, str]
"""`gives` and what a call gave as Python writes it, or `raises` and the name of the exception."""


class Function(BaseModel):
    """One function of the set."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z][a-z_]{1,40}$")
    does: str = Field(min_length=10, max_length=500)
    arguments: tuple[str, ...] = Field(min_length=1, max_length=5)
    source: str = Field(max_length=4000)

    @property
    def text(self) -> str:
        """The function as mutated ones are written."""
        return plain(self.source)

    @property
    def head(self) -> str:
        """Its first line."""
        return self.text.partition("\n")[0]


@dataclass(frozen=True, slots=True)
class Trial:
    """One call, and what a right function makes of it."""

    call: str
    wanted: Outcome


@lru_cache(maxsize=1)
def functions() -> dict[str, Function]:
    """Return the functions of the set, by name.

    Raises:
        CorruptRecord: the file is damaged.
    """
    path = asset_dir("corpora") / "code" / "functions.toml"
    try:
        rows = parse_toml(path.read_text(encoding="utf-8"))["function"]
        return {function.name: function for function in (Function.model_validate(row) for row in rows)}
    except (ValidationError, ValueError, KeyError, TypeError) as error:
        raise CorruptRecord(path, 0, why(error) if isinstance(error, ValueError) else str(error)) from error


@lru_cache(maxsize=512)
def tests_of(name: str, made_from: str) -> list[Trial]:
    """Draw the calls of a problem, and let the original say what they give."""
    function = functions()[name]
    calls: dict[str, None] = {}
    for number in range(10 * N_TESTS):
        calls[drawn(function.arguments, int(digest("code", name, made_from, str(number)), 16))] = None
        if len(calls) == N_TESTS:
            break
    tests = [Trial(f"{name}({call})", ("", "")) for call in calls]
    outcomes = outcomes_of(name, function.text, tests)
    if isinstance(outcomes, str):
        raise CorruptRecord(asset_dir("corpora") / "code" / "functions.toml", 0, f"{name}: {outcomes}")
    return [Trial(test.call, wanted) for test, wanted in zip(tests, outcomes, strict=True)]


def outcomes_of(name: str, source: str, tests: Sequence[Trial]) -> list[Outcome] | str:
    """Return what a function makes of every test, or why it could not be run."""
    calls = ", ".join(f"lambda: {test.call}" for test in tests)
    ran = run_once(
        f"{source}\n\ndef outcome_(call_):\n    try:\n        return ['gives', repr(call_())]\n    except Exception as error_:\n"
        f"        return ['raises', type(error_).__name__]\n\n[outcome_(call_) for call_ in [{calls}]]"
    )
    if ran.error:
        last = [line for line in ran.error.splitlines() if line.strip()][-1:]
        return f"{name} cannot be run: {shorten(clean(' '.join(last)), 150)}"
    if not isinstance(ran.value, list) or len(ran.value) != len(tests):
        return f"{name} gave no results"
    return [(str(each[0]), str(each[1])) if isinstance(each, list) and len(each) == 2 else ("gives", "nothing") for each in ran.value]
