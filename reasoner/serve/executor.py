"""Run one request: a conversation or a solver's problem, a strategy over a model, recorded like every other run.

Every order is a run of its own, unless it carries an idempotency key: then the same order with the same key goes on with the run it
began, also after the server was stopped, and a finished one is read back. Knows orders and runs; does not know HTTP nor any dialect.

    async for event in executor.run(order): ...   # Started, then Said as thoughts arrive, then Done
"""

from __future__ import annotations

import secrets
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from reasoner import registry
from reasoner.errors import BadConfig, ReasonerError
from reasoner.runs.events import Event as RunEvent
from reasoner.runs.events import Started as RunStarted
from reasoner.runs.events import ThoughtAdded
from reasoner.runs.options import RunOptions
from reasoner.runs.plan import Plan
from reasoner.runs.problems import problem_from_instance, problem_from_line
from reasoner.runs.runner import open_run
from reasoner.runs.saved_plan import read_saved_plan
from reasoner.serve.faults import Fault, Refused
from reasoner.store.run_queries import interrupted, last_finish
from reasoner.types import Message, Problem, Sampling, digest

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from reasoner.budget import Limits
    from reasoner.runs.pool import ModelPool
    from reasoner.runs.results import Report, Result
    from reasoner.serve.model_names import ModelNames, Target
    from reasoner.serve.settings import Settings
    from reasoner.store import Store

COMMAND = "reasoner serve"
CUT = frozenset({"length", "truncated"})


@dataclass(frozen=True, slots=True)
class Order:
    """One request, in nobody's dialect."""

    target: Target
    messages: tuple[Message, ...]
    sampling: Sampling
    n: int = 1
    seed: int | None = None
    solver: str = ""
    """The family of the problem the last message is; empty: the conversation itself."""
    output_schema: str = ""
    key: str = ""
    """What makes the same request be found again; empty: nothing."""


@dataclass(frozen=True, slots=True)
class Started:
    """The ids of the trajectories, before the first call."""

    run: str
    trajectories: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Said:
    """A model's reply on the way to the answer."""

    sample: int
    role: str
    text: str


@dataclass(frozen=True, slots=True)
class Done:
    """The end of an order: a result for each sample, and whether its last reply was cut off."""

    results: Sequence[Result]
    cut: tuple[bool, ...]


Event = Started | Said | Done


class Executor:
    """Carries out orders against one store over the models of one pool, at most `max_requests` at once."""

    def __init__(
        self, store: Store, model_names: ModelNames, settings: Settings, *, pool: ModelPool, options: RunOptions, limits: Limits
    ) -> None:
        """Make an executor; `options` say how runs are carried out, `limits` what one request may use."""
        self.model_names = model_names
        self.under_way: set[str] = set()
        self.stopping = False
        self._store = store
        self._settings = settings
        self._pool = pool
        self._options = replace(options, command=COMMAND)
        self._limits = limits

    async def run(self, order: Order) -> AsyncGenerator[Event, None]:
        """Carry an order out, telling what happens. Closing the iterator early parks its trajectories: they can be resumed.

        Raises:
            Refused: the server is stopping, is full, or is at work on the same idempotency key.
            ReasonerError: the order cannot be carried out.
        """
        place = order.key or secrets.token_hex(8)
        if self.stopping:
            raise Refused(Fault(503, "overloaded", "the server is stopping", code="stopping"))
        if len(self.under_way) >= self._settings.max_requests:
            raise Refused(Fault(429, "rate_limit", f"{self._settings.max_requests} requests are under way", code="too_many_requests"))
        if place in self.under_way:
            raise Refused(Fault(409, "conflict", "a request with this Idempotency-Key is under way", code="in_progress"))
        self.under_way.add(place)
        try:
            async with aclosing(self._events(order)) as events:
                async for event in events:
                    yield event
        finally:
            self.under_way.discard(place)

    async def _events(self, order: Order) -> AsyncGenerator[Event, None]:
        seed = (
            order.seed if order.seed is not None else int(digest("idempotency", order.key)[:12], 16) if order.key else secrets.randbits(48)
        )
        plan = Plan([problem_of_order(order)], [order.target.spec], seed, order.n, order.sampling, self._limits)
        options = replace(self._options, mode="join" if order.key else "fresh")
        async with open_run(
            plan, [self.model_names.opened_as(order.target.model)], options, db=self._store, pool=self._pool, thoughts=True
        ) as run:
            async with aclosing(aiter(run)) as events:
                async for event in events:
                    if (shown := _shown(event, run.trajectory_ids)) is not None:
                        yield shown
            results = run.report.results
            yield Done(results, tuple(last_finish(self._store, result.trajectory_id) in CUT for result in results))

    async def finish_parked(self) -> list[Report]:
        """Go on with the runs of this server that were parked, where their models are served; those that cannot be are left as they are."""
        done = []
        for run_id in [row["id"] for row in interrupted(self._store, command=COMMAND)]:
            try:
                saved = read_saved_plan(self._store, run_id)
                if not saved.whole or not all(self._pool.has(model) for model in saved.models):
                    continue
                options = replace(self._options, run=run_id)
                async with open_run(saved.plan, saved.models, options, db=self._store, pool=self._pool) as run:
                    done.append(await run.finish())
            except ReasonerError:
                continue  # it stays parked; the next start tries again
        return done


def _shown(event: RunEvent, trajectory_ids: Any) -> Event | None:
    """Return what a client is told of an event of the run."""
    if isinstance(event, RunStarted):
        return Started(event.run_id, tuple(trajectory_ids()))
    if isinstance(event, ThoughtAdded) and event.thought.finish_reason:
        return Said(event.sample, event.thought.role, event.thought.text)
    return None


def problem_of_order(order: Order) -> Problem:
    """Return the problem an order states.

    Raises:
        UnknownName: there is no such family.
        BadConfig: the family would read a file.
        BadInstance: the last message is no problem of the family.
    """
    if order.solver:
        if ":" in order.solver or order.solver == "chat":
            raise BadConfig(f"the solver {order.solver[:40]!r} cannot be asked for", hint="name a family that needs no file")
        return problem_from_line(order.solver, order.messages[-1].content)
    solver = registry.solver("chat")
    turns: Sequence[dict[str, str]] = [{"role": m.role, "content": m.content} for m in order.messages]
    return problem_from_instance(solver, solver.Instance.model_validate({"messages": turns, "output_schema": order.output_schema}), None)


def within(sampling: Sampling, settings: Settings, **given: Any) -> Sampling:
    """Return the sampling with what a request gives, `max_tokens` bounded."""
    made = replace(sampling, **{name: value for name, value in given.items() if value is not None})
    return replace(made, max_tokens=min(made.numbers.max_tokens, settings.max_tokens))
