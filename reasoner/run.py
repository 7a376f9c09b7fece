"""Run strategies: one problem, or many problems x strategies x models x samples, resumably.

A run is found again by its manifest (see `reasoner.plan`): what is closed is read back, what is open goes on at the call it had
reached, what had failed is tried again. Knows how to put a session together; does not know what strategies do in it.

    runner = Runner(store, prompts)
    report = await runner.execute(plan, [client])
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from reasoner import __version__, registry
from reasoner.aids import Aids
from reasoner.budget import Budget, Price, Spent
from reasoner.errors import BudgetExhausted, ReasonerError, first_fault
from reasoner.limiter import Limiter, limiters_for
from reasoner.plan import Plan, StrategySpec, instance_of
from reasoner.prompts import Prompts
from reasoner.session import Session
from reasoner.shots import demonstrations, from_store, statement
from reasoner.solver import Solver
from reasoner.store.journal import Journal
from reasoner.store.queries import load_trajectory, problem_of, trajectories, verified_answers
from reasoner.store.records import (
    Closing,
    RunRow,
    RunStatus,
    TrajectoryRow,
    TrajectoryStatus,
    close_run,
    close_trajectory,
    open_run,
    open_trajectory,
)
from reasoner.trajectory import Trajectory
from reasoner.translation.library import open_corpus
from reasoner.types import Answer, Client, Demonstration, Problem, Verdict, digest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from reasoner.retry import RetryPolicy
    from reasoner.store import Store
    from reasoner.store.connection import Connection
    from reasoner.strategies import Strategy


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one strategy on one problem."""

    trajectory_id: str
    run_id: str
    problem: Problem
    strategy: str
    model: str
    sample: int
    status: TrajectoryStatus
    answer: str | None
    verdict: Verdict | None
    spent: Spent
    dag_hash: str
    new_calls: int
    """Calls made by this process; the rest were read back."""
    error: str | None = None
    error_kind: str | None = None
    trajectory: Trajectory | None = field(default=None, compare=False, repr=False)
    """The graph; None in reports of many problems, where it can be loaded by `trajectory_id`."""

    @property
    def correct(self) -> bool:
        """Whether a verifier found the answer correct."""
        return self.verdict is not None and self.verdict.correct


@dataclass(frozen=True, slots=True)
class Report:
    """What came of a run; `outcomes` are in the order of the plan."""

    run_id: str
    resumed: bool
    outcomes: tuple[Outcome, ...]


@dataclass(frozen=True, slots=True)
class _Task:
    """One trajectory to be made."""

    row: TrajectoryRow
    spec: StrategySpec
    client: Client


