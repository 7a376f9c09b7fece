"""Run one request: a conversation or a solver's problem, a strategy over a model, recorded like every other run.

Knows orders and the runner; does not know HTTP nor any dialect. Every order is a run of its own, unless it carries an idempotency key: then
the same order with the same key goes on with the run it began, also after the server was stopped, and a finished one is read back.

    async for event in executor.run(order): ...   # Started, then Said as thoughts arrive, then Done
"""

from __future__ import annotations

import asyncio
import json
import secrets
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from reasoner import registry
from reasoner.budget import Limits
from reasoner.calling.limiter import limiters_for
from reasoner.errors import BadConfig, ReasonerError
from reasoner.prompts import Prompts
from reasoner.runs.plan import Plan
from reasoner.runs.problems import problem_from_instance, problem_from_line
from reasoner.runs.runner import Outcome, Report, Runner, trajectory_id
from reasoner.runs.strategy_spec import parse_strategies
from reasoner.serve.faults import Fault, Refused
from reasoner.store.queries import problem_of
from reasoner.types import Message, Problem, Sampling, digest

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from reasoner.serve.model_names import ModelNames, Target
    from reasoner.serve.settings import Settings
    from reasoner.store import Store
    from reasoner.trajectory import Thought

COMMAND = "reasoner serve"


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
    """The end of an order: an outcome for each sample."""

    outcomes: tuple[Outcome, ...]


Event = Started | Said | Done


class Executor:
    """Carries out orders against one store, at most `max_requests` at once."""

    def __init__(
        self, store: Store, model_names: ModelNames, settings: Settings, *, prompts: Prompts | None = None, limits: Limits | None = None
    ) -> None:
        self._store = store
        self._settings = settings
        self._prompts = prompts or Prompts()
        self._limits = limits or Limits(calls=settings.max_calls)
        clients = list(model_names.clients.values())
        limiters = limiters_for(clients)
        self._limiters = {client.fingerprint: limiters[id(client)] for client in clients}
        self.model_names = model_names
        self.under_way: set[str] = set()
        self.stopping = False

    async def run(self, order: Order) -> AsyncGenerator[Event, None]:
        """Carry an order out, telling what happens. Closing the iterator early parks its trajectories: they can be gone on with.

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
        problem = problem_of_order(order)
        seed = (
            order.seed if order.seed is not None else int(digest("idempotency", order.key)[:12], 16) if order.key else secrets.randbits(48)
        )
        plan = Plan([problem], [order.target.spec], seed, order.n, order.sampling, self._limits)
        events: asyncio.Queue[Event | None] = asyncio.Queue()
        client, spec = order.target.client, order.target.spec

        def started(run_id: str, n: int) -> None:
            events.put_nowait(Started(run_id, tuple(trajectory_id(run_id, problem, spec, client, sample) for sample in range(n))))

        def thought_of(_: str, sample: int, thought: Thought) -> None:
            if thought.finish_reason:
                events.put_nowait(Said(sample, thought.role, thought.text))

        runner = Runner(
            self._store, self._prompts, keep_graphs=True, on_start=started, on_thought=thought_of, limiters=self._limiters
        )  # fmt: skip
        work = asyncio.ensure_future(runner.execute(plan, [client], command=COMMAND, fresh=not order.key))
        work.add_done_callback(lambda _: events.put_nowait(None))
        try:
            while (event := await events.get()) is not None:
                yield event
            yield Done((await work).outcomes)
        finally:
            if not work.done():
                work.cancel()
                await asyncio.gather(work, return_exceptions=True)

    async def finish_parked(self) -> list[Report]:
        """Go on with the runs of this server that were parked, where their models are served; those that cannot be are left as they are."""
        done = []
        for row in self._store.rows(
            "SELECT id, manifest FROM runs WHERE status = 'interrupted' AND command = ? ORDER BY created LIMIT 1000", (COMMAND,)
        ):
            plan = self._parked_plan(row["id"], json.loads(row["manifest"]))
            if plan is None:
                continue
            try:
                runner = Runner(self._store, self._prompts, limiters=self._limiters)
                done.append(await runner.execute(plan[0], [self.model_names.clients[plan[1]]], command=COMMAND))
            except ReasonerError:
                continue  # it stays parked; the next start tries again
        return done

    def _parked_plan(self, run_id: str, manifest: dict[str, Any]) -> tuple[Plan, str] | None:
        row = self._store.row(
            "SELECT t.strategy, t.model, t.model_fingerprint, p.* FROM trajectories t JOIN problems p ON p.id = t.problem_id WHERE t.run_id = ? LIMIT 1",
            (run_id,),
        )
        client = self.model_names.clients.get(row["model"]) if row else None
        if row is None or client is None or client.fingerprint != row["model_fingerprint"]:
            return None
        values = manifest["sampling"]
        sampling = Sampling(**{**values, "stop": tuple(values["stop"])})
        limits = Limits.model_validate(manifest["limits"])
        specs = parse_strategies(row["strategy"])
        return Plan([problem_of(row)], specs, manifest["seed"], manifest["samples"], sampling, limits), client.name


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
