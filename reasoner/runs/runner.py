"""Carry out a plan: problems x strategies x models x samples, resumably, in one process or several.

    async with open_run(plan, ["teacher"], RunOptions(), db="trajectories.db") as run:
        async for event in run:  # Started, Note, ThoughtAdded, TrajectoryClosed
            ...
        run.report

A run is found again by its manifest (see `reasoner.runs.plan`): closed trajectories are read back, open ones resume at the next
uncommitted call, failed ones are tried again. Processes that are given the same run share it: each claims a trajectory at a time, and
at the end waits for what the others have.
"""

from __future__ import annotations

import asyncio
from array import array
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, suppress
from itertools import count, repeat
from typing import TYPE_CHECKING

from reasoner.calling.caller import Channel, UnknownPolicy
from reasoner.calling.retry import RetryPolicy
from reasoner.errors import Abandoned, BadConfig, ReasonerError, first_fault
from reasoner.runs.assemble import Task, Workshop, trajectory_id
from reasoner.runs.events import Note, PieceCame, Started, ThoughtAdded, TrajectoryClosed, Watch
from reasoner.runs.heartbeat import beating
from reasoner.runs.opening import opened_plan
from reasoner.runs.options import RunOptions
from reasoner.runs.pool import ModelPool
from reasoner.runs.results import Ids, Report, Result, StoredResults, stored_result
from reasoner.runs.saved_plan import saved_plan_json
from reasoner.runs.trajectory_work import carry_out
from reasoner.runs.unfinished import unfinished_first
from reasoner.store import Store
from reasoner.store.actions import decide, waiting
from reasoner.store.claims import SHARED_BUDGET, TrajectoryRow, claim, pid_of
from reasoner.store.queries import trajectory_row
from reasoner.store.records import RunStatus, close_run, starting
from reasoner.store.run_queries import closed_places, inside_thought, run_of_trajectory
from reasoner.types import Selective
from reasoner.version import __version__

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from reasoner.calling.actor import ActionAsked
    from reasoner.calling.hearing import Heard
    from reasoner.runs.events import Event
    from reasoner.runs.plan import Plan
    from reasoner.runs.tool_plan import OpenTools
    from reasoner.store.connection import Connection
    from reasoner.store.records import RunRow
    from reasoner.trajectory import Thought
    from reasoner.types import Client

KEPT_RESULTS = 2_000
"""So many results are kept in memory; those of a longer run are read back from the database when they are asked for."""

LOOK_AGAIN_S = 0.25
"""How long to wait before looking again whether another process has finished what it claimed, in seconds."""


