"""Put one trajectory's session together: problem, strategy, seed, prompts, examples, verifier, and whoever makes its calls.

assembled = assemble(workshop, plan, task, caller)
ended = await carried_out(assembled)
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

from reasoner import registry
from reasoner.errors import BudgetExhausted, ReasonerError, WaitsForApproval
from reasoner.grading.groups import grouped
from reasoner.runs.few_shot import demonstrations, from_store, statement
from reasoner.runs.plan import Plan
from reasoner.runs.problems import instance_of
from reasoner.runs.strategy_spec import StrategySpec
from reasoner.sandbox.threads import in_thread
from reasoner.session import Rules, Session
from reasoner.session.lookups import Given, Lookups
from reasoner.session.walk import Walk
from reasoner.solver import Searchable
from reasoner.store.queries import verified_answers
from reasoner.store.records import Closing, TrajectoryStatus
from reasoner.trajectory import Trajectory
from reasoner.translation.library import open_corpus
from reasoner.types import Answer, Demonstration, Problem, Verdict, digest

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from reasoner.calling.actor import Actor
    from reasoner.calling.caller import Caller, Channel
    from reasoner.prompts import Prompts
    from reasoner.solver import Solver
    from reasoner.store import Store
    from reasoner.store.claims import TrajectoryRow
    from reasoner.strategies import Strategy
    from reasoner.tools import Tool
    from reasoner.trajectory import Thought
    from reasoner.types import Client

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Workshop:
    """What all trajectories of a run work with: where they are written, what is asked with, and whom."""

    store: Store
    prompts: Prompts
    channels: Sequence[Channel] = ()
    tools: Sequence[Tool] = ()
    judges: Mapping[str, Channel] = field(default_factory=dict)
    """The models that problems leave their verdict to, by name."""
    scorers: Mapping[tuple[str, str], Channel] = field(default_factory=dict)
    """The other models that strategies ask, by the run's model and the name they are asked for by."""


@dataclass(frozen=True, slots=True)
class Task:
    """One trajectory to be made: what identifies it, its strategy, and the model it asks."""

    row: TrajectoryRow
    spec: StrategySpec
    channel: Channel
    place: int = 0
    """Its place among all of its plan."""
    ended: bool = False
    """Whether it was found to need no work when its turn was near."""


@dataclass(frozen=True, slots=True)
class Assembled:
    """A strategy and the session it is to work in."""

    session: Session
    strategy: Strategy
    verify: Callable[[str], Awaitable[Verdict]] | None
    """None for what is not judged."""
    schema: Mapping[str, Any] | None = None
    """What the answer is to conform to, where the problem says so and the strategy does not see to it by itself."""
    instance: Any = None
    """What is asked: the problem's instance, or one of the later turns of its conversation."""
    follow_up: Callable[[Answer], Assembled | None] | None = None
    """What is asked next once this is answered: the same strategy on the next turn, in a branch below the answer; None where nothing is."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A question of a trajectory and its answer: nearly always the only one."""

    asked: Assembled
    answer: Answer


@dataclass(frozen=True, slots=True)
class Ended:
    """How a strategy's work ended, and what it answered, turn by turn. `missing`: a turn was asked and not answered."""

    status: TrajectoryStatus
    turns: tuple[Turn, ...]
    missing: bool = False
    error: ReasonerError | None = None


def jitter(seed: str) -> random.Random:
    """Return the stream that a trajectory's waits are drawn from."""
    return random.Random(int(digest(seed, "retry"), 16))


def trajectory_id(run_id: str, problem: Problem, spec: StrategySpec, client: Client, sample: int = 0) -> str:
    """Return the id a trajectory of a run has, known before it is opened."""
    return digest(run_id, problem.id, spec.name, spec.params, client.fingerprint, str(sample))[:16]


def assemble(
    at: Workshop, plan: Plan, task: Task, caller: Caller, *, actor: Actor | None = None, tell: Callable[[Thought], None] | None = None
) -> Assembled:
    """Put a session together; without an `actor` it can do nothing. `tell` is told of thoughts as they arrive, before they are committed.

    Raises:
        ReasonerError: the solver, strategy, prompt or instance is not what it was, see `reasoner.errors`.
    """
    row, problem = task.row, task.row.problem
    solver: Solver[Any] = registry.solver(problem.solver)
    instance = instance_of(solver, problem)
    strategy = task.spec.make()
    rules = Rules(
        seed=plan.seed_of(problem, task.spec, row.sample),
        sampling=plan.sampling,
        numbers=strategy.params.numbers,
        oracle=strategy.oracle,
        drawn_from=plan.fork.drawn_from if plan.fork else None,
        instructions="" if strategy.keeps_schema else solver.instructions(instance),
    )
    session = Session(
        problem,
        Trajectory(row.id, root_text=statement(solver, instance, at.prompts), on_add=tell),
        caller,
        prompts=at.prompts,
        rules=rules,
        lookups=_lookups(at.store, at.prompts, solver, instance, row.run_id),
        actor=actor,
    )
    return _on(at, solver, instance, session, strategy, row.run_id)


