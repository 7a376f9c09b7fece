"""Run one request: a conversation or a solver's problem, a strategy over a model, recorded like every other run.

Every order is a run of its own, unless it carries an idempotency key: then the same order with the same key goes on with the run it
began, also after the server was stopped, and a finished one is read back. Knows orders and runs; does not know HTTP nor any dialect.

    async for event in executor.run(order): ...   # Started, then Said as thoughts arrive, then Done
"""

from __future__ import annotations

import asyncio
import json
import secrets
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from reasoner.errors import ReasonerError
from reasoner.runs.acting import needed_tools
from reasoner.runs.events import Event as RunEvent
from reasoner.runs.events import PieceCame, ThoughtAdded
from reasoner.runs.events import Started as RunStarted
from reasoner.runs.options import RunOptions
from reasoner.runs.plan import Plan
from reasoner.runs.runner import open_run
from reasoner.runs.saved_plan import read_saved_plan
from reasoner.runs.tool_plan import OpenTools, ToolPlan
from reasoner.serve.faults import Fault, Refused
from reasoner.serve.order import Done, Event, Order, Piece, Said, Started, problem_of, sampling_of
from reasoner.store.replies import counted, last_reply
from reasoner.store.run_queries import interrupted
from reasoner.types import canonical_json, digest

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from reasoner.budget import Limits
    from reasoner.runs.pool import ModelPool
    from reasoner.runs.results import Report
    from reasoner.serve.model_names import ModelNames
    from reasoner.serve.settings import Settings
    from reasoner.store import Store
    from reasoner.types import Client

COMMAND = "reasoner serve"


