"""The Python face: `solve`, `bench` and `compare`, and their asynchronous twins `asolve`, `abench` and `acompare`.

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
from reasoner.comparison import Row, tabulate
from reasoner.comparison.comparison import Comparison, choose_baseline, compare_trials
from reasoner.comparison.reversal import by_strategy
from reasoner.comparison.trials import is_upper_bound, read_trials
from reasoner.errors import BadConfig
from reasoner.prompts import Prompts
from reasoner.runs.plan import Plan
from reasoner.runs.problems import draw, problem_from_line
from reasoner.runs.runner import Conduct, Found, Outcome, Report, Runner
from reasoner.runs.saved_plan import recipe_of
from reasoner.runs.shipped_adapters import default_strategy, for_plan
from reasoner.runs.strategy_spec import StrategySpec, parse_strategies
from reasoner.store import Store
from reasoner.store.claims import LEASE_S
from reasoner.store.queries import resolve
from reasoner.types import Sampling

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from reasoner.budget import Price
    from reasoner.calling.caller import OnUnknown
    from reasoner.calling.retry import RetryPolicy
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
    run_limits: Limits | None = None
    """What all trajectories and all processes of the run may use together; None leaves a run to the limits it has."""
    allow_unpriced: bool = False
    on_unknown: OnUnknown = "auto"
    confirm: Callable[[str], bool] | None = None
    cache: bool = False
    retry_poisoned: bool = False
    lease_s: float = LEASE_S
    on_note: Callable[[str], None] | None = None
    """Told, in one line each, what a user should know of a run that begins: that another process shares it, say."""

    @property
    def conduct(self) -> Conduct:
        """How the run is carried out."""
        return Conduct(
            self.prices or {},
            self.allow_unpriced,
            self.run_limits,
            self.on_unknown,
            self.confirm,
            self.cache,
            self.retry_poisoned,
            self.lease_s,
        )


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
    plan = Plan(problems, strategies, setup.seed, setup.samples, setup.sampling or Sampling(), setup.limits or Limits())
    return await execute_plan(plan, models, setup, keep_graphs=keep_graphs, on_start=on_start, on_outcome=on_outcome)


async def execute_plan(
    plan: Plan,
    models: Sequence[str | Client],
    setup: Setup,
    *,
    found: Found | None = None,
    keep_graphs: bool = False,
    on_start: Callable[[str, int], None] | None = None,
    on_outcome: Callable[[Outcome], None] | None = None,
) -> Report:
    """Open what a plan needs, carry it out, and close what was opened. Models that are open clients are left open.

    Raises:
        ReasonerError: see `reasoner.errors`; the run is left resumable.
    """
    prompts = Prompts(setup.prompts)
    recipe = recipe_of(plan, models, options=setup.options, prompts=setup.prompts, prices=setup.prices)
    async with AsyncExitStack() as stack:
        clients: list[Client] = []
        for model in models:
            client = open_for(model, plan, setup) if isinstance(model, str) else model
            if isinstance(model, str):
                stack.push_async_callback(client.aclose)
            clients.append(client)
        store = stack.enter_context(Store.open(setup.db))
        runner = Runner(
            store, prompts, conduct=setup.conduct, retry=setup.retry, keep_graphs=keep_graphs, on_start=on_start, on_outcome=on_outcome,
            on_note=setup.on_note,
        )  # fmt: skip
        return await runner.execute(
            plan, clients, command=setup.command, recipe=recipe, fresh=setup.fresh, replay=setup.replay, found=found
        )


def open_for(model: str, plan: Plan, setup: Setup) -> Client:
    """Open the client that serves a model name for a plan; `local` with the adapter that ships for it, unless the options name one or none.

    Raises:
        ReasonerError: see `reasoner.clients.open_client`.
    """
    choice = for_plan(model, setup.options, plan)
    if choice.note and setup.on_note:
        setup.on_note(choice.note)
    return open_client(model, choice.options)


async def asolve(solver: str, instance: str, *, strategy: str | None = None, model: str | Client = "local", **setup: Any) -> Outcome:
    """Solve one problem and return what came of it, with the graph of thoughts in `trajectory`.

    Args:
        solver: a problem family, see `reasoner list`.
        instance: one problem in the solver's one-line syntax, `"4 9 10 13"` for `game24`.
        strategy: `NAME` or `NAME:key=value,...`; None is `ats`, or what the adapter that ships for `local` was tuned on where it answers.
        model: `"local"`, a path to a `.gguf`, `"openai:NAME"`, `"teacher"`, or an open client.
        **setup: fields of `Setup`.

    Raises:
        UnknownName: no solver, strategy or client of that name.
        BadInstance: the instance does not follow the syntax.
        ReasonerError: anything else, by whose fault it is.
    """
    problem = problem_from_line(solver, instance)
    made = Setup(**setup)
    chosen = parse_strategies(strategy or default_strategy(problem.solver, model, made.options))
    report = await execute([problem], chosen, [model], made, keep_graphs=True)
    return report.outcomes[0]


def solve(solver: str, instance: str, *, strategy: str | None = None, model: str | Client = "local", **setup: Any) -> Outcome:
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


async def acompare(
    solvers: str | Sequence[str],
    *,
    strategy: str | Sequence[str] = "cot,ats",
    model: str | Client | Sequence[str | Client] = "local",
    n: int = 20,
    level: int | Sequence[int] | None = None,
    baseline: str | None = None,
    on_start: Callable[[str, int], None] | None = None,
    on_outcome: Callable[[Outcome], None] | None = None,
    **setup: Any,
) -> Comparison:
    """Run n drawn problems of each solver and level under each strategy and model, and compare them.

    All strategies and models get the same problems and seeds. The same arguments go on with an earlier run that was interrupted.
    `level` may be several; it is the solver's default when None. `baseline` is the strategy the others are tested against, the first
    that is no upper bound when None.

    Raises:
        BadConfig: a model is named twice, or the baseline is none of the strategies or an upper bound.
        ReasonerError: see `reasoner.errors`; the run is left resumable.
    """
    made = Setup(**setup)
    specs = parse_strategies(strategy)
    bounds = {spec.label: is_upper_bound(spec.label, spec.params) for spec in specs}
    chosen = choose_baseline(bounds, _label(baseline, bounds))
    models: list[str | Client] = [*model] if isinstance(model, (list, tuple)) else [cast("str | Client", model)]
    names = [m if isinstance(m, str) else m.name for m in models]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise BadConfig(f"the model {twice!r} is named twice", hint="name it once")
    families = [solvers] if isinstance(solvers, str) else list(dict.fromkeys(solvers))
    levels = [level] if level is None or isinstance(level, int) else list(dict.fromkeys(level))
    problems = [problem for name in families for problem in _drawn(name, n=n, seed=made.seed, levels=levels)]
    report = await execute(problems, specs, models, made, on_start=on_start, on_outcome=on_outcome)
    with Store.open(made.db) as store:
        return compare_trials(read_trials(store, report.run_id, problems=problems), baseline=chosen)


def compare(solvers: str | Sequence[str], **arguments: Any) -> Comparison:
    """Run a comparison; the synchronous face of `acompare`, with the same arguments."""
    return asyncio.run(acompare(solvers, **arguments))


def compare_run(run: str = "last", *, db: Path | str | None = None, baseline: str | None = None) -> Comparison:
    """Compare what a run has recorded, without running anything. `run` is an id, the beginning of one, or `last`.

    Raises:
        UnknownName: there is no such run.
        BadConfig: nothing in it can be compared, or the baseline is none of its strategies or an upper bound.
        StoreError: there is no such database.
    """
    with Store.read(db) as store:
        kind, run_id = resolve(store, run)
        if kind != "run":
            raise BadConfig(f"{run!r} is a trajectory, not a run", hint="see 'reasoner runs'")
        trials = read_trials(store, run_id)
    if not trials.trials:
        raise BadConfig(
            f"run {run_id} has no problem that every strategy and model has finished ({trials.left_out} trajectories finished, {trials.open} open)",
            hint="give its command again to go on with it",
        )
    bounds = {trial.strategy: trial.upper_bound for trial in trials.trials}
    return compare_trials(trials, baseline=_label(baseline, bounds))


def _label(wanted: str | None, known: Mapping[str, bool]) -> str | None:
    """Write a strategy as tables write it: `ats:order=bfs` is `ats` where `bfs` is the default."""
    if wanted is None or wanted in known:
        return wanted
    specs = parse_strategies(wanted)
    return specs[0].label if len(specs) == 1 else wanted


def _drawn(solver: str, *, n: int, seed: int, levels: Sequence[int | None]) -> list[Problem]:
    """Draw n problems of each level; one that two levels hold is taken for the first of them only."""
    found: dict[str, Problem] = {}
    for level in levels:
        wanted = n
        while True:
            fresh = [problem for problem in draw(solver, n=wanted, seed=seed, level=level) if problem.id not in found]
            if len(fresh) >= n:
                break
            wanted += n - len(fresh)
        found |= {problem.id: problem for problem in fresh[:n]}
    return list(found.values())
