"""One trajectory of a run: let its strategy work, judge the answer, close it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reasoner.budget import Budget
from reasoner.calling.caller import Caller
from reasoner.runs.acting import actor_of
from reasoner.runs.assemble import Task, Workshop, assemble, carried_out, closing_of, jitter
from reasoner.runs.judges import with_verdict
from reasoner.runs.results import Result
from reasoner.runs.scorers import needed_models
from reasoner.store.actions import ActionJournal
from reasoner.store.earlier import ActionsBefore, Before, cached
from reasoner.store.journal import Journal
from reasoner.store.records import close_trajectory

if TYPE_CHECKING:
    from collections.abc import Callable

    from reasoner.calling.actor import ActionAsked
    from reasoner.calling.caller import Earlier
    from reasoner.calling.hearing import Heard
    from reasoner.runs.options import RunOptions
    from reasoner.runs.plan import Plan
    from reasoner.store import Store
    from reasoner.store.connection import Connection
    from reasoner.store.journal import Intent, Kept
    from reasoner.trajectory import Thought
    from reasoner.types import Client


async def carry_out(
    plan: Plan,
    options: RunOptions,
    at: Workshop,
    task: Task,
    *,
    epoch: int,
    tell: Callable[[Thought], None] | None = None,
    decide: Callable[[ActionAsked], bool | None] | None = None,
    hear: Heard | None = None,
) -> Result:
    """Run one strategy on one problem and close its trajectory, which this process has claimed for the `epoch`-th time.

    `decide` is asked about actions that need approval. Where it says neither yes nor no, the trajectory stays open. `tell` is told of
    thoughts, `hear` of the pieces of answers.

    Raises:
        ReasonerError: a fault the next problem would meet too.
    """
    row, client = task.row, task.channel.client
    others = {name: at.scorers[client.name, name] for name in needed_models([task.spec])}
    paid = client.paid or any(channel.client.paid for channel in others.values())
    journal = Journal(at.store, run_id=row.run_id, trajectory_id=row.id, epoch=epoch, durable=paid)
    caller = Caller(
        task.channel,
        journal,
        Budget(plan.limits, allow_unpriced=options.allow_unpriced),
        jitter=jitter(plan.seed_of(row.problem, task.spec, row.sample)),
        earlier=_earlier(at.store, plan, task, client, cache=options.cache),
        hear=hear,
    )
    for name, channel in others.items():
        caller.others[name] = caller.beside(channel, earlier=_earlier(at.store, plan, task, channel.client, cache=options.cache))
    actor = actor_of(
        at, plan, task, ActionJournal(journal, at.store, trajectory_id=row.id, epoch=epoch), on_unknown=task.channel.on_unknown, decide=decide,
        before=ActionsBefore(at.store, plan.fork.of, plan.fork.at) if plan.fork else None,
    )  # fmt: skip
    try:
        assembled = assemble(at, plan, task, caller, actor=actor, tell=tell)
        ended = await carried_out(assembled)
        closing, n_judged = await with_verdict(at, options, task, journal, ended, await closing_of(assembled, ended))
    finally:
        if actor is not None:
            await actor.aclose()

    def close(c: Connection) -> None:
        journal.check(c)
        journal.put_thoughts(c, assembled.session.unwritten())
        close_trajectory(c, row.id, closing)

    await at.store.write(close, durable=paid)
    return Result(row, closing, caller.all_made + n_judged, db=at.store.path)


def _earlier(store: Store, plan: Plan, task: Task, client: Client, *, cache: bool) -> Earlier | None:
    """Return where answers may be taken from instead of asking: the trajectory this one is a fork of, then earlier runs."""
    before = Before(store, plan.fork.of, plan.fork.at) if plan.fork else None
    if before is None and not cache:
        return None

    def earlier(intent: Intent) -> Kept | None:
        if before is not None and (kept := before.answer(intent)) is not None:
            return kept
        if not cache:
            return None
        return cached(store, intent.request, fingerprint=client.fingerprint, sample=task.row.sample)

    return earlier
