"""Compare strategies and models on the same problems, in a run of their own or in one that was recorded.

compare("number_path", strategy="direct,cot,ats", model="teacher", n=50).rows
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from reasoner.api.bench import families, several
from reasoner.api.running import blocking, carry_out
from reasoner.api.settings import RunSettings, settings_of
from reasoner.comparison.comparison import Comparison, choose_baseline, compare_trials
from reasoner.comparison.trials import is_upper_bound, read_trials
from reasoner.errors import BadConfig
from reasoner.runs.plan import Plan
from reasoner.runs.problems import draw
from reasoner.runs.strategy_spec import as_specs, parse_strategies, with_shots
from reasoner.store import Store
from reasoner.store.queries import resolve

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from reasoner.api.bench import AnySolver
    from reasoner.runs.strategy_spec import AnyStrategy
    from reasoner.types import Client, Problem


async def acompare(
    solvers: AnySolver | Sequence[AnySolver],
    *,
    strategy: AnyStrategy | Sequence[AnyStrategy] = "cot,ats",
    model: str | Client | Sequence[str | Client] = "local",
    n: int | None = 20,
    level: int | Sequence[int] | None = None,
    baseline: str | None = None,
    shots: int = 0,
    by: Sequence[str] = (),
    **settings: Unpack[RunSettings],
) -> Comparison:
    """Run n drawn problems of each solver and level under each strategy and model, and compare them.

    All strategies and models get the same problems and seeds. The same arguments go on with an earlier run that was interrupted.
    `level` may be several; it is the solver's default when None. `baseline` is the strategy the others are tested against, the first
    that is no upper bound when None; `by` are columns of question files to compare by as well; `n` and `shots` as in `bench`.

    Raises:
        BadConfig: a model is named twice, or the baseline is none of the strategies or an upper bound.
        ReasonerError: see `reasoner.errors`; the run is left resumable.
    """
    made = settings_of(settings)
    specs = [with_shots(spec, shots) for spec in as_specs(strategy)]
    bounds = {spec.label: is_upper_bound(spec.label, spec.params) for spec in specs}
    chosen = choose_baseline(bounds, _label(baseline, bounds))
    models = several(model)
    names = [m if isinstance(m, str) else m.name for m in models]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise BadConfig(f"the model {twice!r} is named twice", hint="name it once")
    levels = [level] if level is None or isinstance(level, int) else list(dict.fromkeys(level))
    problems = [problem for name in families(solvers) for problem in _drawn(name, n=n, seed=made.seed, levels=levels)]
    report = await carry_out(Plan(problems, specs, made.seed, made.samples, made.sampling, made.limits, tools=made.tools), models, made)
    with Store.open(made.db) as store:
        return compare_trials(read_trials(store, report.run_id, problems=problems), baseline=chosen, by=by)


def compare(
    solvers: AnySolver | Sequence[AnySolver],
    *,
    strategy: AnyStrategy | Sequence[AnyStrategy] = "cot,ats",
    model: str | Client | Sequence[str | Client] = "local",
    n: int | None = 20,
    level: int | Sequence[int] | None = None,
    baseline: str | None = None,
    shots: int = 0,
    by: Sequence[str] = (),
    **settings: Unpack[RunSettings],
) -> Comparison:
    """Run a comparison; the synchronous face of `acompare`, also inside a running event loop (a notebook)."""
    return blocking(
        lambda: acompare(solvers, strategy=strategy, model=model, n=n, level=level, baseline=baseline, shots=shots, by=by, **settings)
    )


def compare_run(run: str = "last", *, db: Path | str | None = None, baseline: str | None = None, by: Sequence[str] = ()) -> Comparison:
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
            hint="give its command again to resume it",
        )
    bounds = {trial.strategy: trial.upper_bound for trial in trials.trials}
    return compare_trials(trials, baseline=_label(baseline, bounds), by=by)


def _label(wanted: str | None, known: Mapping[str, bool]) -> str | None:
    """Write a strategy as tables write it: `ats:order=bfs` is `ats` where `bfs` is the default."""
    if wanted is None or wanted in known:
        return wanted
    specs = parse_strategies(wanted)
    return specs[0].label if len(specs) == 1 else wanted


def _drawn(solver: str, *, n: int | None, seed: int, levels: Sequence[int | None]) -> list[Problem]:
    """Draw n problems of each level; one that two levels hold is taken for the first of them only."""
    found: dict[str, Problem] = {}
    for level in levels:
        if n is None:
            found |= {problem.id: problem for problem in draw(solver, n=None, seed=seed, level=level) if problem.id not in found}
            continue
        wanted = n
        while True:
            fresh = [problem for problem in draw(solver, n=wanted, seed=seed, level=level) if problem.id not in found]
            if len(fresh) >= n:
                break
            wanted += n - len(fresh)
        found |= {problem.id: problem for problem in fresh[:n]}
    return list(found.values())