class Executor:
    """Carries out orders against one store over the models of one pool, at most `max_requests` at once."""

    def __init__(
        self, store: Store, model_names: ModelNames, settings: Settings, *, pool: ModelPool, options: RunOptions, limits: Limits
    ) -> None:
        """Make an executor; `options` say how runs are carried out, `limits` what one request may use."""
        self.model_names = model_names
        self.under_way: set[str] = set()
        self.stopping = False
        self.tools = OpenTools()
        """What strategies that call tools may call; opened when the server starts, and shared by all requests."""
        self._again: set[str] = set()
        self._going: dict[str, asyncio.Task[None]] = {}
        self._store = store
        self._settings = settings
        self._pool = pool
        self._options = replace(options, command=COMMAND)
        self._limits = limits

    def client_of(self, order: Order) -> Client:
        """Return the client of an order's model."""
        return self._pool.open(self.model_names.opened_as(order.target.model))

    async def run(self, order: Order, *, pieces: bool = False, wanted: Callable[[], bool] | None = None) -> AsyncGenerator[Event, None]:
        """Carry an order out, telling what happens. Closing the iterator early parks its trajectories: they can be resumed.

        With `pieces` a plain model's reply is told while it is written. `wanted` is asked before each call is begun; False parks the order too.

        Raises:
            Refused: the server is stopping, is full, or is at work on the same idempotency key.
            Abandoned: whoever asked has gone.
            ReasonerError: the order cannot be carried out.
        """
        place = order.key or secrets.token_hex(8)
        if self.stopping:
            raise Refused(Fault(503, "overloaded", "the server is stopping", code="stopping"))
        if len(self.under_way) >= self._settings.max_requests:
            raise Refused(Fault(429, "rate_limit", f"{self._settings.max_requests} requests are in progress", code="too_many_requests"))
        if place in self.under_way:
            raise Refused(Fault(409, "conflict", "a request with this Idempotency-Key is in progress", code="in_progress"))
        self.under_way.add(place)
        try:
            async with aclosing(self._events(order, pieces=pieces, wanted=wanted)) as events:
                async for event in events:
                    yield event
        finally:
            self.under_way.discard(place)

    async def _events(self, order: Order, *, pieces: bool, wanted: Callable[[], bool] | None) -> AsyncGenerator[Event, None]:
        seed = (
            order.seed if order.seed is not None else int(digest("idempotency", order.key)[:12], 16) if order.key else secrets.randbits(48)
        )
        sampling = sampling_of(order, self.client_of(order))
        acts = bool(needed_tools([order.target.spec]))
        tools = replace(self.tools.plan, sketches=()) if acts else ToolPlan()
        plan = Plan([problem_of(order)], [order.target.spec], seed, order.n, sampling, self._limits, tools=tools)
        tokens: dict[int, tuple[tuple[str, float], ...]] = {}
        command = f"{COMMAND} for {order.client}" if order.client else COMMAND
        options = replace(self._options, mode="join" if order.key else "fresh", wanted=wanted, command=command)
        async with open_run(
            plan, [self.model_names.opened_as(order.target.model)], options, db=self._store, pool=self._pool, thoughts=True,
            tools=self.tools if acts else None, pieces=order.plain and (pieces or order.sampling.logprobs),
        ) as run:  # fmt: skip
            async with aclosing(aiter(run)) as events:
                async for event in events:
                    if isinstance(event, PieceCame) and event.part == "logprobs":
                        tokens[event.sample] = tuple((token, value) for token, value in json.loads(event.text))
                        continue
                    if not pieces and isinstance(event, PieceCame):
                        continue
                    if (shown := _shown(event, run.trajectory_ids)) is not None:
                        yield shown
            results = run.report.results
            ids = [result.trajectory_id for result in results]
            found = (last_reply(self._store, each) for each in ids)
            replies = tuple(reply and replace(reply, token_logprobs=tokens.get(at, ())) for at, reply in enumerate(found))
            counts = () if order.plain else tuple(_metadata(self._store, each) for each in ids)
            yield Done(results, replies, counts)

    async def finish_parked(self) -> list[Report]:
        """Go on with the runs of this server that were parked, where their models are served; those that cannot be are left as they are."""
        ids = [row["id"] for row in interrupted(self._store, command=COMMAND)]
        return [report for run_id in ids if (report := await self._finish(run_id)) is not None]

    def go_on(self, run_id: str) -> bool:
        """Go on with a run in the background, now that something in it was decided; False where its models are not served here."""
        if self.stopping or not self._can_finish(run_id):
            return False
        self._again.add(run_id)
        if run_id not in self._going:
            task = self._going[run_id] = asyncio.create_task(self._go_on(run_id))
            task.add_done_callback(lambda _: self._going.pop(run_id, None))
        return True

    async def settle(self) -> None:
        """Park what goes on in the background, and wait until it is."""
        for task in list(self._going.values()):
            task.cancel()
        await asyncio.gather(*self._going.values(), return_exceptions=True)

    async def _go_on(self, run_id: str) -> None:
        while run_id in self._again:
            self._again.discard(run_id)
            await self._finish(run_id)

    def _can_finish(self, run_id: str) -> bool:
        try:
            saved = read_saved_plan(self._store, run_id)
        except ReasonerError:
            return False
        return saved.whole and all(self._pool.has(model) for model in saved.models)

    async def _finish(self, run_id: str) -> Report | None:
        """Go on with one run to its end, or to where it waits again; None where it cannot be gone on with here."""
        try:
            saved = read_saved_plan(self._store, run_id)
            if not saved.whole or not all(self._pool.has(model) for model in saved.models):
                return None
            asked, ours = saved.plan.tools.as_json(), self.tools.plan.as_json()
            shared = self.tools if all(asked[what] == ours[what] for what in ("named", "mcp")) else None
            options = replace(self._options, run=run_id)
            async with open_run(saved.plan, saved.models, options, db=self._store, pool=self._pool, tools=shared) as run:
                return await run.finish()
        except ReasonerError:
            return None  # it stays parked; the next start, or decision, tries again


def _shown(event: RunEvent, trajectory_ids: Any) -> Event | None:
    """Return what a client is told of an event of the run."""
    if isinstance(event, RunStarted):
        return Started(event.run_id, tuple(trajectory_ids()))
    if isinstance(event, ThoughtAdded) and event.thought.finish_reason:
        return Said(event.sample, event.thought.role, event.thought.text, event.thought.reasoning)
    if isinstance(event, PieceCame):
        return Piece(event.sample, event.attempt, event.part, event.text)
    return None


def _metadata(store: Store, trajectory_id: str) -> dict[str, str]:
    """Return what a search counted and how it scored, each as JSON text."""
    found = counted(store, trajectory_id)
    return {name: canonical_json(value) for name, value in found.items() if value}