class Runner:
    """Executes plans against one store."""

    def __init__(
        self,
        store: Store,
        prompts: Prompts | None = None,
        *,
        prices: Mapping[str, Price] | None = None,
        retry: RetryPolicy | None = None,
        keep_graphs: bool = False,
        on_outcome: Callable[[Outcome], None] | None = None,
        on_start: Callable[[str, int], None] | None = None,
    ) -> None:
        self._store = store
        self._prompts = prompts or Prompts()
        self._prices = prices or {}
        self._retry = retry
        self._keep_graphs = keep_graphs
        self._on_outcome = on_outcome
        self._on_start = on_start

    async def execute(
        self, plan: Plan, clients: Sequence[Client], *, command: str = "", fresh: bool = False, replay: bool = False
    ) -> Report:
        """Carry out a plan, going on with an earlier run of the same manifest.

        `fresh` starts a new run in any case. `replay` runs the strategies again even where a trajectory is closed; committed calls are
        still taken from the journal, so a finished run replays without one call.

        Raises:
            ReasonerError: a fault the next problem would meet too (see `stops_run`); the run is left resumable.
        """
        run = open_run(self._store, plan.manifest(clients, self._prompts), command=command, version=__version__, fresh=fresh)
        status: RunStatus = "interrupted"
        try:
            tasks = self._tasks(plan, clients, run)
            if self._on_start:
                self._on_start(run.id, len(tasks))
            outcomes = await self._all(plan, tasks, run, clients, replay=replay)
            status = "finished"
        except ReasonerError:
            status = "failed"
            raise
        finally:
            close_run(self._store, run, status)
        return Report(run.id, run.resumed, outcomes)

    def _tasks(self, plan: Plan, clients: Sequence[Client], run: RunRow) -> list[_Task]:
        return [
            _Task(
                TrajectoryRow(
                    id=digest(run.id, problem.id, spec.name, spec.params, client.fingerprint, str(sample))[:16],
                    run_id=run.id, problem=problem, strategy=spec.label, params=spec.params, model=client.name,
                    model_fingerprint=client.fingerprint, sample=sample,
                ),
                spec,
                client,
            )
            for client in clients
            for spec in plan.strategies
            for problem in plan.problems
            for sample in range(plan.samples)
        ]  # fmt: skip

    async def _all(self, plan: Plan, tasks: list[_Task], run: RunRow, clients: Sequence[Client], *, replay: bool) -> tuple[Outcome, ...]:
        stored = {row["id"]: row for row in trajectories(self._store, run.id)}
        limiters = limiters_for(clients)
        # Twice as many trajectories as calls: while one waits for its answer another can prepare its next call.
        places = asyncio.Semaphore(max(2, 2 * sum(client.concurrency for client in clients)))
        outcomes: dict[str, Outcome] = {}

        async def one(task: _Task) -> None:
            async with places:
                row = stored.get(task.row.id)
                if row is not None and row["status"] in {"closed", "exhausted"} and not replay:
                    outcome = self._stored_outcome(row)
                else:
                    outcome = await self._trajectory(plan, task, run, limiters[id(task.client)])
                outcomes[task.row.id] = outcome
                if self._on_outcome:
                    self._on_outcome(outcome)

        try:
            async with asyncio.TaskGroup() as group:
                for task in tasks:
                    group.create_task(one(task))
        except BaseExceptionGroup as faults:
            raise first_fault(faults) from faults
        return tuple(outcomes[task.row.id] for task in tasks)

    async def _trajectory(self, plan: Plan, task: _Task, run: RunRow, limiter: Limiter) -> Outcome:
        """Run one strategy on one problem and close its trajectory."""
        solver = registry.solver(task.row.problem.solver)
        instance = instance_of(solver, task.row.problem)
        strategy = task.spec.make()
        durable = task.client.paid
        await self._store.write(lambda c: open_trajectory(c, task.row), durable=durable)
        text = statement(solver, instance, self._prompts)
        journal = Journal(self._store, run_id=run.id, epoch=run.epoch, durable=durable)
        session = Session(
            problem=task.row.problem,
            statement=text,
            trajectory=Trajectory(task.row.id, root_text=text),
            seed=digest(str(plan.seed), task.row.problem.id, task.spec.name, task.spec.params, str(task.row.sample)),
            client=task.client,
            journal=journal,
            prompts=self._prompts,
            limiter=limiter,
            budget=Budget(plan.limits),
            sampling=plan.sampling,
            retry=self._retry,
            price=self._prices.get(task.client.name),
            numbers=getattr(strategy.params, "numbers", "plain"),
            aids=self._aids(solver, instance, run),
            oracle=strategy.oracle,
        )
        closing = await _closing(strategy, session, lambda answer: solver.verify(instance, answer))

        def close(c: Connection) -> None:
            journal.put_thoughts(c, session.unwritten())
            close_trajectory(c, task.row.id, closing)

        await self._store.write(close, durable=durable)
        return self._outcome(task.row, closing, session)

    def _aids(self, solver: Solver[Any, Any], instance: Any, run: RunRow) -> Aids:
        """Return what a session may look up, closed over the solver and the store."""

        def shots(kind: str, template: str, n: int, source: str) -> list[Demonstration]:
            if source == "store":
                answers = verified_answers(self._store, solver=solver.title, template=template, before_run=run.id)
                return from_store(solver, answers, n, exclude=instance, prompts=self._prompts)
            return demonstrations(solver, kind, n, exclude=instance, prompts=self._prompts)

        return Aids(
            shots=shots,
            canonical=lambda line: solver.canonical_answer(instance, line),
            verify=lambda text: solver.verify(instance, text),
            corpora=open_corpus,
        )

    def _outcome(self, row: TrajectoryRow, closing: Closing, session: Session) -> Outcome:
        return Outcome(
            trajectory_id=row.id, run_id=row.run_id, problem=row.problem, strategy=row.strategy, model=row.model, sample=row.sample,
            status=closing.status, answer=closing.answer, verdict=closing.verdict, spent=closing.spent, dag_hash=closing.dag_hash,
            new_calls=session.budget.spent.calls - session.replayed_calls, error=closing.error, error_kind=closing.error_kind,
            trajectory=session.trajectory if self._keep_graphs else None,
        )  # fmt: skip

    def _stored_outcome(self, row: Mapping[str, Any]) -> Outcome:
        """Read a closed trajectory back."""
        verdict = None
        if row["correct"] is not None:
            metrics = json.loads(row["metrics"] or "{}")
            verdict = Verdict(bool(row["correct"]), row["score"], row["reason"], unparsed=bool(row["unparsed"]), metrics=metrics)
        return Outcome(
            trajectory_id=row["id"], run_id=row["run_id"], problem=problem_of(dict(row)), strategy=row["strategy"], model=row["model"],
            sample=row["sample"], status=row["status"], answer=row["answer"], verdict=verdict,
            spent=Spent(row["calls"], row["prompt_tokens"], row["completion_tokens"], row["cached_tokens"], row["seconds"], row["cost"]),
            dag_hash=row["dag_hash"], new_calls=0, error=row["error"], error_kind=row["error_kind"],
            trajectory=load_trajectory(self._store, row["id"]) if self._keep_graphs else None,
        )  # fmt: skip


async def _closing(strategy: Strategy, session: Session, verify: Callable[[str], Verdict]) -> Closing:
    """Let a strategy work and say how it ended. Faults that the next problem would meet too go up."""
    status: TrajectoryStatus = "closed"
    answer: Answer | None = None
    error: ReasonerError | None = None
    try:
        answer = await strategy.run(session)
    except BudgetExhausted as exhausted:
        status, answer, error = "exhausted", session.best, exhausted
    except ReasonerError as fault:
        if fault.stops_run:
            raise
        status, answer, error = "failed", session.best, fault
    verdict = None
    if answer is not None:
        verdict = verify(answer.text)
    elif status != "failed":
        verdict = Verdict(correct=False, score=0.0, reason="no answer was given", unparsed=True)
    if verdict is not None and session.metrics:
        verdict = replace(verdict, metrics={**verdict.metrics, **session.metrics})
    return Closing(
        status=status,
        spent=session.budget.spent,
        dag_hash=session.trajectory.hash(),
        answer=answer.text if answer else None,
        answer_thought=answer.thought_id if answer else None,
        verdict=verdict,
        error=str(error) if error else None,
        error_kind=type(error).__name__ if error else None,
    )
