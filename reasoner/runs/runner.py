"""Run strategies: one problem, or many problems x strategies x models x samples, resumably, in one process or several.

A run is found again by its manifest (see `reasoner.runs.plan`): what is closed is read back, what is open goes on at the call it had
reached, what had failed is tried again. Processes that are given the same run share it: each claims a trajectory at a time, and at the
end waits for what the others have. Knows how trajectories are claimed and closed; does not know what strategies do in them.

    runner = Runner(store, prompts)
    report = await runner.execute(plan, [client])
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from reasoner.budget import Budget, Limits, Price, unpriced
from reasoner.calling.caller import Caller, OnUnknown, UnknownPolicy
from reasoner.calling.limiter import Limiter, limiters_for
from reasoner.errors import ReasonerError, first_fault
from reasoner.prompts import Prompts
from reasoner.runs.assemble import assemble, closing_of, jitter
from reasoner.runs.heartbeat import beating
from reasoner.runs.outcomes import Outcome, Report, stored_outcome
from reasoner.runs.plan import Plan
from reasoner.runs.strategy_spec import StrategySpec
from reasoner.store.claims import LEASE_S, SHARED_BUDGET, TrajectoryRow, claim, pid_of
from reasoner.store.earlier import Before, cached
from reasoner.store.journal import Journal
from reasoner.store.queries import trajectories, trajectory_row
from reasoner.store.records import Closing, Opening, RunRow, RunStatus, close_run, close_trajectory, open_run
from reasoner.trajectory import Thought, Trajectory
from reasoner.types import Client, Problem, digest
from reasoner.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from reasoner.calling.caller import Earlier
    from reasoner.calling.retry import RetryPolicy
    from reasoner.store import Store
    from reasoner.store.connection import Connection

__all__ = ["Conduct", "Found", "Outcome", "Report", "Runner"]

LOOK_AGAIN_S = 0.25
"""How long to wait before looking again whether another process has finished what it claimed, in seconds."""


@dataclass(frozen=True, slots=True)
class Conduct:
    """How a run is carried out: what it may spend, what becomes of lost calls, where answers may come from. Changes no manifest."""

    prices: Mapping[str, Price] = field(default_factory=dict)
    allow_unpriced: bool = False
    """Let calls without a known price count as free against money budgets; without it such a budget is refused."""
    run_limits: Limits | None = None
    """What all trajectories and all processes of the run may use together; None leaves a run to the limits it has."""
    on_unknown: OnUnknown = "auto"
    confirm: Callable[[str], bool] | None = None
    """Asks a person, for `on_unknown="ask"`."""
    cache: bool = False
    """Answer a call from any earlier run that asked the same model the same."""
    retry_poisoned: bool = False
    lease_s: float = LEASE_S


@dataclass(frozen=True, slots=True)
class Found:
    """How an earlier run is gone on with: the run joined, or the run that the new one comes from."""

    run_id: str | None = None
    parent: str | None = None
    skip: frozenset[tuple[str, str, str, int]] = frozenset()
    """(problem id, strategy, model, sample) of what the parent has already."""


@dataclass(frozen=True, slots=True)
class _Task:
    """One trajectory to be made."""

    row: TrajectoryRow
    spec: StrategySpec
    client: Client


@dataclass(slots=True)
class _Work:
    """A run under way in this process."""

    plan: Plan
    run: RunRow
    stored: dict[str, dict[str, Any]]
    limiters: dict[int, Limiter]
    unknown: UnknownPolicy
    again: bool
    first: bool = True
    """Whether this is the first look at the trajectories: later ones take what other processes made of theirs as it is."""
    busy: list[_Task] = field(default_factory=list)
    suspects: list[_Task] = field(default_factory=list)
    outcomes: dict[str, Outcome] = field(default_factory=dict)


def trajectory_id(run_id: str, problem: Problem, spec: StrategySpec, client: Client, sample: int = 0) -> str:
    """Return the id a trajectory of a run has, known before it is opened."""
    return digest(run_id, problem.id, spec.name, spec.params, client.fingerprint, str(sample))[:16]


class Runner:
    """Executes plans against one store."""

    def __init__(
        self,
        store: Store,
        prompts: Prompts | None = None,
        *,
        conduct: Conduct | None = None,
        retry: RetryPolicy | None = None,
        keep_graphs: bool = False,
        on_outcome: Callable[[Outcome], None] | None = None,
        on_start: Callable[[str, int], None] | None = None,
        on_note: Callable[[str], None] | None = None,
        on_thought: Callable[[str, int, Thought], None] | None = None,
        limiters: Mapping[str, Limiter] | None = None,
    ) -> None:
        """Make a runner.

        `on_thought` is told (trajectory id, sample, thought) as thoughts arrive, before they are committed. `limiters` (client
        fingerprint -> limiter) are shared with other runners at work on the same models; a model that is not in it gets its own.
        """
        self._store = store
        self._prompts = prompts or Prompts()
        self._conduct = conduct or Conduct()
        self._retry = retry
        self._keep_graphs = keep_graphs
        self._on_outcome = on_outcome
        self._on_start = on_start
        self._on_note = on_note
        self._on_thought = on_thought
        self._limiters = limiters or {}

    async def execute(
        self,
        plan: Plan,
        clients: Sequence[Client],
        *,
        command: str = "",
        recipe: str | None = None,
        fresh: bool = False,
        replay: bool = False,
        found: Found | None = None,
    ) -> Report:
        """Carry out a plan, going on with an earlier run of the same manifest, or sharing it with processes that are at it.

        `fresh` starts a new run in any case. `replay` runs the strategies again even where a trajectory is closed; committed calls are
        still taken from the journal, so a finished run replays without one call. `recipe` is kept with the run (`reasoner.runs.saved_plan`).

        Raises:
            ReasonerError: a fault the next problem would meet too (see `stops_run`); the run is left resumable.
        """
        found = found or Found()
        self._check_prices(plan, clients)
        opening = Opening(
            command=command, version=__version__, plan=recipe, limits=self._conduct.run_limits, parent=found.parent, fresh=fresh,
            run_id=found.run_id, lease_s=self._conduct.lease_s,
        )  # fmt: skip
        run = open_run(self._store, plan.manifest(clients, self._prompts), opening)
        status: RunStatus = "interrupted"
        try:
            with beating(self._store, run.worker):
                self._tell(run)
                tasks = [task for task in self._tasks(plan, clients, run) if _place(task) not in found.skip]
                if self._on_start:
                    self._on_start(run.id, len(tasks))
                report = Report(run.id, run.resumed, await self._all(plan, tasks, run, clients, again=replay))
            status = "exhausted" if report.cut_short else "finished"
        except ReasonerError:
            status = "failed"
            raise
        finally:
            close_run(self._store, run, status)
        return report

    def _check_prices(self, plan: Plan, clients: Sequence[Client]) -> None:
        """Refuse a money budget over a model without a price before anything is asked."""
        shared = self._conduct.run_limits
        if self._conduct.allow_unpriced or (plan.limits.cost is None and (shared is None or shared.cost is None)):
            return
        for client in clients:
            if client.paid and client.name not in self._conduct.prices:
                raise unpriced(client.name)

    def _tell(self, run: RunRow) -> None:
        """Say what a user should know before a run begins."""
        if self._on_note is None:
            return
        if run.differs:
            parts = "; ".join(run.differs[1:])
            self._on_note(f"run {run.differs[0]} had the same command and is not finished; this is a new run, since it differs in {parts}")
        if run.others:
            pids = ", ".join(map(pid_of, run.others))
            self._on_note(f"run {run.id} is also worked on by process {pids}: the trajectories are shared")

    def _tasks(self, plan: Plan, clients: Sequence[Client], run: RunRow) -> list[_Task]:
        fork = {"fork_of": plan.fork.of, "fork_at": plan.fork.at} if plan.fork else {}
        return [
            _Task(
                TrajectoryRow(
                    id=trajectory_id(run.id, problem, spec, client, sample),
                    run_id=run.id, problem=problem, strategy=spec.label, params=spec.params, model=client.name,
                    model_fingerprint=client.fingerprint, sample=sample, **fork,
                ),
                spec,
                client,
            )
            for client in clients
            for spec in plan.strategies
            for problem in plan.problems
            for sample in range(plan.samples)
        ]  # fmt: skip

    async def _all(self, plan: Plan, tasks: list[_Task], run: RunRow, clients: Sequence[Client], *, again: bool) -> tuple[Outcome, ...]:
        limiters = limiters_for(clients)
        limiters |= {id(client): self._limiters[client.fingerprint] for client in clients if client.fingerprint in self._limiters}
        work = _Work(
            plan,
            run,
            stored={row["id"]: row for row in trajectories(self._store, run.id)},
            limiters=limiters,
            unknown=UnknownPolicy(self._conduct.on_unknown, self._conduct.confirm),
            again=again,
        )
        # Twice as many trajectories as calls: while one waits for its answer another can prepare its next call.
        places = asyncio.Semaphore(max(2, 2 * sum(client.concurrency for client in clients)))
        waiting = tasks
        while waiting:
            work.busy, work.suspects = [], []
            try:
                async with asyncio.TaskGroup() as group:
                    for task in waiting:
                        group.create_task(self._within(places, work, task))
            except BaseExceptionGroup as faults:
                raise first_fault(faults) from faults
            for task in work.suspects:
                await self._one(work, task, alone=True)
            if work.busy and work.first and self._on_note:
                self._on_note(f"waiting for {len(work.busy)} trajectories that another process works on")
            waiting, work.first = work.busy, False
            if waiting:
                await asyncio.sleep(LOOK_AGAIN_S)
        return tuple(work.outcomes[task.row.id] for task in tasks)

    async def _within(self, places: asyncio.Semaphore, work: _Work, task: _Task) -> None:
        async with places:
            await self._one(work, task)

    async def _one(self, work: _Work, task: _Task, *, alone: bool = False) -> None:
        """Make or read one trajectory, or note why that has to wait."""
        outcome = await self._made_or_read(work, task, alone=alone)
        if outcome is not None:
            work.outcomes[task.row.id] = outcome
            if self._on_outcome:
                self._on_outcome(outcome)

    async def _made_or_read(self, work: _Work, task: _Task, *, alone: bool) -> Outcome | None:
        row = work.stored.get(task.row.id) if work.first else None
        if row is not None and not work.again and _has_ended(row):
            return stored_outcome(self._store, row, graph=self._keep_graphs)
        how = {
            "again": work.again, "alone": alone, "retry_failed": work.first, "retry_poisoned": work.first and self._conduct.retry_poisoned
        }  # fmt: skip
        made = await self._store.write(lambda c: claim(c, task.row, work.run.worker, **how), durable=False)
        if made.state == "ours":
            return await self._trajectory(work, task, made.epoch)
        if made.state == "busy":
            work.busy.append(task)
            return None
        if made.state == "suspect":
            work.suspects.append(task)
            return None
        ended = trajectory_row(self._store, task.row.id)
        return None if ended is None else stored_outcome(self._store, ended, graph=self._keep_graphs)

    async def _trajectory(self, work: _Work, task: _Task, epoch: int) -> Outcome:
        """Run one strategy on one problem and close its trajectory."""
        plan, row = work.plan, task.row
        durable = task.client.paid
        journal = Journal(self._store, run_id=row.run_id, trajectory_id=row.id, epoch=epoch, durable=durable)
        caller = Caller(
            trajectory_id=row.id,
            client=task.client,
            journal=journal,
            limiter=work.limiters[id(task.client)],
            budget=Budget(plan.limits, allow_unpriced=self._conduct.allow_unpriced),
            jitter=jitter(plan.seed_of(row.problem, task.spec, row.sample)),
            retry=self._retry,
            price=self._conduct.prices.get(task.client.name),
            on_unknown=work.unknown,
            earlier=self._earlier(plan, task),
        )
        assembled = assemble(self._store, self._prompts, plan, row, task.spec, caller, on_thought=self._watcher(row))
        closing = await closing_of(assembled)

        def close(c: Connection) -> None:
            journal.check(c)
            journal.put_thoughts(c, assembled.session.unwritten())
            close_trajectory(c, row.id, closing)

        await self._store.write(close, durable=durable)
        return self._outcome(row, closing, assembled.session.trajectory, caller.made)

    def _watcher(self, row: TrajectoryRow) -> Callable[[Thought], None] | None:
        """Return what tells `on_thought` of a trajectory's thoughts."""
        tell = self._on_thought
        return None if tell is None else lambda thought: tell(row.id, row.sample, thought)

    def _earlier(self, plan: Plan, task: _Task) -> Earlier | None:
        """Return where answers may be taken from instead of asking: the trajectory this one is a fork of, then earlier runs."""
        before = Before(self._store, plan.fork.of, plan.fork.at) if plan.fork else None
        if before is None and not self._conduct.cache:
            return None

        def earlier(intent: Any) -> Any:
            if before is not None and (kept := before.answer(intent)) is not None:
                return kept
            if not self._conduct.cache:
                return None
            return cached(self._store, intent.request, fingerprint=task.client.fingerprint, sample=task.row.sample)

        return earlier

    def _outcome(self, row: TrajectoryRow, closing: Closing, dag: Trajectory, new_calls: int) -> Outcome:
        return Outcome(
            trajectory_id=row.id, run_id=row.run_id, problem=row.problem, strategy=row.strategy, model=row.model, sample=row.sample,
            status=closing.status, answer=closing.answer, verdict=closing.verdict, spent=closing.spent, dag_hash=closing.dag_hash,
            new_calls=new_calls, error=closing.error, error_kind=closing.error_kind, trajectory=dag if self._keep_graphs else None,
        )  # fmt: skip


def _place(task: _Task) -> tuple[str, str, str, int]:
    return task.row.problem.id, task.row.strategy, task.row.model, task.row.sample


def _has_ended(row: Mapping[str, Any]) -> bool:
    """Tell whether a trajectory needs no work; one that the budget of the run ended may go on."""
    return bool(row["status"] == "closed" or (row["status"] == "exhausted" and row["error_kind"] != SHARED_BUDGET))
