"""Run a run's strategies again on its journal alone, and compare each trajectory's graph with the recorded one.

replay("3f0c").mismatches        {} where every trajectory went the same way; no call is made and nothing is written
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reasoner.api.resume import run_of
from reasoner.api.running import blocking
from reasoner.budget import Budget
from reasoner.calling.caller import Caller, Channel
from reasoner.calling.limiter import Limiter
from reasoner.errors import BudgetExhausted, ClientError, ReasonerError
from reasoner.prompts import Prompts
from reasoner.runs.acting import actor_of
from reasoner.runs.assemble import Task, Workshop, assemble, carried_out, closing_of, jitter
from reasoner.runs.saved_plan import SavedPlan, read_saved_plan
from reasoner.runs.scorers import needed_models
from reasoner.runs.strategy_spec import spec_of_row
from reasoner.runs.tool_plan import SketchedTool
from reasoner.store import Store
from reasoner.store.actions import ActionIntent, ActionJournal, Observed
from reasoner.store.claims import TrajectoryRow
from reasoner.store.journal import Intent, Journal
from reasoner.store.queries import offered_tools, problem_of, trajectories
from reasoner.store.records import differences
from reasoner.types import Completion

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from reasoner.store.journal import ThoughtRow
    from reasoner.types import Request


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


class _Refusing:
    """Stands where a model would: a replay that asks one is at fault."""

    name = "nobody"
    fingerprint = "nobody"
    paid = False
    concurrency = 1

    def __init__(self, *, calls_tools: bool) -> None:
        self.calls_tools = calls_tools

    async def complete(self, request: Request) -> Completion:
        raise ClientError(f"a replay asked for {request.messages[-1].content[:80]!r}", hint="this is a fault of the program")

    async def aclose(self) -> None:
        """Do nothing."""


class _SealedJournal(Journal):
    """A journal that is only read: a call that is not in it is noted and refused before it is announced."""

    def __init__(self, store: Store, row: TrajectoryRow, *, exhausted: bool) -> None:
        super().__init__(store, run_id=row.run_id, trajectory_id=row.id, epoch=-1, durable=False)
        self.missing: list[str] = []
        self._exhausted = exhausted

    def intent(self, call: Intent) -> asyncio.Future[int | None]:
        """Refuse: the budget ended here, or the trajectory goes another way."""
        if self._exhausted:
            raise BudgetExhausted("the budget ended here")
        self.missing.append(call.role)
        raise ClientError("not in the journal")


class _SealedActions(ActionJournal):
    """A journal of actions that is only read."""

    def __init__(self, journal: _SealedJournal, store: Store, *, trajectory_id: str, epoch: int) -> None:
        super().__init__(journal, store, trajectory_id=trajectory_id, epoch=epoch)
        self._sealed = journal

    async def intent(self, action: ActionIntent) -> int:
        """Refuse: the limits ended here, or the trajectory goes another way."""
        return self._refuse(action)

    async def wait(self, action: ActionIntent) -> int:
        """Refuse, too."""
        return self._refuse(action)

    async def without_doing(
        self, action: ActionIntent, observed: Observed, thoughts: Sequence[ThoughtRow], *, taken_from: int | None = None
    ) -> None:
        """Refuse, too."""
        del observed, thoughts, taken_from
        self._refuse(action)

    def _refuse(self, action: ActionIntent) -> int:
        self._sealed.missing.append(f"{action.tool}()")
        raise ClientError("not in the journal")


async def areplay(run: str = "last", *, db: Path | str | None = None, prompts: Path | str | None = None) -> Replayed:
    """Run a run's strategies again on its journal alone. Nothing is written and no model is opened.

    `prompts` overrides the folder the run was made with.

    Raises:
        UnknownName: there is no such run.
        BadConfig: it was read from a file.
    """
    with Store.read(db) as store:
        saved = read_saved_plan(store, run_of(store, run))
        templates = Prompts(prompts or saved.options.prompts)
        mismatches: dict[str, str] = {}
        compared = calls = left_out = 0
        for row in trajectories(store, saved.run):
            if row["status"] not in {"closed", "exhausted"}:
                left_out += 1
                continue
            compared += 1
            tools = [SketchedTool(sketch) for sketch in saved.plan.tools.sketches]
            fault, n_calls = await _replay_one(Workshop(store, templates, tools=tools), saved, row)
            calls += n_calls
            if fault:
                mismatches[row["id"]] = fault
            await asyncio.sleep(0)
    return Replayed(saved.run, compared, mismatches, left_out, calls)


def replay(run: str = "last", *, db: Path | str | None = None, prompts: Path | str | None = None) -> Replayed:
    """Replay a run; the synchronous face of `areplay`, also inside a running event loop (a notebook)."""
    return blocking(lambda: areplay(run, db=db, prompts=prompts))


async def _replay_one(at: Workshop, saved: SavedPlan, row: Mapping[str, Any]) -> tuple[str, int]:
    """Return what differs (empty where nothing does), and how many calls were read."""
    identity = TrajectoryRow(
        row["id"],
        row["run_id"],
        problem_of(dict(row)),
        row["strategy"],
        row["params"],
        row["model"],
        row["model_fingerprint"],
        row["sample"],
    )
    journal = _SealedJournal(at.store, identity, exhausted=row["status"] == "exhausted")
    channel = Channel(_Refusing(calls_tools=offered_tools(at.store, row["id"])), Limiter(1))
    caller = Caller(channel, journal, Budget(saved.plan.limits, allow_unpriced=True), jitter=jitter(""))
    try:
        task = Task(identity, spec_of_row(saved.plan.strategies, row), channel)
        caller.others = {name: caller.beside(channel) for name in needed_models([task.spec])}
        actor = actor_of(at, saved.plan, task, _SealedActions(journal, at.store, trajectory_id=row["id"], epoch=-1))
        assembled = assemble(at, saved.plan, task, caller, actor=actor)
        closing = await closing_of(assembled, await carried_out(assembled))
        if actor is not None:
            await actor.aclose()
    except ReasonerError as error:
        return f"it could not be run again: {error}", 0
    read = assembled.session.replayed_calls
    if journal.missing:
        return f"it asks {journal.missing[0]} what was never asked: {_why(at.prompts, saved) or 'its strategy goes another way now'}", read
    if closing.dag_hash != row["dag_hash"]:
        return f"its graph is {closing.dag_hash[:12]}, recorded was {row['dag_hash'][:12]}", read
    return "", read


def _why(prompts: Prompts, saved: SavedPlan) -> str:
    """Name what has changed since a run was recorded; models do not matter to a replay."""
    now = {**saved.plan.manifest([], prompts), "models": saved.manifest["models"]}
    now |= {name: saved.manifest[name] for name in ("judges", "scorers", "adapters", "forms") if name in saved.manifest}
    now |= {name: saved.manifest[name] for name in ("problems", "n_problems", "solvers") if not saved.whole and name in saved.manifest}
    return "; ".join(differences(saved.manifest, now))
