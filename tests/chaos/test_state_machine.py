"""Starting, stepping, killing, resuming, forking, closing and reading runs in any order, against a dictionary that says what must be there.

A process that dies is played by leaving its rows as they are and giving its worker the identity of a process that has ended. What the
model answers is unique, so that an answer given twice, lost or mixed up shows. `REASONER_STATE_EXAMPLES` sets how many examples are run
(full tier: 2,000, of 50 steps each).
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from reasoner.budget import Budget, Limits, Spent
from reasoner.calling.caller import Caller, Channel
from reasoner.calling.limiter import Limiter
from reasoner.clients.scripted import ScriptedClient
from reasoner.prompts import Prompts
from reasoner.session import Rules, Session
from reasoner.store import Store
from reasoner.store.claims import TrajectoryRow, Worker, claim, leave
from reasoner.store.earlier import Before
from reasoner.store.journal import Journal
from reasoner.store.queries import load_trajectory, trajectory_row
from reasoner.store.records import Closing, close_trajectory, start_run
from reasoner.store.spending import used
from reasoner.trajectory import Thought, Trajectory
from reasoner.types import Completion, Problem, Usage

EXAMPLES = int(os.environ.get("REASONER_STATE_EXAMPLES", "200"))
STEPS = 50 if EXAMPLES >= 2000 else 12

FOLDER = Path(tempfile.mkdtemp(prefix="reasoner-state-"))
NUMBERS = itertools.count()


class Death(BaseException):
    """Stands for a kill while a call is under way: no handler of the program may meet it."""


def gone() -> str:
    """Return the id of a process that has ended."""
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return str(child.pid)


@pytest.fixture(scope="module", autouse=True)
def _places() -> Any:
    (FOLDER / "prompts" / "toy").mkdir(parents=True)
    head = '+++\nversion = 1\nvariables = ["statement", "hint"]\n+++\n'
    (FOLDER / "prompts" / "toy" / "ask.jinja").write_text(head + "{% block user %}{{ statement }} {{ hint }}{% endblock %}")
    Store.open(FOLDER / "empty.db").close()
    Machine.dead_pid = gone()
    yield
    shutil.rmtree(FOLDER)


@dataclass
class Expected:
    """What must be known of a trajectory. `texts` are its answers in order, the first `taken` of them another's."""

    id: str
    run: str
    problem: Problem
    texts: list[str] = field(default_factory=list)
    taken: int = 0
    lost: int = 0
    closed: bool = False
    fork: tuple[str, str] | None = None


@dataclass
class Live:
    """A trajectory this process has claimed."""

    session: Session
    journal: Journal
    caller: Caller
    last: Thought


