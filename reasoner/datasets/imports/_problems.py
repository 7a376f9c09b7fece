"""Problems as logs name them, and what their verifiers say of an answer now; a file's own verdicts are not believed."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from reasoner import registry
from reasoner.datasets.lineage import level_of
from reasoner.errors import UsageError
from reasoner.runs.problems import problem_from_instance
from reasoner.types import Problem, Verdict, canonical_json

if TYPE_CHECKING:
    from collections.abc import Mapping


@lru_cache(maxsize=256)
def solver_of(name: str) -> Any:
    """Return a solver, None when it is not installed; a file names the same few again and again."""
    try:
        return registry.solver(name)
    except UsageError:
        return None


def named(name: str, line: str, level: int | None, answer: str | None) -> tuple[Problem, Verdict | None]:
    """Return the problem a log names, and what its verifier says of an answer where the solver is installed."""
    solver = solver_of(name)
    try:
        instance = None if solver is None else solver.parse(line)
    except UsageError:
        instance = None
    if solver is None or instance is None:
        return Problem(name, canonical_json({"line": line}), line, level), None
    return problem_from_instance(solver, instance, level), None if answer is None else solver.verify(instance, answer)


def of_lineage(lineage: Mapping[str, Any], answer: str | None) -> tuple[Problem, Verdict | None]:
    """Return the problem a lineage names, and what its verifier says of an answer."""
    return named(str(lineage["solver"]), str(lineage["instance"]), level_of(lineage), answer)


def judged(problem: Problem, answer: str | None) -> Verdict | None:
    """Judge an answer now; where the solver is not installed there is no verdict."""
    solver = solver_of(problem.solver)
    if solver is None:
        return None
    if answer is None:
        return Verdict(correct=False, score=0.0, reason="no answer was given", unparsed=True)
    try:
        verdict: Verdict = solver.verify(solver.Instance.model_validate_json(problem.instance), answer)
    except (UsageError, ValueError):
        return None
    return verdict
