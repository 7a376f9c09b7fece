"""Problems: read from a line, or drawn from a family in an order that the seed fixes.

draw("game24", n=20, seed=0) -> (Problem("game24", ...), ...)
"""

from __future__ import annotations

import random
from array import array
from typing import TYPE_CHECKING, Any

from reasoner import registry
from reasoner.errors import BadConfig
from reasoner.files import keep, reordered
from reasoner.solver import Solver
from reasoner.types import Problem, canonical_json, digest, problem_as_values, problem_of_values

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Sequence

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


def problem_from_instance(solver: Solver[Any], instance: Any, level: int | None, *, line: str | None = None) -> Problem:
    """Return the problem of an instance; `line` is its one-line syntax, where that is known already."""
    return Problem(solver.title, canonical_json(instance.model_dump(mode="json")), line or solver.format(instance), level)


def instance_of(solver: Solver[Any], problem: Problem) -> Any:
    """Return the instance of a problem."""
    return solver.Instance.model_validate_json(problem.instance)


def draw(solver_name: str, *, n: int | None, seed: int, level: int | None = None) -> Sequence[Problem]:
    """Draw n different problems of a level, in a fixed order for the seed; None draws all, where they are a fixed list.

    Many are kept in a temporary file (`reasoner.files.spool`), and read back when they are asked for.

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
        raise BadConfig(f"{solver_name} has no fixed list of problems, so there is no number for all of them", hint="give a number: -n 20")
    return keep(_drawn(solver, solver_name, n=n, seed=seed, level=chosen), write=problem_as_values, read=problem_of_values)


def drawn(solver_names: Sequence[str], *, n: int | None, seed: int, level: int | None = None) -> Sequence[Problem]:
    """Draw n problems of each family, see `draw`."""
    if len(solver_names) == 1:
        return draw(solver_names[0], n=n, seed=seed, level=level)
    return keep(
        (one for name in solver_names for one in draw(name, n=n, seed=seed, level=level)), write=problem_as_values, read=problem_of_values
    )


def _drawn(solver: Solver[Any], name: str, *, n: int, seed: int, level: int) -> Iterator[Problem]:
    """Generate different problems until there are n."""
    found: set[Any] = set()
    index = barren = 0
    while len(found) < n:
        rng = random.Random(int(digest(str(seed), name, str(level), str(index)), 16))
        instance = solver.generate(rng, level)
        index += 1
        key = solver.canonical(instance)
        if key in found:
            barren += 1
            if barren >= MAX_BARREN_DRAWS:
                raise BadConfig(
                    f"{name} level {level} gave only {len(found)} different problems, {n} were asked for",
                    hint="lower -n or name another `level`",
                )
            continue
        barren = 0
        found.add(key)
        yield problem_from_instance(solver, instance, level)


def _pick(solver: Solver[Any], listed: Sequence[Any], *, n: int | None, seed: int, level: int) -> Sequence[Problem]:
    """Return n different problems of a fixed list, in an order drawn by the seed; fewer are the first of more.

    What an instance leaves open is drawn for the seed and the instance alone, so that n makes no difference to it. Where most of the list
    is asked for, its problems are written in the list's own order in the one pass that finds the different ones, and read in theirs.
    """

    def problem(instance: Any) -> Problem:
        line: str | None = solver.format(instance)
        if solver.leaves_open(instance):
            instance = solver.vary(instance, random.Random(int(digest(str(seed), solver.title, str(line)), 16)))
            line = None
        return problem_from_instance(solver, instance, level, line=line)

    different = _Different(solver, listed)
    most = n is None or 2 * n >= len(listed)
    in_file_order: Sequence[Problem] = ()
    if most:
        in_file_order = keep(map(problem, different.noted()), write=problem_as_values, read=problem_of_values)
    else:
        for _ in different.noted():
            pass
    places = different.places
    n = len(places) if n is None else n
    if len(places) < n:
        raise BadConfig(
            f"{solver.title} level {level} has {len(places)} different problems, {n} were asked for", hint=f"use -n {len(places)}"
        )
    random.Random(int(digest(str(seed), solver.title, str(level)), 16)).shuffle(places)
    if most:
        return reordered(in_file_order, places[:n])
    return keep((problem(listed[place]) for place in places[:n]), write=problem_as_values, read=problem_of_values)


class _Different:
    """The places of different instances in the order they are first met; of those that are the same, the place of the last.

    Instances may be too many for memory: what is kept of each is a hash, and two of one hash are compared.
    """

    def __init__(self, solver: Solver[Any], listed: Sequence[Any]) -> None:
        self._solver = solver
        self._listed = listed
        self._slots: dict[int, int] = {}
        self.places = array("Q")

    def noted(self) -> Iterator[Any]:
        """Yield the instances of the list, all of them, each noted before it is yielded."""
        for place, instance in enumerate(self._listed):
            self._note(place, self._solver.canonical(instance))
            yield instance

    def _note(self, place: int, canonical: Hashable) -> None:
        key = hash(canonical)
        while (slot := self._slots.get(key)) is not None and self._solver.canonical(self._listed[self.places[slot]]) != canonical:
            key += 1
        if slot is not None:
            self.places[slot] = place
        else:
            self._slots[key] = len(self.places)
            self.places.append(place)
