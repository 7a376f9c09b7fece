"""Three parts of the problems of a family: those that are trained on, those that decide, and the sealed ones, which only measure.

Parts are told by the hash of a problem's family (`Solver.family`), so no variant of a sealed problem is ever trained on.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from reasoner import registry
from reasoner.datasets.split import Split
from reasoner.errors import BadConfig
from reasoner.runs.problems import draw, instance_of, problem_from_instance
from reasoner.types import digest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from reasoner.types import Problem

SPLIT = Split.parse("train=0.7,dev=0.1,sealed=0.2")
BARREN = 3_000
"""Draws in a row without a new problem after which a level is taken for exhausted."""


def ladder_of(family: str, chosen: tuple[int, ...] | None) -> tuple[int, ...]:
    """Return the levels of a family, easiest first.

    Raises:
        UnknownName: there is no such family.
        BadConfig: it lacks a level that was chosen.
    """
    levels: tuple[int, ...] = tuple(registry.solver(family).levels)
    for level in chosen or ():
        if level not in levels:
            raise BadConfig(f"{family} has no level {level}", hint=f"levels: {', '.join(map(str, levels))}")
    return chosen or levels


def problems_of(family: str, *, part: str, level: int, n: int, key: str, without: Collection[str] = ()) -> list[Problem]:
    """Draw up to n different problems of a part and a level, none of `without` (ids), in an order that `key` fixes."""
    solver = registry.solver(family)
    found: dict[str, Problem] = {}
    barren = 0
    for problem, instance in _drawn(family, level, key):
        barren += 1
        if problem.id not in found and problem.id not in without and SPLIT.of(family, str(solver.family(instance))) == part:
            found[problem.id], barren = problem, 0
        if len(found) >= n or barren >= BARREN:
            break
    return list(found.values())


def _drawn(family: str, level: int, key: str) -> Iterator[tuple[Problem, Any]]:
    solver = registry.solver(family)
    if solver.listed(level) is not None:
        for problem in draw(family, n=None, seed=int(digest(key)[:8], 16), level=level):
            yield problem, instance_of(solver, problem)
        return
    rng = random.Random(int(digest("expert iteration", key, family, str(level)), 16))
    while True:
        instance = solver.generate(rng, level)
        yield problem_from_instance(solver, instance, level), instance