@asynccontextmanager
async def open_run(
    plan: Plan,
    models: Sequence[str | Client],
    options: RunOptions | None = None,
    *,
    db: Path | str | Store | None = None,
    pool: ModelPool | None = None,
    tools: OpenTools | None = None,
    thoughts: bool = False,
    pieces: bool = False,
    tell: Callable[[Event], None] | None = None,
) -> AsyncIterator[Run]:
    """Open what a plan needs and the run's row; close what was opened at the end. Leaving early parks the run: it can be resumed.

    Args:
        plan: what the run is.
        models: names, or open clients, which are left open.
        options: how it is carried out.
        db: the database file (default: `REASONER_DB`, else `trajectories.db`), or an open store, which is left open.
        pool: open models shared with other runs; None opens and closes its own.
        tools: the open tools of the plan, shared with other runs; None opens and closes its own.
        thoughts: tell thoughts too, as they arrive.
        pieces: tell the pieces of answers too, while they are written.
        tell: told how far a model's preparation is, while it goes on; without it that is among the run's first events.

    Raises:
        ReasonerError: see `reasoner.errors`; nothing was asked.
    """
    options = options or RunOptions()
    async with AsyncExitStack() as stack:
        shared = pool if pool is not None else await stack.enter_async_context(ModelPool())
        made = await stack.enter_async_context(opened_plan(plan, models, options, pool=shared, tools=tools, tell=tell))
        plan = made.plan
        store = db if isinstance(db, Store) else stack.enter_context(Store.open(db))
        row = await _begun(store, starting(
            made.manifest(options), plan=saved_plan_json(store, plan, models, options, forms=made.forms), limits=options.run_limits,
            command=options.command, version=__version__, parent=_parent(store, plan), run_id=options.run, fresh=options.mode == "fresh",
            lease_s=options.lease_s,
        ))  # fmt: skip
        unknown = UnknownPolicy(options.on_unknown, options.confirm)

        def channel(client: Client) -> Channel:
            price, retry = options.prices.get(client.name), options.retry or RetryPolicy()
            return Channel(client, shared.limiter(client), price, retry, unknown, options.wanted, options.renew)

        judging = {name: channel(client) for name, client in made.judges.items()}
        scoring = {names: channel(client) for names, client in made.scorers.items()}
        at = Workshop(store, made.prompts, [*map(channel, made.clients)], made.tools.tools, judging, scoring)
        watch = Watch(thoughts=thoughts, pieces=pieces)
        run = Run(plan, options, at, row, notes=[*made.notes, *_notes_of(row)], watch=watch)
        try:
            with beating(store, row.worker):
                yield run
        finally:
            try:
                await run.stop()
            finally:  # also where the loop is being closed around it
                close_run(store, row, run.status)


async def _begun(store: Store, begin: Callable[[Connection], RunRow]) -> RunRow:
    """Write a run's row without holding up the event loop. It is written even if the run is cancelled meanwhile, and then closed again."""
    writing = asyncio.ensure_future(store.write(begin))
    try:
        return await asyncio.shield(writing)
    except asyncio.CancelledError:
        while not writing.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait({writing})
        if writing.exception() is None:
            close_run(store, writing.result(), "interrupted")
        raise


def _parent(store: Store, plan: Plan) -> str | None:
    """Return the run that a plan continues or forks."""
    return plan.continues or (run_of_trajectory(store, plan.fork.of) if plan.fork else None)


def _notes_of(row: RunRow) -> Iterator[str]:
    """Say what a user should know before a run begins."""
    if row.differs:
        parts = "; ".join(row.differs[1:])
        yield f"run {row.differs[0]} had the same command and is not finished; this is a new run, since it differs in {parts}"
    if row.others:
        yield f"run {row.id} is also worked on by process {', '.join(map(pid_of, row.others))}: the trajectories are shared"


