"""Problems: read from a line, or drawn from a family in an order that the seed fixes.

draw("game24", n=20, seed=0) -> [Problem("game24", ...), ...]
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from reasoner import registry
from reasoner.errors import BadConfig
from reasoner.solver import Solver
from reasoner.types import Problem, canonical_json, digest

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_BARREN_DRAWS = 500
"""Draws in a row that give nothing new before a level is taken for exhausted."""


def known_solver(solver: str | Solver[Any] | type[Solver[Any]]) -> str:
    """Return the name of a problem family; one that is given as a class or an instance is made known by its name.

    Raises:
        BadConfig: its name is that of another registered family.
    """
    if isinstance(solver, str):
        return solver
    registry.register(solver)
    return solver.name if isinstance(solver, type) else solver.title


def problem_from_line(solver_name: str, line: str) -> Problem:
    """Read one problem from its one-line syntax.

    Raises:
        UnknownName: there is no such solver.
        BadInstance: the line does not follow the solver's syntax.
    """
    solver: Solver[Any] = registry.solver(solver_name)
    return problem_from_instance(solver, solver.parse(line), None)


def problem_from_instance(solver: Solver[Any], instance: Any, level: int | None) -> Problem:
    """Return the problem of an instance."""
    return Problem(solver.title, canonical_json(instance.model_dump(mode="json")), solver.format(instance), level)


def instance_of(solver: Solver[Any], problem: Problem) -> Any:
    """Return the instance of a problem."""
    return solver.Instance.model_validate_json(problem.instance)


def draw(solver_name: str, *, n: int | None, seed: int, level: int | None = None) -> list[Problem]:
    """Draw n different problems of a level, in a fixed order for the seed; None draws all, where they are a fixed list.

    Every draw has a random stream of its own, made by hashing (seed, solver, level, index), so that neighbouring seeds share
    nothing.

    Raises:
        UnknownName: there is no such solver.
        BadConfig: the solver has no such level, or the level does not hold n different problems.
    """
    solver: Solver[Any] = registry.solver(solver_name)
    chosen = solver.default_level if level is None else level
    if chosen not in solver.levels:
        raise BadConfig(f"{solver_name} has no level {chosen}", hint=f"levels: {', '.join(map(str, solver.levels))}")
    if (listed := solver.listed(chosen)) is not None:
        return _pick(solver, listed, n=n, seed=seed, level=chosen)
    if n is None:
        raise BadConfig(f"{solver_name} is no fixed list of problems: there is no end to all of them", hint="give a number: -n 20")
    found: dict[Any, Problem] = {}
    index = barren = 0
    while len(found) < n:
        rng = random.Random(int(digest(str(seed), solver_name, str(chosen), str(index)), 16))
        instance = solver.generate(rng, chosen)
        index += 1
        key = solver.canonical(instance)
        if key in found:
            barren += 1
            if barren >= MAX_BARREN_DRAWS:
                raise BadConfig(
                    f"{solver_name} level {chosen} gave only {len(found)} different problems, {n} were asked for",
                    hint="lower -n or name another `level`",
                )
            continue
        barren = 0
        found[key] = problem_from_instance(solver, instance, chosen)
    return list(found.values())


def _pick(solver: Solver[Any], listed: Sequence[Any], *, n: int | None, seed: int, level: int) -> list[Problem]:
    """Take n different problems of a fixed list, in an order drawn by the seed; fewer are the first of more.

    What an instance leaves open is drawn for the seed and the instance alone, so that n makes no difference to it.
    """
    different = list({solver.canonical(instance): instance for instance in listed}.values())
    n = len(different) if n is None else n
    if len(different) < n:
        raise BadConfig(
            f"{solver.title} level {level} has {len(different)} different problems, {n} were asked for", hint=f"use -n {len(different)}"
        )
    random.Random(int(digest(str(seed), solver.title, str(level)), 16)).shuffle(different)
    rngs = [random.Random(int(digest(str(seed), solver.title, solver.format(instance)), 16)) for instance in different[:n]]
    return [problem_from_instance(solver, solver.vary(each, rng), level) for each, rng in zip(different[:n], rngs, strict=True)]