def _on(at: Workshop, solver: Solver[Any], instance: Any, session: Session, strategy: Strategy, run_id: str) -> Assembled:
    """Put a strategy and its session together on an instance, and on those that follow it."""

    def follow_up(answer: Answer) -> Assembled | None:
        following = solver.follow_up(instance, answer.text)
        if following is None:
            return None
        above = session.root if answer.thought_id is None else session.trajectory.thought(answer.thought_id)
        asked = session.branch(
            parent=above, role="turn", statement=statement(solver, following, at.prompts), oracle=strategy.oracle,
            lookups=_lookups(at.store, at.prompts, solver, following, run_id),
        )  # fmt: skip
        return _on(at, solver, following, asked, strategy, run_id)

    schema = None if strategy.keeps_schema else solver.output_schema(instance)
    return Assembled(session, strategy, _verifier(solver, instance), schema, instance, follow_up)


async def _in_time(solver: Solver[Any], instance: Any, ask: Callable[[], T]) -> T:
    """Ask a family; where it may take seconds, in a thread, so that other trajectories go on."""
    return await in_thread(ask, name="reasoner-verify") if solver.takes_time(instance) else ask()


def _verifier(solver: Solver[Any], instance: Any) -> Callable[[str], Awaitable[Verdict]] | None:
    """Return what judges an answer to an instance; None for a family without verdicts."""

    async def verify(answer: str) -> Verdict:
        return await _in_time(solver, instance, lambda: solver.verify(instance, answer))

    return verify if solver.judged else None


def _lookups(store: Store, prompts: Prompts, solver: Solver[Any], instance: Any, run_id: str) -> Lookups:
    """Return what a session may look up, closed over the solver and the store."""

    def shots(kind: str, template: str, n: int, source: str) -> list[Demonstration]:
        if source == "store":
            answers = verified_answers(store, solver=solver.title, template=template, before_run=run_id)
            return from_store(solver, answers, n, exclude=instance, prompts=prompts)
        return demonstrations(solver, kind, n, exclude=instance, prompts=prompts)

    async def groups(texts: Sequence[str]) -> list[str | None]:
        return await _in_time(
            solver,
            instance,
            lambda: grouped(
                texts, lambda text: solver.canonical_answer(instance, text), lambda one, other: solver.same_answer(instance, one, other)
            ),
        )

    return Lookups(
        shots=shots,
        canonical=lambda text: solver.canonical_answer(instance, text),
        groups=groups,
        verify=_verifier(solver, instance),
        corpora=open_corpus,
        given=Given(
            lambda: solver.answer_constraint(instance),
            (lambda: Walk(solver, instance)) if isinstance(solver, Searchable) else None,
            lambda text, part: solver.part_answer(instance, part, text),
        ),
    )


async def carried_out(assembled: Assembled) -> Ended:
    """Let a strategy work, turn by turn. Faults that the next problem would meet too go up."""
    turns: list[Turn] = []
    asked: Assembled | None = assembled
    status: TrajectoryStatus = "closed"
    error: ReasonerError | None = None
    while asked is not None and error is None:
        session = asked.session
        answer: Answer | None
        try:
            answer = await asked.strategy.run(session)
            if asked.schema is not None:
                answer = await _formatted(session, answer, asked.schema)
        except WaitsForApproval as waits:
            status, answer, error = "open", None, waits
        except BudgetExhausted as exhausted:
            status, answer, error = "exhausted", session.best, exhausted
        except ReasonerError as fault:
            if fault.stops_run:
                raise
            status, answer, error = "failed", session.best, fault
        if answer is None:
            return Ended(status, tuple(turns), missing=bool(turns), error=error)
        turns.append(Turn(asked, answer))
        asked = None if asked.follow_up is None else asked.follow_up(answer)
    return Ended(status, tuple(turns), missing=asked is not None, error=error)


async def closing_of(assembled: Assembled, ended: Ended) -> Closing:
    """Say how a trajectory ended, its verdict that of the last turn that was answered."""
    session = assembled.session
    asked, answer = (ended.turns[-1].asked, ended.turns[-1].answer) if ended.turns else (assembled, None)
    verdict = None
    if ended.status == "open":
        answer = None
    elif asked.verify is not None and answer is not None:
        verdict = await asked.verify(answer.text)
    elif asked.verify is not None and ended.status != "failed":
        verdict = Verdict(correct=False, score=0.0, reason="no answer was given", unparsed=True)
    if verdict is not None and session.metrics:
        verdict = replace(verdict, metrics={**verdict.metrics, **session.metrics})
    error = ended.error
    return Closing(
        status=ended.status,
        spent=session.budget.spent,
        dag_hash=session.trajectory.hash(),
        answer=answer.text if answer else None,
        answer_thought=answer.thought_id if answer else None,
        verdict=verdict,
        error=str(error) if error else None,
        error_kind=type(error).__name__ if error else None,
        at_limit=answer is not None and session.trajectory.finish_of(answer.thought_id) == "length",
    )


async def _formatted(session: Session, answer: Answer, schema: Mapping[str, Any]) -> Answer:
    """Have an answer written in the form that was asked for: one last call, constrained to the schema."""
    above = session.root if answer.thought_id is None else session.trajectory.thought(answer.thought_id)
    reply = await session.ask("format/answer", parent=above, schema=schema, reply=answer.text)
    if above is not session.root:
        session.mark(above, status="kept")
    session.mark(reply, status="final")
    return session.offer(reply.text, reply)
