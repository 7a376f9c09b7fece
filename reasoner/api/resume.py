"""Go on with a run, check it, or take another way from one of its thoughts.

    resume("3f0c")                                   the rest of the run, with everything it was told
    replay("3f0c").mismatches                        the whole run again, from its journal alone: no call is made
    fork("3f0c", at="9b21", temperature=0.8)         a new trajectory that shares what was recorded before that thought

Each has an asynchronous twin but for `replay`, which waits for nothing. What was recorded is never mixed with what another prompt, model
or parameter would give: `resume` names the difference and refuses, and `force` starts a run of its own that says whose it continues.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from reasoner.api.solve import Setup, execute_plan, open_for
from reasoner.budget import Budget
from reasoner.calling.caller import Caller
from reasoner.calling.limiter import Limiter
from reasoner.errors import BadConfig, BudgetExhausted, ClientError, ReasonerError, UnknownName
from reasoner.prompts import Prompts
from reasoner.runs.assemble import assemble, closing_of, jitter
from reasoner.runs.outcomes import Outcome, Report, stored_outcome
from reasoner.runs.plan import Fork, Plan
from reasoner.runs.runner import Found
from reasoner.runs.saved_plan import Recipe, read_recipe
from reasoner.runs.strategy_spec import spec_from, strategy_spec
from reasoner.store import Store
from reasoner.store.claims import TrajectoryRow
from reasoner.store.journal import Journal
from reasoner.store.queries import problem_of, resolve, trajectories, trajectory_row
from reasoner.store.records import differences
from reasoner.types import Completion

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from reasoner.runs.strategy_spec import StrategySpec
    from reasoner.store.journal import Intent
    from reasoner.types import Client, Request


def run_of(store: Store, which: str) -> str:
    """Return the run that an id, the beginning of one, or `last` names; a trajectory stands for its run.

    Raises:
        UnknownName: nothing has that id.
    """
    kind, found = resolve(store, which)
    if kind == "run":
        return found
    row = trajectory_row(store, found) or {}
    return str(row["run_id"])


def _spec_of(plan: Plan, row: Mapping[str, Any]) -> StrategySpec:
    """Return the strategy of a trajectory's row."""
    name = row["strategy"].partition("(")[0].partition(":")[0]
    found = next((spec for spec in plan.strategies if spec.params == row["params"] and spec.name == name), None)
    return found or spec_from(name, row["params"])


async def aresume(
    run: str = "last",
    *,
    db: Path | str | None = None,
    force: bool = False,
    models: Sequence[str | Client] | None = None,
    on_start: Callable[[str, int], None] | None = None,
    on_outcome: Callable[[Outcome], None] | None = None,
    **setup: Any,
) -> Report:
    """Go on with a run as it was told to be run; what is finished is read back.

    `models` are needed where the run was given open clients. `setup` are fields of `Setup` that change no answer: `run_limits`, `on_unknown`,
    `retry_poisoned`, `retry`, `cache`, `allow_unpriced`, `prices`, `options`.

    Raises:
        BadConfig: prompts, models or parameters are not what they were (named, unless `force`), or the run kept no plan.
        UnknownName: there is no such run.
        ReasonerError: see `reasoner.errors`; the run is left resumable.
    """
    with Store.open(db, create=False) as store:
        recipe = read_recipe(store, run_of(store, run))
        if not recipe.whole or not recipe.plan.problems:
            raise BadConfig(f"run {recipe.run} kept no plan (an older version made it)", hint=f"give its command again: {recipe.command}")
        done = [row for row in trajectories(store, recipe.run) if row["status"] == "closed"]
    told = {"options": recipe.options, "prompts": recipe.prompts, "prices": recipe.prices, "command": recipe.command} | setup
    made = Setup(db=db, seed=recipe.plan.seed, samples=recipe.plan.samples, **told)
    async with AsyncExitStack() as stack:
        clients: list[Client] = []
        for model in models or recipe.models:
            client = open_for(model, recipe.plan, made) if isinstance(model, str) else model
            if isinstance(model, str):
                stack.push_async_callback(client.aclose)
            clients.append(client)
        changed = differences(recipe.manifest, recipe.plan.manifest(clients, Prompts(made.prompts)))
        plan, found = recipe.plan, Found(run_id=recipe.run)
        if changed and not force:
            raise BadConfig(
                f"run {recipe.run} would not go on as it began: {'; '.join(changed)}",
                hint="put that back, or use --force: the rest is then made in a run of its own that says whose it continues",
            )
        if changed:
            plan = replace(plan, continues=recipe.run)
            found = Found(parent=recipe.run, skip=frozenset((r["problem_id"], r["strategy"], r["model"], r["sample"]) for r in done))
        report = await execute_plan(plan, clients, made, found=found, on_start=on_start, on_outcome=on_outcome)
    if not changed:
        return report
    with Store.open(db, create=False) as store:
        kept = tuple(stored_outcome(store, row) for row in done)
    return Report(report.run_id, report.resumed, (*kept, *report.outcomes))


