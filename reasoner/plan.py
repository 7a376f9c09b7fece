"""What a run is: problems, strategies, models, samples, limits; and its manifest, the run's identity.

Two commands with the same manifest are the same run: the second goes on with the first. Anything that could change an answer
(prompt, parameter, model file, seed, version) changes the manifest. Knows names and values; runs nothing.

    parse_strategies("cot,ats:order=dfs,shots=1") -> [StrategySpec("cot"), StrategySpec("ats:order=dfs,shots=1")]
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from reasoner import __version__, registry
from reasoner.budget import Limits
from reasoner.errors import BadConfig
from reasoner.translation.library import open_corpus
from reasoner.types import Problem, Sampling, Solver, canonical_json, digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from reasoner.prompts import Prompts
    from reasoner.strategies import Strategy
    from reasoner.types import Client

MAX_BARREN_DRAWS = 500
"""Draws in a row that give nothing new before a level is taken for exhausted."""


@dataclass(frozen=True, slots=True)
class StrategySpec:
    """A strategy with its parameters. `label` is how tables write it: the name and the parameters that differ from the defaults."""

    label: str
    name: str
    params: str
    """The full parameters as canonical JSON."""

    def make(self) -> Strategy:
        """Build the strategy."""
        cls = registry.find("strategy", self.name)
        strategy: Strategy = cls(cls.Params.model_validate_json(self.params))
        return strategy


def strategy_spec(name: str, params: Mapping[str, Any]) -> StrategySpec:
    """Check a strategy's name and parameters.

    Raises:
        UnknownName: there is no such strategy.
        BadConfig: a parameter is unknown or has a value it cannot have.
    """
    cls = registry.find("strategy", name)
    try:
        model = cls.Params.model_validate(dict(params))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "parameters"
        known = ", ".join(cls.Params.model_fields) or "none"
        raise BadConfig(f"strategy {name}: {where}={first['input']!r}: {first['msg']}", hint=f"its parameters are: {known}") from error
    changed = {k: v for k, v in model.model_dump(mode="json").items() if v != cls.Params.model_fields[k].default}
    label = name + (":" + ",".join(f"{k}={v}" for k, v in changed.items()) if changed else "")
    return StrategySpec(label, name, canonical_json(model.model_dump(mode="json")))


def parse_strategies(texts: str | Iterable[str]) -> list[StrategySpec]:
    """Read strategies from text: `NAME` or `NAME:key=value,key=value`, several separated by commas.

    A piece with `=` and no `:` before it belongs to the strategy before it: `ats:order=dfs,shots=1,cot` is two strategies.

    Raises:
        UnknownName: there is no such strategy.
        BadConfig: a parameter does not fit, or a strategy is named twice.
    """
    pieces = [p.strip() for text in ([texts] if isinstance(texts, str) else texts) for p in text.split(",") if p.strip()]
    specs: list[tuple[str, dict[str, Any]]] = []
    for piece in pieces:
        name, colon, first = piece.partition(":")
        if not colon and "=" in piece:
            if not specs:
                raise BadConfig(f"the parameter {piece!r} has no strategy before it", hint="write NAME:key=value,key=value")
            name, first = "", piece
        else:
            specs.append((name, {}))
        if first:
            key, equals, value = first.partition("=")
            if not equals:
                raise BadConfig(f"{first!r} in {piece!r} is not key=value", hint="write NAME:key=value,key=value")
            specs[-1][1][key.strip()] = value.strip()
    made = [strategy_spec(name, params) for name, params in specs]
    if not made:
        raise BadConfig("no strategy was named", hint=f"known: {', '.join(registry.names('strategy'))}")
    labels = [spec.label for spec in made]
    twice = next((label for label in labels if labels.count(label) > 1), None)
    if twice:
        raise BadConfig(f"the strategy {twice!r} is named twice", hint="name it once")
    return made


def problem_from_line(solver_name: str, line: str) -> Problem:
    """Read one problem from its one-line syntax.

    Raises:
        UnknownName: there is no such solver.
        BadInstance: the line does not follow the solver's syntax.
    """
    solver: Solver[Any, Any] = registry.solver(solver_name)
    return problem_from_instance(solver, solver.parse(line), None)


def problem_from_instance(solver: Solver[Any, Any], instance: Any, level: int | None) -> Problem:
    """Return the problem of an instance."""
    return Problem(solver.title, canonical_json(instance.model_dump(mode="json")), solver.format(instance), level)


def instance_of(solver: Solver[Any, Any], problem: Problem) -> Any:
    """Return the instance of a problem."""
    return solver.Instance.model_validate_json(problem.instance)


def draw(solver_name: str, *, n: int, seed: int, level: int | None = None) -> list[Problem]:
    """Draw n different problems of a level, in a fixed order for the seed.

    Every draw has a random stream of its own, made by hashing (seed, solver, level, index), so that neighbouring seeds share
    nothing.

    Raises:
        UnknownName: there is no such solver.
        BadConfig: the solver has no such level, or the level does not hold n different problems.
    """
    solver: Solver[Any, Any] = registry.solver(solver_name)
    chosen = solver.default_level if level is None else level
    if chosen not in solver.levels:
        raise BadConfig(f"{solver_name} has no level {chosen}", hint=f"levels: {', '.join(map(str, solver.levels))}")
    if (listed := solver.listed(chosen)) is not None:
        return _pick(solver, listed, n=n, seed=seed, level=chosen)
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
                    hint="lower -n or name another --level",
                )
            continue
        barren = 0
        found[key] = problem_from_instance(solver, instance, chosen)
    return list(found.values())


def _pick(solver: Solver[Any, Any], listed: Sequence[Any], *, n: int, seed: int, level: int) -> list[Problem]:
    """Take n different problems of a fixed list, in an order drawn by the seed."""
    different = list({solver.canonical(instance): instance for instance in listed}.values())
    if len(different) < n:
        raise BadConfig(
            f"{solver.title} level {level} has {len(different)} different problems, {n} were asked for", hint=f"use -n {len(different)}"
        )
    rng = random.Random(int(digest(str(seed), solver.title, str(level)), 16))
    return [problem_from_instance(solver, instance, level) for instance in rng.sample(different, n)]


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that says what a run does."""

    problems: Sequence[Problem]
    strategies: Sequence[StrategySpec]
    seed: int = 0
    samples: int = 1
    sampling: Sampling = field(default_factory=Sampling)
    limits: Limits = field(default_factory=Limits)

    def manifest(self, clients: Sequence[Client], prompts: Prompts) -> dict[str, Any]:
        """Return the run's identity as JSON values."""
        solvers = sorted({p.solver for p in self.problems})
        families = sorted({name.partition(":")[0] for name in solvers})
        names = sorted({s.name for s in self.strategies})
        corpora = sorted({corpus for spec in self.strategies for corpus in spec.make().corpora()})
        return {
            "version": __version__,
            "problems": digest(*[p.id for p in self.problems]),
            "n_problems": len(self.problems),
            "solvers": solvers,
            "strategies": [[s.name, s.params] for s in self.strategies],
            "models": [[c.name, c.fingerprint] for c in clients],
            "seed": self.seed,
            "samples": self.samples,
            "sampling": self.sampling.as_dict(),
            "limits": self.limits.model_dump(mode="json"),
            "prompts": {n: prompts.fingerprint(f"{n}/") for n in names} | {n: prompts.fingerprint(f"solvers/{n}") for n in families},
            **({"corpora": {name: open_corpus(name).fingerprint for name in corpora}} if corpora else {}),
        }
