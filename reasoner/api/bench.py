"""Run many problems under several strategies and models, and sum them up in a table.

bench(["number_path", "game24"], strategy="cot,ats", model="teacher", n=20).rows
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Unpack, cast

from reasoner.api.running import blocking, carry_out
from reasoner.api.settings import RunSettings, settings_of
from reasoner.comparison import Row, tabulate
from reasoner.comparison.reversal import by_strategy
from reasoner.runs.plan import Plan
from reasoner.runs.problems import drawn, known_solver
from reasoner.runs.strategy_spec import as_specs, with_shots

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reasoner.runs.results import Report
    from reasoner.runs.strategy_spec import AnyStrategy
    from reasoner.solver import Solver
    from reasoner.types import Client, Problem

    AnySolver = str | Solver[Any] | type[Solver[Any]]


@dataclass(frozen=True, slots=True)
class Bench:
    """A finished bench: the report of its run, and its table."""

    report: Report
    rows: tuple[Row, ...]

    def _repr_html_(self) -> str:
        """Draw it for a notebook: chart and table."""
        from reasoner.comparison.notebook import bench_html  # noqa: PLC0415 - only where it is drawn

        return bench_html(self.report.run_id, self.rows)

    def as_dict(self) -> dict[str, Any]:
        """Return what `reasoner bench --json` prints."""
        made: dict[str, Any] = {"run": self.report.run_id, "rows": [row.as_dict() for row in self.rows]}
        if ways := by_strategy(self.report.results):
            made["reversed_pairs"] = [{"strategy": strategy, "model": model} | found.as_dict() for (strategy, model), found in ways.items()]
        if self.report.inside_thought:
            made["inside_thought"] = [each._asdict() for each in self.report.inside_thought]
        return made


def several(models: str | Client | Sequence[str | Client]) -> list[str | Client]:
    """Return one or several models as a list."""
    return [*models] if isinstance(models, (list, tuple)) else [cast("str | Client", models)]


def families(solvers: AnySolver | Sequence[AnySolver]) -> list[str]:
    """Return the names of one or several problem families, each once; a class or an instance is made known by its name."""
    many = list(solvers) if isinstance(solvers, (list, tuple)) else [cast("AnySolver", solvers)]
    return list(dict.fromkeys(known_solver(each) for each in many))


async def arun(
    problems: Sequence[Problem],
    strategy: AnyStrategy | Sequence[AnyStrategy],
    model: str | Client | Sequence[str | Client] = "local",
    **settings: Unpack[RunSettings],
) -> Report:
    """Run problems that are given, each under each strategy and model, and return what came of them in that order.

    Raises:
        ReasonerError: see `reasoner.errors`; the run is left resumable.
    """
    made = settings_of(settings)
    return await carry_out(
        Plan(problems, as_specs(strategy), made.seed, made.samples, made.sampling, made.limits, tools=made.tools), several(model), made
    )


def run(
    problems: Sequence[Problem],
    strategy: AnyStrategy | Sequence[AnyStrategy],
    model: str | Client | Sequence[str | Client] = "local",
    **settings: Unpack[RunSettings],
) -> Report:
    """Run problems that are given; the synchronous face of `arun`, also inside a running event loop (a notebook)."""
    return blocking(lambda: arun(problems, strategy, model, **settings))


async def abench(
    solvers: AnySolver | Sequence[AnySolver],
    *,
    strategy: AnyStrategy | Sequence[AnyStrategy] = "cot,ats",
    model: str | Client | Sequence[str | Client] = "local",
    n: int | None = 20,
    level: int | None = None,
    shots: int = 0,
    **settings: Unpack[RunSettings],
) -> Bench:
    """Run n drawn problems of each solver under each strategy and model, and return the table.

    The same arguments go on with an earlier run that was interrupted. `level` is the solver's difficulty level, its default when
    None; `n` None asks all problems of a file; `shots` worked examples are shown by every strategy that takes some and names none.

    Raises:
        ReasonerError: see `reasoner.errors`; the run is left resumable.
    """
    made = settings_of(settings)
    problems = drawn(families(solvers), n=n, seed=made.seed, level=level)
    report = await arun(problems, [with_shots(spec, shots) for spec in as_specs(strategy)], model, **settings)
    return Bench(report, tuple(tabulate(report.results)))


def bench(
    solvers: AnySolver | Sequence[AnySolver],
    *,
    strategy: AnyStrategy | Sequence[AnyStrategy] = "cot,ats",
    model: str | Client | Sequence[str | Client] = "local",
    n: int | None = 20,
    level: int | None = None,
    shots: int = 0,
    **settings: Unpack[RunSettings],
) -> Bench:
    """Run a bench; the synchronous face of `abench`, also inside a running event loop (a notebook)."""
    return blocking(lambda: abench(solvers, strategy=strategy, model=model, n=n, level=level, shots=shots, **settings))
