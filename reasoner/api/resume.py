"""Go on with a run, or take another way from one of its thoughts.

    resume("3f0c")                                   the rest of the run, with everything it was told
    fork("3f0c", at="9b21", temperature=0.8)         a new trajectory that reuses the calls recorded before that thought

What was recorded is never mixed with what another prompt, model or parameter would give: `resume` names the difference and refuses, and
`force` starts a run of its own that says whose it continues.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Unpack

from reasoner.api.running import blocking, carry_out
from reasoner.api.settings import RunSettings, Settings, settings_of
from reasoner.errors import BadConfig, UnknownName
from reasoner.prompts import Prompts
from reasoner.runs.judges import judge_names
from reasoner.runs.plan import Fork, Plan
from reasoner.runs.pool import ModelPool
from reasoner.runs.prepared import prepared
from reasoner.runs.saved_plan import SavedPlan, read_saved_plan
from reasoner.runs.scorers import open_scorers
from reasoner.runs.shipped_adapters import for_plan
from reasoner.runs.strategy_spec import own_parameters, spec_of_row, strategy_spec
from reasoner.store import Store
from reasoner.store.queries import problem_of, resolve, thoughts_beginning, trajectory_row
from reasoner.store.records import differences
from reasoner.store.run_queries import run_of_trajectory

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reasoner.runs.results import Report, Result
    from reasoner.types import Client


def run_of(store: Store, which: str) -> str:
    """Return the run that an id, the beginning of one, or `last` names; a trajectory stands for its run.

    Raises:
        UnknownName: nothing has that id.
    """
    kind, found = resolve(store, which)
    return found if kind == "run" else run_of_trajectory(store, found) or ""


async def aresume(
    run: str = "last", *, force: bool = False, models: Sequence[str | Client] | None = None, **settings: Unpack[RunSettings]
) -> Report:
    """Go on with a run as it was told to be run; what is closed is read back.

    `models` are needed where the run was given open clients. `settings` are those that change no answer: `run_limits`, `on_unknown`,
    `retry_poisoned`, `retry`, `cache`, `approve`, `tools` (those that were given as functions), `allow_unpriced`, `prices`, `options`, `progress`.

    Raises:
        BadConfig: prompts, models or parameters are not what they were (named, unless `force`), or the run kept no plan.
        UnknownName: there is no such run.
        ReasonerError: see `reasoner.errors`; the run is left resumable.
    """
    told = settings_of(settings)
    with Store.read(told.db) as store:
        saved = read_saved_plan(store, run_of(store, run))
    if not saved.whole or not saved.plan.problems:
        raise BadConfig(f"run {saved.run} kept no plan (an older version made it)", hint=f"give its command again: {saved.options.command}")
    made = _over(saved, told, settings)
    saved = replace(saved, plan=replace(saved.plan, tools=saved.plan.tools.given_again(told.tools, changed=force)))
    async with ModelPool() as own:
        pool = told.pool or own
        clients = [
            model if not isinstance(model, str) else pool.open(model, for_plan(model, made.options.client, saved.plan).options)
            for model in models or saved.models
        ]
        judges = {
            name: pool.open(name, for_plan(name, made.options.client, saved.plan).options) for name in judge_names(saved.plan.problems)
        }
        scorers = open_scorers(
            saved.plan, models or saved.models, clients, made.options.client,
            lambda name, client: pool.open(name, for_plan(name, client, saved.plan).options),
        )  # fmt: skip
        await prepared(
            [*clients, *judges.values(), *scorers.values()], lambda _: None
        )  # a form must be known before manifests are compared
        changed = differences(saved.manifest, saved.plan.manifest(clients, Prompts(made.options.prompts), judges, scorers))
        if changed and not force:
            raise BadConfig(
                f"run {saved.run} would not be resumed unchanged: {'; '.join(changed)}",
                hint="put that back, or use `force=True`: the rest is then made in a run of its own that says whose it continues",
            )
        plan = replace(saved.plan, continues=saved.run) if changed else saved.plan
        options = replace(made.options, run=None if changed else saved.run)
        return await carry_out(plan, [*(models or saved.models)], replace(made, options=options, pool=pool))


def resume(
    run: str = "last", *, force: bool = False, models: Sequence[str | Client] | None = None, **settings: Unpack[RunSettings]
) -> Report:
    """Go on with a run; the synchronous face of `aresume`, also inside a running event loop (a notebook)."""
    return blocking(lambda: aresume(run, force=force, models=models, **settings))


def _over(saved: SavedPlan, told: Settings, given: Mapping[str, Any]) -> Settings:
    """Return the settings of a saved run with what is told now laid over them."""
    base = saved.options
    client = base.client.model_copy(update=told.options.client.model_dump(exclude_unset=True))
    options = replace(
        told.options,
        client=client,
        prompts=told.options.prompts or base.prompts,
        prices=told.options.prices if given.get("prices") else base.prices,
        command=told.options.command or base.command,
    )
    return replace(told, options=options)


async def afork(
    run: str = "last",
    *,
    at: str,
    params: Mapping[str, Any] | None = None,
    model: str | Client | None = None,
    **settings: Unpack[RunSettings],
) -> Result:
    """Take another way from a thought: a new trajectory, in a run of its own, that reuses the calls recorded before that thought.

    Calls whose answers were recorded before the thought are answered from the old trajectory and cost nothing; the thought itself and all
    after it are sampled again. What the strategy draws by chance is drawn as before.

    Args:
        run: a run or trajectory, `last` for the newest run.
        at: the id of a thought, or the beginning of one (see `reasoner tree --json`).
        params: parameters of the strategy to change.
        model: another model.
        **settings: see `RunSettings`; fields of the sampling that are given change it, and `seed` is that of the requests from the thought on.

    Raises:
        UnknownName: there is no such run or thought.
        BadConfig: a change comes into play before the thought, or a parameter does not fit.
        ReasonerError: see `reasoner.errors`; the run is left resumable.
    """
    told = settings_of(settings)
    with Store.read(told.db) as store:
        saved = read_saved_plan(store, run_of(store, run))
        row, thought = _thought(store, saved.run, at)
    plan = _forked(saved, row, thought, params=params or {}, told=told, seed=settings.get("seed"))
    made = replace(_over(saved, told, settings), seed=plan.seed)
    return (await carry_out(plan, [model or row["model"]], made)).results[0]


def fork(
    run: str = "last",
    *,
    at: str,
    params: Mapping[str, Any] | None = None,
    model: str | Client | None = None,
    **settings: Unpack[RunSettings],
) -> Result:
    """Take another way from a thought; the synchronous face of `afork`, also inside a running event loop (a notebook)."""
    return blocking(lambda: afork(run, at=at, params=params, model=model, **settings))


def _thought(store: Store, run_id: str, at: str) -> tuple[dict[str, Any], str]:
    """Return the trajectory's row and the id of a thought of a run."""
    found = thoughts_beginning(store, run_id, at)
    if not found:
        raise UnknownName(f"thought of run {run_id}", at, ["(see 'reasoner tree --json')"])
    if len(found) > 1:
        raise BadConfig(f"{len(found)} thoughts of run {run_id} begin with {at!r}", hint="give more of the id")
    return trajectory_row(store, found[0]["trajectory_id"]) or {}, str(found[0]["id"])


def _forked(saved: SavedPlan, row: Mapping[str, Any], thought: str, *, params: Mapping[str, Any], told: Settings, seed: int | None) -> Plan:
    """Return the plan of a fork."""
    plan, old, problem = saved.plan, spec_of_row(saved.plan.strategies, row), problem_of(dict(row))
    values = {**own_parameters(old), **params}
    drawn_from = plan.fork.drawn_from if plan.fork else plan.seed_of(problem, old, row["sample"])
    changed = {name: value for name, value in told.sampling.as_dict().items() if value not in ([], None)}
    return Plan(
        problems=[problem],
        strategies=[strategy_spec(old.name, values, old.inner)],
        seed=plan.seed if seed is None else seed,
        sampling=replace(plan.sampling, **changed),
        limits=plan.limits,
        tools=plan.tools.given_again(told.tools, changed=True),
        fork=Fork(row["id"], thought, drawn_from),
    )
