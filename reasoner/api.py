"""The Python face: `solve` and `bench`, and their asynchronous twins `asolve` and `abench`.

    result = solve("game24", "4 9 10 13", strategy="ats", model="teacher", db="trajectories.db")
    result.correct, result.answer, result.spent.calls

Opens the store, the clients and the prompts, runs, and closes what it opened. Knows no command line.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from reasoner.budget import Limits
from reasoner.clients import ClientOptions, open_client
from reasoner.compare import Row, tabulate
from reasoner.plan import Plan, StrategySpec, draw, parse_strategies, problem_from_line
from reasoner.prompts import Prompts
from reasoner.reversal import by_strategy
from reasoner.run import Outcome, Report, Runner
from reasoner.store import Store
from reasoner.types import Sampling

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from reasoner.budget import Price
    from reasoner.retry import RetryPolicy
    from reasoner.types import Client, Problem


@dataclass(frozen=True)
class Setup:
    """What every run may be told, besides what it runs. All of it has sensible defaults.

    `db` is the database file (default: `REASONER_DB`, else `trajectories.db`); `prompts` a directory of templates that override the
    shipped ones; `fresh` starts a new run even where an earlier one with the same manifest could be gone on with.
    """

    db: Path | str | None = None
    prompts: Path | str | None = None
    seed: int = 0
    samples: int = 1
    sampling: Sampling | None = None
    limits: Limits | None = None
    options: ClientOptions | None = None
    prices: Mapping[str, Price] | None = None
    retry: RetryPolicy | None = None
    fresh: bool = False
    replay: bool = False
    command: str = ""


@dataclass(frozen=True, slots=True)
class Bench:
    """A finished bench: the report of its run, and its table."""

    report: Report
    rows: tuple[Row, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return what `reasoner bench --json` prints."""
        made: dict[str, Any] = {"run": self.report.run_id, "rows": [row.as_dict() for row in self.rows]}
        if ways := by_strategy(self.report.outcomes):
            made["reversed_pairs"] = [{"strategy": strategy, "model": model} | found.as_dict() for (strategy, model), found in ways.items()]
        return made


async def execute(
    problems: Sequence[Problem],
    strategies: Sequence[StrategySpec],
    models: Sequence[str | Client],
    setup: Setup,
    *,
    keep_graphs: bool = False,
    on_start: Callable[[str, int], None] | None = None,
    on_outcome: Callable[[Outcome], None] | None = None,
) -> Report:
    """Run problems x strategies x models x samples; the one road every other function here takes.

    Models are names (opened and closed here) or open clients (left open).

    Raises:
        ReasonerError: see `reasoner.errors`; the run is left resumable.
    """
    prompts = Prompts(setup.prompts)
    plan = Plan(problems, strategies, setup.seed, setup.samples, setup.sampling or Sampling(), setup.limits or Limits())
    async with AsyncExitStack() as stack:
        clients: list[Client] = []
        for model in models:
            client = open_client(model, setup.options) if isinstance(model, str) else model
            if isinstance(model, str):
                stack.push_async_callback(client.aclose)
            clients.append(client)
        store = stack.enter_context(Store.open(setup.db))
        runner = Runner(
            store, prompts, prices=setup.prices, retry=setup.retry, keep_graphs=keep_graphs, on_start=on_start, on_outcome=on_outcome
        )
        return await runner.execute(plan, clients, command=setup.command, fresh=setup.fresh, replay=setup.replay)


async def asolve(solver: str, instance: str, *, strategy: str = "ats", model: str | Client = "local", **setup: Any) -> Outcome:
    """Solve one problem and return what came of it, with the graph of thoughts in `trajectory`.

    Args:
        solver: a problem family, see `reasoner list`.
        instance: one problem in the solver's one-line syntax, `"4 9 10 13"` for `game24`.
        strategy: `NAME` or `NAME:key=value,...`.
        model: `"local"`, a path to a `.gguf`, `"openai:NAME"`, `"teacher"`, or an open client.
        **setup: fields of `Setup`.

    Raises:
        UnknownName: no solver, strategy or client of that name.
        BadInstance: the instance does not follow the syntax.
        ReasonerError: anything else, by whose fault it is.
    """
    problem = problem_from_line(solver, instance)
    report = await execute([problem], parse_strategies(strategy), [model], Setup(**setup), keep_graphs=True)
    return report.outcomes[0]


def solve(solver: str, instance: str, *, strategy: str = "ats", model: str | Client = "local", **setup: Any) -> Outcome:
    """Solve one problem; the synchronous face of `asolve`, for code that runs no event loop."""
    return asyncio.run(asolve(solver, instance, strategy=strategy, model=model, **setup))


async def abench(
    solvers: str | Sequence[str],
    *,
    strategy: str | Sequence[str] = "cot,ats",
    model: str | Client | Sequence[str | Client] = "local",
    n: int = 20,
    level: int | None = None,
    on_start: Callable[[str, int], None] | None = None,
    on_outcome: Callable[[Outcome], None] | None = None,
    **setup: Any,
) -> Bench:
    """Run n drawn problems of each solver under each strategy and model, and return the table.

    The same arguments go on with an earlier run that was interrupted. `level` is the solver's difficulty level, its default when
    None.

    Raises:
        ReasonerError: see `reasoner.errors`; the run is left resumable.
    """
    made = Setup(**setup)
    names = [solvers] if isinstance(solvers, str) else list(solvers)
    models: list[str | Client] = [*model] if isinstance(model, (list, tuple)) else [cast("str | Client", model)]
    problems = [problem for name in names for problem in draw(name, n=n, seed=made.seed, level=level)]
    report = await execute(problems, parse_strategies(strategy), models, made, on_start=on_start, on_outcome=on_outcome)
    return Bench(report, tuple(tabulate(report.outcomes)))


def bench(solvers: str | Sequence[str], **arguments: Any) -> Bench:
    """Run a bench; the synchronous face of `abench`, with the same arguments."""
    return asyncio.run(abench(solvers, **arguments))
