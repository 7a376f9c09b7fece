r"""Worked examples of families that draw their problems: instances of a stream of their own, with the steps they explain and their answer.

worked(solver, "cot", drawn)   ->   [(instance, "1: 3 * 12 = 36\nAnswer: 36"), ...]
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, TypeVar

from reasoner.types import digest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic import BaseModel

    from reasoner.solver import Solver

I = TypeVar("I", bound="BaseModel")  # noqa: E741 - an instance model, as in `reasoner.solver`

N_WORKED = 8
KINDS = frozenset({"direct", "cot", "cot-plain", "cot-explanation_first"})
"""The layouts that are written from steps and an answer; searches are written by whoever shows them."""


def stream(name: str) -> random.Random:
    """Return the random stream of a family's worked examples, which no problem is drawn from."""
    return random.Random(int(digest(name, "worked"), 16))


def worked(solver: Solver[Any], kind: str, drawn: Sequence[I]) -> list[tuple[I, str]]:
    """Write worked examples of a kind; none of a kind that is not written so."""
    return [(each, _written(solver, kind, each)) for each in drawn] if kind in KINDS else []


def _written(solver: Solver[Any], kind: str, instance: BaseModel) -> str:
    steps = [] if kind == "direct" else solver.explain(instance)
    lines = [f"{n}: {step}" if kind == "cot" else f"{step}." for n, step in enumerate(steps, start=1)]
    return "\n".join([*lines, solver.right_answer(instance) or ""])