def resume(run: str = "last", **arguments: Any) -> Report:
    """Go on with a run; the synchronous face of `aresume`, with the same arguments."""
    return asyncio.run(aresume(run, **arguments))


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay found. `mismatches` says of each trajectory that went another way, by id, how."""

    run_id: str
    compared: int
    mismatches: Mapping[str, str]
    left_out: int
    """Trajectories that have not ended, or that a fault ended at a moment that no journal holds."""
    calls_read: int

    @property
    def exact(self) -> bool:
        """Whether every trajectory went the same way again."""
        return not self.mismatches


class _Nobody:
    """Stands where a model would: a replay that asks one is at fault."""

    name = "nobody"
    fingerprint = "nobody"
    paid = False
    concurrency = 1

    async def complete(self, request: Request) -> Completion:
        raise ClientError(f"a replay asked for {request.messages[-1].content[:80]!r}", hint="this is a fault of the program")

    async def aclose(self) -> None:
        """Do nothing."""


def replay(run: str = "last", *, db: Path | str | None = None, prompts: Path | str | None = None) -> Replayed:
    """Run a run's strategies again on its journal alone and compare each trajectory's graph with the recorded one.

    Nothing is written and no model is opened. `prompts` overrides the directory the run was made with.

    Raises:
        UnknownName: there is no such run.
        BadConfig: it was read from a file.
    """
    with Store.open(db, create=False) as store:
        recipe = read_recipe(store, run_of(store, run))
        templates = Prompts(prompts or recipe.prompts)
        mismatches: dict[str, str] = {}
        compared = calls = left_out = 0
        for row in trajectories(store, recipe.run):
            if row["status"] not in {"closed", "exhausted"}:
                left_out += 1
                continue
            compared += 1
            fault, n_calls = asyncio.run(_replay_one(store, templates, recipe, row))
            calls += n_calls
            if fault:
                mismatches[row["id"]] = fault
    return Replayed(recipe.run, compared, mismatches, left_out, calls)


async def _replay_one(store: Store, prompts: Prompts, recipe: Recipe, row: Mapping[str, Any]) -> tuple[str, int]:
    """Return what differs (empty where nothing does), and how many calls were read."""
    missing: list[str] = []

    def silence(intent: Intent) -> ReasonerError:
        if row["status"] == "exhausted":
            return BudgetExhausted("the budget ended here")
        missing.append(intent.role)
        return ClientError("not in the journal")

    spec = _spec_of(recipe.plan, row)
    problem = problem_of(dict(row))
    task = TrajectoryRow(
        row["id"], row["run_id"], problem, row["strategy"], row["params"], row["model"], row["model_fingerprint"], row["sample"]
    )
    caller = Caller(
        trajectory_id=row["id"],
        client=_Nobody(),
        journal=Journal(store, run_id=row["run_id"], trajectory_id=row["id"], epoch=-1, durable=False),
        limiter=Limiter(1),
        budget=Budget(recipe.plan.limits, allow_unpriced=True),
        jitter=jitter(""),
        silence=silence,
    )
    try:
        assembled = assemble(store, prompts, recipe.plan, task, spec, caller)
        closing = await closing_of(assembled)
    except ReasonerError as error:
        return f"it could not be run again: {error}", 0
    read = assembled.session.replayed_calls
    if missing:
        return f"it asks {missing[0]} what was never asked: {_why(prompts, recipe) or 'its strategy goes another way now'}", read
    if closing.dag_hash != row["dag_hash"]:
        return f"its graph is {closing.dag_hash[:12]}, recorded was {row['dag_hash'][:12]}", read
    return "", read


def _why(prompts: Prompts, recipe: Recipe) -> str:
    """Name what has changed since a run was recorded; models do not matter to a replay."""
    now = {**recipe.plan.manifest([], prompts), "models": recipe.manifest["models"]}
    now |= {name: recipe.manifest[name] for name in ("problems", "n_problems", "solvers") if not recipe.whole and name in recipe.manifest}
    return "; ".join(differences(recipe.manifest, now))


async def afork(
    run: str = "last",
    *,
    at: str,
    db: Path | str | None = None,
    params: Mapping[str, Any] | None = None,
    sampling: Mapping[str, Any] | None = None,
    model: str | Client | None = None,
    seed: int | None = None,
    **setup: Any,
) -> Outcome:
    """Take another way from a thought: a new trajectory, in a run of its own, that shares what was recorded before that thought.

    Calls whose answers were recorded before the thought are answered from the old trajectory and cost nothing; the thought itself and all
    after it are asked anew. What the strategy draws by chance is drawn as before.

    Args:
        run: a run or trajectory, `last` for the newest run.
        at: the id of a thought, or the beginning of one (see `reasoner tree --json`).
        db: the database file.
        params: parameters of the strategy to change.
        sampling: fields of `Sampling` to change.
        model: another model.
        seed: another seed, for the requests from the thought on.
        **setup: further fields of `Setup`.

    Raises:
        UnknownName: there is no such run or thought.
        BadConfig: a change comes into play before the thought, or a parameter does not fit.
        ReasonerError: see `reasoner.errors`; the run is left resumable.
    """
    with Store.open(db, create=False) as store:
        recipe = read_recipe(store, run_of(store, run))
        row, thought = _thought(store, recipe.run, at)
        plan = _forked(recipe, row, thought, params=params or {}, sampling=sampling or {}, seed=seed)
    told: dict[str, Any] = {"prompts": recipe.prompts, "prices": recipe.prices, "options": recipe.options}
    told |= {name: value for name, value in setup.items() if value is not None}
    told["options"] = recipe.options.model_copy(update=told["options"].model_dump(exclude_unset=True))
    made = Setup(db=db, seed=plan.seed, **told)
    report = await execute_plan(
        plan, [model or row["model"]], made, found=Found(parent=recipe.run), keep_graphs=True
    )  # fmt: skip
    return report.outcomes[0]


def fork(run: str = "last", **arguments: Any) -> Outcome:
    """Take another way from a thought; the synchronous face of `afork`, with the same arguments."""
    return asyncio.run(afork(run, **arguments))


def _thought(store: Store, run_id: str, at: str) -> tuple[dict[str, Any], str]:
    """Return the trajectory's row and the id of a thought of a run."""
    pattern = at.replace("%", "").replace("_", "").replace("\\", "") + "%"
    found = store.rows(
        "SELECT h.id, h.trajectory_id FROM thoughts h JOIN trajectories t ON t.id = h.trajectory_id WHERE t.run_id = ? AND h.id LIKE ? LIMIT 3",
        (run_id, pattern),
    )
    if not found:
        raise UnknownName(f"thought of run {run_id}", at, ["(see 'reasoner tree --json')"])
    if len(found) > 1:
        raise BadConfig(f"{len(found)} thoughts of run {run_id} begin with {at!r}", hint="give more of the id")
    row = trajectory_row(store, found[0]["trajectory_id"]) or {}
    return row, found[0]["id"]


def _forked(recipe: Recipe, row: Mapping[str, Any], thought: str, *, params: Mapping[str, Any], sampling: Mapping[str, Any], seed: int | None) -> Plan:  # fmt: skip
    """Return the plan of a fork."""
    plan, old, problem = recipe.plan, _spec_of(recipe.plan, row), problem_of(dict(row))
    values = {**_own(old), **params}
    drawn_from = plan.fork.drawn_from if plan.fork else plan.seed_of(problem, old, row["sample"])
    try:
        drawn = replace(plan.sampling, **dict(sampling))
    except TypeError as error:
        raise BadConfig(f"the sampling has no such field: {error}", hint="its fields are those of reasoner.Sampling") from error
    return Plan(
        problems=[problem],
        strategies=[strategy_spec(old.name, values, old.inner)],
        seed=plan.seed if seed is None else seed,
        sampling=drawn,
        limits=plan.limits,
        fork=Fork(row["id"], thought, drawn_from),
    )


def _own(spec: StrategySpec) -> dict[str, Any]:
    """Return a strategy's own parameters, without those of what is inside it."""
    return {name: value for name, value in json.loads(spec.params).items() if not (name == "inner" and isinstance(value, dict))}
