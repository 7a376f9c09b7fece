"""Open what a plan needs, up to the point where its identity is known: models with their forms, judges, scorers, tools, prompts.

    async with opened_plan(plan, ["local"], options, pool=pool) as made:
        made.manifest()

Nothing is asked and nothing is written: what follows is a run of it, here (`reasoner.runs.runner`) or cut into shards (`reasoner.scale`).
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from reasoner.budget import unpriced
from reasoner.errors import BadConfig
from reasoner.prompts import Prompts
from reasoner.runs.acting import needed_tools
from reasoner.runs.events import Note
from reasoner.runs.judges import judge_names
from reasoner.runs.plan import Plan
from reasoner.runs.prepared import prepared
from reasoner.runs.scorers import open_scorers
from reasoner.runs.shipped_adapters import for_plan
from reasoner.runs.tool_plan import OpenTools, opened

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence

    from reasoner.runs.events import Event
    from reasoner.runs.options import RunOptions
    from reasoner.runs.pool import ModelPool
    from reasoner.types import Client


@dataclass(frozen=True, slots=True)
class Opened:
    """A plan, and what it needs, open. `notes` is what a user should know before it begins."""

    plan: Plan
    prompts: Prompts
    clients: Sequence[Client]
    judges: Mapping[str, Client]
    scorers: Mapping[tuple[str, str], Client]
    tools: OpenTools
    forms: Mapping[str, Any] = field(default_factory=dict)
    notes: Sequence[str] = ()

    def manifest(self, options: RunOptions) -> Mapping[str, Any]:
        """Return the run's identity; that of the whole run where this is a part of one.

        Raises:
            BadConfig: it is a part, and would not be carried out here as it was cut.
        """
        own = self.plan.manifest(self.clients, self.prompts, self.judges, self.scorers)
        return own if options.part is None else options.part.whole(own)


@asynccontextmanager
async def opened_plan(
    plan: Plan,
    models: Sequence[str | Client],
    options: RunOptions,
    *,
    pool: ModelPool,
    tools: OpenTools | None = None,
    tell: Callable[[Event], None] | None = None,
) -> AsyncIterator[Opened]:
    """Open the models of a plan in a pool, and its tools; close the tools at the end.

    Raises:
        ReasonerError: see `reasoner.errors`; nothing was asked.
    """
    notes: list[str] = []
    clients = [_opened(model, plan, options, pool, notes) for model in models]
    judges = {name: _opened(name, plan, options, pool, notes) for name in judge_names(plan.problems)}
    scorers = open_scorers(
        plan, models, clients, options.client, lambda name, client: _opened(name, plan, replace(options, client=client), pool, notes)
    )
    others = [*judges.values(), *scorers.values()]
    forms = await prepared([*clients, *others], lambda text: notes.append(text) if tell is None else tell(Note(text)))
    _check_different(models, clients)
    _check_prices(plan, [*clients, *others], options)
    async with opened(plan.tools, needed=needed_tools(plan.strategies), shared=tools) as acts:
        whole = replace(plan, tools=acts.plan)
        yield Opened(whole, Prompts(options.prompts), clients, judges, scorers, acts, forms, (*notes, *acts.notes))


def _opened(model: str | Client, plan: Plan, options: RunOptions, pool: ModelPool, notes: list[str]) -> Client:
    """Open the client of a name; `local` with the adapter that ships for the plan, unless the options name one or none."""
    if not isinstance(model, str) or pool.has(model):
        return pool.open(model)
    choice = for_plan(model, options.client, plan)
    if choice.note:
        notes.append(choice.note)
    return pool.open(model, choice.options)


def _check_different(models: Sequence[str | Client], clients: Sequence[Client]) -> None:
    """Refuse two names of one model: their answers would be the same trajectories."""
    seen: dict[str, str] = {}
    for model, client in zip(models, clients, strict=True) if len(clients) > 1 else ():
        name = model if isinstance(model, str) else client.name
        first = seen.setdefault(client.fingerprint, name)
        if first != name:
            raise BadConfig(f"{first} and {name} are one model, of the same weights and options", hint="name it once")


def _check_prices(plan: Plan, clients: Iterable[Client], options: RunOptions) -> None:
    """Refuse a money budget over a model without a price before anything is asked."""
    shared = options.run_limits
    if options.allow_unpriced or (plan.limits.cost is None and (shared is None or shared.cost is None)):
        return
    for client in clients:
        if client.paid and client.name not in options.prices:
            raise unpriced(client.name)