class Run:
    """A run that is open. Iterate it once, to the end, for its events; then `report` says what came of it."""

    def __init__(
        self,
        plan: Plan,
        options: RunOptions,
        workshop: Workshop,
        row: RunRow,
        *,
        notes: Sequence[str] = (),
        watch: Watch | None = None,
    ) -> None:
        self.id = row.id
        self.resumed = row.resumed
        self.status: RunStatus = "interrupted"
        """How the run stands: `finished` and `exhausted` only once it was iterated to the end."""
        self._plan = plan
        self._options = options
        self._workshop = workshop
        self._row = row
        self._watch = watch or Watch()
        self._report: Report | None = None
        self._events: asyncio.Queue[Event | None] = asyncio.Queue()
        self._work: asyncio.Future[Report] | None = None
        self._results: dict[int, Result] = {}
        self._new_calls = array("Q")  # by place; what is not there yet has none
        self._cut_short = 0
        self._busy: list[Task] = []
        self._suspects: list[Task] = []
        self._parked: dict[str, Task] = {}
        self._first = True  # later looks take what other processes made of their trajectories as it is
        for note in notes:
            self._events.put_nowait(Note(note))

    @property
    def calls_under_way(self) -> int:
        """How many calls its models are making now; where a model is shared with other runs, theirs too."""
        made = self._workshop
        limiters = {id(one.limiter): one.limiter for one in (*made.channels, *made.judges.values(), *made.scorers.values())}
        return sum(limiter.in_flight for limiter in limiters.values())

    @property
    def report(self) -> Report:
        """What came of the run.

        Raises:
            BadConfig: it was not iterated to its end.
        """
        if self._report is None:
            raise BadConfig(f"run {self.id} has not ended", hint="iterate it to the end first: async for event in run")
        return self._report

    def trajectory_ids(self) -> Sequence[str]:
        """Return the ids of all trajectories of the plan, in its order; they are known before the first call."""
        return Ids(task.row.id for task in self._tasks())

    async def __aiter__(self) -> AsyncGenerator[Event, None]:
        """Carry the run out and yield what happens.

        Raises:
            ReasonerError: a fault the next problem would meet too (see `stops_run`); the run is left resumable.
        """
        if self._work is not None:
            raise BadConfig(f"run {self.id} is iterated a second time", hint="open it again; what is done is read back")
        self._work = asyncio.ensure_future(self._all())
        self._work.add_done_callback(lambda _: self._events.put_nowait(None))
        while (event := await self._events.get()) is not None:
            yield event
            self._events.task_done()
        try:
            self._report = await self._work
        except Abandoned:
            raise
        except ReasonerError:
            self.status = "failed"
            raise
        self.status = "exhausted" if self._report.cut_short else "interrupted" if self._report.waiting else "finished"

    def decide(self, asked: ActionAsked, *, allow: bool, reason: str = "") -> None:
        """Decide on an action that was asked about; its trajectory goes on before the run ends.

        Raises:
            BadConfig: it does not wait any more.
        """
        decide(self._workshop.store, asked.action_id, "approved" if allow else "denied", reason=reason)

    async def finish(self) -> Report:
        """Carry the run out without looking at its events."""
        async with aclosing(self.__aiter__()) as events:
            async for _ in events:
                pass
        return self.report

    async def stop(self) -> None:
        """Stop what is under way; its trajectories stay open and resume at the next uncommitted call."""
        if self._work is not None:
            self._work.cancel()  # also takes in the fault of work that ended before anybody asked for it
            await asyncio.gather(self._work, return_exceptions=True)

    def _tasks(self) -> Iterator[Task]:
        """Yield what the plan holds, in its order, without holding it."""
        plan, place = self._plan, count()
        fork = (plan.fork.of, plan.fork.at) if plan.fork else ()
        for channel in self._workshop.channels:
            client = channel.client
            for spec in plan.strategies:
                for problem in plan.problems:
                    for sample in range(plan.samples):
                        name = trajectory_id(self.id, problem, spec, client, sample)
                        row = TrajectoryRow(
                            name, self.id, problem, spec.label, spec.params, client.name, client.fingerprint, sample, *fork
                        )  # fmt: skip
                        yield Task(row, spec, channel, next(place))

    async def _all(self) -> Report:
        plan, channels = self._plan, self._workshop.channels
        kept = self._kept()
        total = len(channels) * len(plan.strategies) * len(plan.problems) * plan.samples
        self._events.put_nowait(Started(self.id, total - len(kept), self.resumed))
        # Twice as many trajectories as calls: while one waits for its answer another can prepare its next call.
        places = max(2, 2 * sum(channel.client.concurrency for channel in channels))
        left: Iterable[Task] = (task for task in self._tasks() if task.row.id not in kept)
        todo = unfinished_first(self._workshop.store, iter(left), self._tasks) if self.resumed else left
        while True:
            self._busy, self._suspects = [], []
            await self._in_places(places, todo)
            for task in self._suspects:
                await self._one(task, alone=True)
            if self._busy and self._first:
                self._events.put_nowait(Note(f"waiting for {len(self._busy)} trajectories that another process works on"))
            todo, self._first = self._busy, False
            if not self._busy:
                break
            await asyncio.sleep(LOOK_AGAIN_S)
        while decided := await self._decided():
            await self._in_places(places, decided)
        ids = Ids(kept.get(task.row.id, task.row.id) for task in self._tasks())
        results = StoredResults(self._workshop.store.path, ids, {**self._results}, self._new_calls)
        inside = inside_thought(self._workshop.store, self.id)
        return Report(self.id, self.resumed, results, cut_short=self._cut_short, waiting=len(self._parked), inside_thought=inside)

    async def _decided(self) -> list[Task]:
        """Return the parked trajectories whose actions have been decided on, once whoever iterates has seen all events."""
        if self._parked:
            await self._events.join()
        return [task for task in self._parked.values() if not waiting(self._workshop.store, trajectory_id=task.row.id)]

    def _kept(self) -> dict[str, str]:
        """Return the trajectories that the run which this one continues has closed: the id it would have here -> the id it has."""
        if self._plan.continues is None:
            return {}
        there = closed_places(self._workshop.store, self._plan.continues)
        places = ((task.row.id, (task.row.problem.id, task.row.strategy, task.row.model, task.row.sample)) for task in self._tasks())
        return {name: there[place] for name, place in places if place in there}

    async def _in_places(self, n: int, tasks: Iterable[Task]) -> None:
        """Work on the tasks in their order, n at a time."""
        line = iter(tasks)

        async def work() -> None:
            for task in line:
                await self._one(task)

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(n):
                    group.create_task(work())
        except BaseExceptionGroup as faults:
            raise first_fault(faults) from faults

    async def _one(self, task: Task, *, alone: bool = False) -> None:
        """Make or read one trajectory, or note why that has to wait."""
        result = await self._made_or_read(task, alone=alone)
        if result is None:
            return
        self._parked.pop(task.row.id, None)
        if result.status == "open":
            self._parked[task.row.id] = task
        client = task.channel.client
        for note in client.take_notes() if isinstance(client, Selective) else ():
            self._events.put_nowait(Note(note))
        self._cut_short += result.error_kind == SHARED_BUDGET
        if result.new_calls:
            self._new_calls.extend(repeat(0, task.place + 1 - len(self._new_calls)))
            self._new_calls[task.place] = result.new_calls
        if len(self._results) < KEPT_RESULTS:
            self._results[task.place] = result
        self._events.put_nowait(TrajectoryClosed(result))

    async def _made_or_read(self, task: Task, *, alone: bool) -> Result | None:
        store, options, recheck = self._workshop.store, self._options, self._options.mode == "recheck"
        if not (self._first and not recheck and task.ended):
            how = {
                "recheck": recheck, "alone": alone, "retry_failed": self._first, "retry_poisoned": self._first and options.retry_poisoned
            }  # fmt: skip
            taken = await store.write(lambda c: claim(c, task.row, self._row.worker, **how), durable=False)
            if taken.state == "ours":
                tell = self._tell(task.row) if self._watch.thoughts else None
                hear = self._hear(task.row) if self._watch.pieces else None
                return await carry_out(self._plan, options, self._workshop, task, epoch=taken.epoch, tell=tell, decide=self._ask, hear=hear)
            if taken.state in {"busy", "suspect"}:
                (self._busy if taken.state == "busy" else self._suspects).append(task)
                return None
        row = trajectory_row(store, task.row.id)
        return None if row is None else stored_result(store, row)

    def _ask(self, asked: ActionAsked) -> bool | None:
        """Tell of an action that needs approval, and ask whoever runs this."""
        self._events.put_nowait(asked)
        return None if self._options.approve is None else self._options.approve(asked)

    def _hear(self, row: TrajectoryRow) -> Heard:
        return lambda attempt, part, text: self._events.put_nowait(PieceCame(row.id, row.sample, attempt, part, text))

    def _tell(self, row: TrajectoryRow) -> Callable[[Thought], None]:
        return lambda thought: self._events.put_nowait(ThoughtAdded(row.id, row.sample, thought))