class Machine(RuleBasedStateMachine):
    """One process after another at work on one file."""

    dead_pid = ""

    def __init__(self) -> None:
        super().__init__()
        self.path = FOLDER / f"{next(NUMBERS)}.db"
        shutil.copy(FOLDER / "empty.db", self.path)
        self.store = Store.open(self.path)
        self.prompts = Prompts(FOLDER / "prompts")
        self.workers: dict[str, Worker] = {}
        self.live: dict[str, Live] = {}
        self.all: dict[str, Expected] = {}
        self.manifests: dict[str, dict[str, Any]] = {}
        self.asked: Counter[str] = Counter()
        self.answers = itertools.count()

    def teardown(self) -> None:
        for run in set(self.manifests) - set(self.workers):
            self._open(self.manifests[run])
        for worker in self.workers.values():
            self.store.write_now(lambda c, worker=worker: leave(c, worker))  # type: ignore[misc]
        assert self.store.rows("SELECT count(*) AS n FROM workers") == [{"n": 0}]
        assert self.store.rows("PRAGMA integrity_check") == [{"integrity_check": "ok"}]
        self.store.close()
        for path in FOLDER.glob(f"{self.path.name}*"):
            path.unlink()

    def _open(self, manifest: dict[str, Any]) -> str:
        row = start_run(self.store, manifest, limits=Limits(calls=10_000))
        self.workers[row.id], self.manifests[row.id] = row.worker, manifest
        return row.id

    def _new(self, run: str, fork: tuple[str, str] | None = None) -> Expected:
        number = len(self.all)
        made = Expected(f"{number:016x}", run, Problem("toy", f'{{"x":{number}}}', "1"), fork=fork)
        self.all[made.id] = made
        return made

    def _pick(self, number: int, *, closed: bool = False) -> Expected:
        fitting = [each for each in self.all.values() if each.closed == closed]
        return fitting[number % len(fitting)]

    def _client(self, *, dies: bool = False) -> ScriptedClient:
        def answer(request: Any) -> Completion:
            self.asked[request.key] += 1
            if dies:
                raise Death
            return Completion(f"answer {next(self.answers)}", usage=Usage(1, 1))

        return ScriptedClient(answer)

    async def _claimed(self, of: Expected) -> Live:
        """Return a trajectory as this process works on it, after replaying what is committed; that must ask nothing."""
        if of.id in self.live:
            return self.live[of.id]
        if of.run not in self.workers:
            self._open(self.manifests[of.run])
        row = TrajectoryRow(of.id, of.run, of.problem, "toy", "{}", "m", "m", 0, *(of.fork or ()))
        made = await self.store.write(lambda c: claim(c, row, self.workers[of.run], alone=True, retry_poisoned=True))
        assert made.state == "ours"
        journal = Journal(self.store, run_id=of.run, trajectory_id=of.id, epoch=made.epoch, durable=False)
        before = Before(self.store, *of.fork) if of.fork else None
        channel = Channel(self._client(), Limiter(1))
        caller = Caller(channel, journal, Budget(), jitter=random.Random(0), earlier=before.answer if before else None)
        session = Session(of.problem, Trajectory(of.id, root_text="one?"), caller, prompts=self.prompts, rules=Rules(seed=of.id))
        asked = self.asked.total()
        last = session.root
        for n, text in enumerate(of.texts):
            last = await session.ask("toy/ask", parent=last, hint=str(n))
            assert last.text == text
        assert self.asked.total() == asked, "a replay asked a model"
        self.live[of.id] = Live(session, journal, caller, last)
        return self.live[of.id]

    def _die(self) -> None:
        """End this process without a word."""
        for run, worker in self.workers.items():
            name = worker.id.replace(f"|{os.getpid()}|", f"|{self.dead_pid}|")
            self.store.write_now(lambda c, name=name, worker=worker: c.execute("UPDATE workers SET id = ? WHERE id = ?", (name, worker.id)))  # type: ignore[misc]
            self.store.write_now(
                lambda c, name=name, worker=worker, run=run: c.execute(  # type: ignore[misc]
                    "UPDATE trajectories SET owner = ? WHERE run_id = ? AND owner = ?", (name, run, worker.id)
                )
            )
        self.workers, self.live = {}, {}
        self.store.close()
        self.store = Store.open(self.path)

    @rule(n=st.integers(1, 3))
    def start(self, n: int) -> None:
        run = self._open({"start": len(self.manifests)})
        for _ in range(n):
            self._new(run)

    @precondition(lambda self: any(not each.closed for each in self.all.values()))
    @rule(which=st.integers(0, 99), n=st.integers(1, 2))
    def step(self, which: int, n: int) -> None:
        of = self._pick(which)

        async def work() -> None:
            at = await self._claimed(of)
            for _ in range(n):
                at.last = await at.session.ask("toy/ask", parent=at.last, hint=str(len(of.texts)))
                of.texts.append(at.last.text)

        asyncio.run(work())

    @precondition(lambda self: any(not each.closed for each in self.all.values()))
    @rule(which=st.integers(0, 99))
    def die_while_asking(self, which: int) -> None:
        of = self._pick(which)

        async def work() -> None:
            at = await self._claimed(of)
            at.caller.client = self._client(dies=True)
            await at.session.ask("toy/ask", parent=at.last, hint=str(len(of.texts)))

        with pytest.raises(Death):
            asyncio.run(work())
        of.lost += 1
        self._die()

    @rule()
    def kill(self) -> None:
        self._die()

    @precondition(lambda self: self.manifests)
    @rule(which=st.integers(0, 99))
    def resume(self, which: int) -> None:
        run = list(self.manifests)[which % len(self.manifests)]
        if run in self.workers:
            return
        assert self._open(self.manifests[run]) == run
        sql = "SELECT count(*) AS n FROM calls c JOIN trajectories t ON t.id = c.trajectory_id WHERE t.run_id = ? AND c.state = 'intent'"
        assert self.store.rows(sql, (run,)) == [{"n": 0}]

    @precondition(lambda self: any(each.texts for each in self.all.values()))
    @rule(which=st.integers(0, 99), at=st.integers(0, 99))
    def fork(self, which: int, at: int) -> None:
        source = [each for each in self.all.values() if each.texts][which % sum(bool(each.texts) for each in self.all.values())]
        kept = at % len(source.texts)
        dag = load_trajectory(self.store, source.id)
        thought = [t for t in dag.thoughts() if t.finish_reason][kept]
        run = self._open({"fork": len(self.manifests)})
        made = self._new(run, (source.id, thought.id))

        async def work() -> None:
            live = await self._claimed(made)
            asked = self.asked.total()
            for n in range(kept):
                live.last = await live.session.ask("toy/ask", parent=live.last, hint=str(n))
                made.texts.append(live.last.text)
            assert self.asked.total() == asked
            live.last = await live.session.ask("toy/ask", parent=live.last, hint=str(kept))
            made.texts.append(live.last.text)
            assert self.asked.total() == asked + 1

        asyncio.run(work())
        made.taken = kept
        assert made.texts[:kept] == source.texts[:kept]
        assert made.texts[kept] not in source.texts

    @precondition(lambda self: any(not each.closed for each in self.all.values()))
    @rule(which=st.integers(0, 99))
    def close(self, which: int) -> None:
        of = self._pick(which)

        async def work() -> None:
            at = await self._claimed(of)
            closing = Closing("closed", Spent(calls=len(of.texts)), at.session.trajectory.hash(), answer=of.texts[-1] if of.texts else None)

            def job(c: Any) -> None:
                at.journal.check(c)
                at.journal.put_thoughts(c, at.session.unwritten())
                close_trajectory(c, of.id, closing)

            await self.store.write(job)

        asyncio.run(work())
        of.closed = True
        self.live.pop(of.id)

    @precondition(lambda self: any(each.closed for each in self.all.values()))
    @rule(which=st.integers(0, 99))
    def export(self, which: int) -> None:
        of = self._pick(which, closed=True)
        row = trajectory_row(self.store, of.id) or {}
        dag = load_trajectory(self.store, of.id)
        assert dag.hash() == row["dag_hash"]
        assert [t.text for t in dag.thoughts() if t.finish_reason] == of.texts
        assert row["answer"] == (of.texts[-1] if of.texts else None)

    @invariant()
    def the_file_holds_what_is_expected(self) -> None:
        rows = self.store.rows(
            "SELECT c.trajectory_id, c.key, c.state, c.cached_from, c.epoch, t.run_id, m.content FROM calls c"
            " JOIN trajectories t ON t.id = c.trajectory_id LEFT JOIN messages m ON m.id = c.reply_id ORDER BY c.id"
        )
        for of in self.all.values():
            mine = [row for row in rows if row["trajectory_id"] == of.id]
            assert [row["content"] for row in mine if row["state"] == "done"] == of.texts
            assert sum(row["cached_from"] is not None for row in mine) == of.taken
            assert sum(row["state"] in {"unknown", "intent"} for row in mine) == of.lost
        made = Counter(row["key"] for row in rows if row["cached_from"] is None)
        assert made == self.asked, "every request is a row, and every row a request"
        for run in self.workers:
            known = [row for row in rows if row["run_id"] == run and row["cached_from"] is None and row["state"] != "intent"]
            counted = self.store.write_now(lambda c, run=run: used(c, run))[0]  # type: ignore[misc]
            assert counted == len(known)
            assert self.store.rows("SELECT used_calls FROM runs WHERE id = ?", (run,)) == [{"used_calls": counted}]


@pytest.mark.slow
def test_any_order_of_events_agrees_with_the_dictionary() -> None:
    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=EXAMPLES, stateful_step_count=STEPS, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True
        ),
    )
