"""kill -9 of the real command line, over every strategy, at random moments and at every named place of the journal.

After each kill: the file is sound, every call that was committed is still there with its answer and is never asked again, and no
request left without an intent before it. When the command comes to its end, its table and its graphs are those of a run that was never
killed. A server that honours idempotency keys bills nothing twice; with one that does not, every request over one has its `unknown`
row.

Four command lines are killed at once, in forked children (`tests/helpers/forks.py`); every tenth kill is of a freshly executed
`python -m reasoner`. `REASONER_KILLS` sets how many in all, `REASONER_CHAOS_SEED` repeats the printed seed.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from forks import Forks
from model_server import Ledger, ModelServer

from reasoner import registry
from reasoner.prompts import Prompts
from reasoner.registry import solver as find_solver
from reasoner.runs.few_shot import statement
from reasoner.runs.problems import draw, instance_of
from reasoner.store import Store
from reasoner.store.connection import connect
from reasoner.store.crash import POINTS

KILLS = int(os.environ.get("REASONER_KILLS", "24"))
AT_ONCE = 4 if KILLS > 50 else 2
COMMANDS = (
    ("number_path", "arithmetic", "-n", "4", "--strategy", "direct,cot,ats"),
    ("number_path", "-n", "2", "--strategy", "self_consistency:n=3,best_of_n:n=2,iot:max_rounds=2"),
    ("number_path", "-n", "2", "--strategy", "self_consistency(ats):n=2,best_of_n(cot:shots=1):n=2,iot(cot):max_rounds=2"),
    ("number_path", "-n", "2", "--strategy", "tot:breadth=2,depth=2,candidates=3,value_samples=2"),
    ("number_path", "-n", "2", "--strategy", "react,code_act"),
    ("number_path", "-n", "2", "--strategy", "beam:width=2,expand=2,depth=2,form=words,mcts:simulations=2,expand=2,depth=2,form=words"),
    ("number_path", "-n", "2", "--strategy", "draft:form=words,program:head=words,repair,refine"),
    ("translation", "-n", "3", "--strategy", "fragment_shot,fragment_shot_pivot,example_shot"),
)
SOLVERS = ("number_path", "arithmetic")


def right_answers() -> dict[str, str]:
    """The right answer line by statement, for every second problem of the bench."""
    found = {}
    for name in SOLVERS:
        solver = find_solver(name)
        for problem in draw(name, n=30, seed=0)[::2]:
            instance = instance_of(solver, problem)
            path = solver.solve(instance)
            found[statement(solver, instance, Prompts())] = solver.answer(instance, path)
    return found


def answering() -> Any:
    """A model that says something usable to every prompt of every strategy, by the prompt alone."""
    answers = right_answers()

    def answer(asked: str) -> str:
        mark = int(hashlib.sha256(asked.encode()).hexdigest()[:4], 16)
        line = next((line for question, line in answers.items() if question in asked), "Answer: I do not know")
        if "Value: WORD" in asked:
            return f"Thinking.\nValue: {('sure', 'likely', 'impossible')[mark % 3]}"
        if "Rating: N" in asked:
            return f"Checked.\nRating: {mark % 11}"
        if "different steps that could come next" in asked:
            return "\n".join(f"{i}: {mark} -> {mark + i} (add {i})" for i in (1, 2, 3))
        if "The guide says" in asked:
            return json.dumps({"response": f"I try {mark}.\n{line}", "done": mark % 4 == 0})
        if "your next thought" in asked:
            return json.dumps({"thought": f"Look at {mark}.", "stop": mark % 5 == 0})
        return f"1: some step (try)\n{line}"

    return answer


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[bool, ModelServer]]:
    """By whether idempotency keys are honoured."""
    with ModelServer(answering(), keyed=True) as keyed, ModelServer(answering()) as keyless:
        yield {True: keyed, False: keyless}


def bench(command: tuple[str, ...], url: str, db: Path) -> list[str]:
    # Whoever kills here does so at random: nothing is to be set aside for it.
    options = ["--model", "openai:m", "--base-url", url, "--db", str(db), "--json", "--concurrency", "4", "--retry-poisoned"]
    return ["bench", *command, *options]


def table(output: str) -> list[dict[str, Any]]:
    return [{k: v for k, v in row.items() if k != "seconds"} for row in json.loads(output)["rows"]]


def graphs(db: Path) -> list[tuple[Any, ...]]:
    """What came of every trajectory, its graph by a hash over texts, scores and statuses, without what names the run."""
    with Store.open(db) as store:
        return store.tuples(
            "SELECT t.strategy, t.problem_id, t.sample, t.status, t.answer, t.calls, t.prompt_tokens, t.completion_tokens, t.error_kind,"
            " v.correct, v.reason, t.dag_hash, (SELECT count(*) FROM thoughts WHERE trajectory_id = t.id)"
            " FROM trajectories t LEFT JOIN verdicts v ON v.trajectory_id = t.id ORDER BY 1, 2, 3"
        )


def test_the_commands_hold_every_strategy() -> None:
    named = {word for command in COMMANDS for word in command[-1].replace("(", ",").replace(")", ",").replace(":", ",").split(",")}
    # `plain` is for conversations, which no command line names; the constraint of `guided` cannot be sent to a server.
    assert set(registry.names("strategy")) - {"plain", "guided"} <= named


@dataclass
class Tally:
    """What all threads have seen together."""

    killed: Counter[str] = field(default_factory=Counter)
    struck: Counter[str] = field(default_factory=Counter)
    """Strategies that had a call under way at a kill."""
    finished: int = 0
    unknown: int = 0
    doubled: int = 0
    broken: bool = False
    """Whether a thread has found a promise broken: the others then stop."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def kills(self) -> int:
        return sum(self.killed.values())

    @property
    def goes_on(self) -> bool:
        return self.kills < KILLS and not self.broken


@dataclass
class Slot:
    """One command line that is killed and started again until it ends, then the next."""

    number: int
    seed: int
    folder: Path
    forks: Forks
    servers: dict[bool, ModelServer]
    plain: dict[tuple[str, ...], tuple[Any, Any]]
    tally: Tally
    done: dict[str, str] = field(default_factory=dict)
    """Key of every committed call, and the hash of its answer."""

    def work(self) -> None:
        rng = random.Random(f"{self.seed}/{self.number}")
        rounds = 0
        while self.tally.goes_on:
            keyed = rounds % 2 == self.number % 2
            command = COMMANDS[(self.number + rounds) % len(COMMANDS)]
            self._round(rng, command, f"s{self.number}r{rounds}", keyed=keyed)
            rounds += 1

    def _round(self, rng: random.Random, command: tuple[str, ...], name: str, *, keyed: bool) -> None:
        server = self.servers[keyed]
        server.delay_s = 0.03
        db = self.folder / f"{name}.db"
        args = bench(command, server.url(name), db)
        self.done = {}
        while self.tally.goes_on and self._killed(rng, args, db):
            self._check(db, server.ledger(name), keyed=keyed)
        ended = self.forks.run(args, cwd=self.folder)  # to its end, or read back when it got there
        assert ended.code == 0, f"{name}: {ended.err}"
        assert (table(ended.out), graphs(db)) == self.plain[command], name
        self._check(db, server.ledger(name), keyed=keyed, ended=True)
        with self.tally.lock:
            self.tally.finished += 1
        for path in self.folder.glob(f"{name}.db*"):
            path.unlink()

    def _killed(self, rng: random.Random, args: list[str], db: Path) -> bool:
        """Start the command and have it killed; False when it came to its end before that."""
        point, at = "", rng.randint(1, 8)
        if rng.random() < 0.5:
            # The schema is made once; everything else is passed again and again.
            point = rng.choice(POINTS) if not db.exists() else rng.choice(POINTS[1:])
            at = 1 if point == "in_migration" else at
        env = {"REASONER_CRASH_AT": f"{point}:{at}"} if point else {}
        fresh = rng.random() < 0.1
        how = point or "random moment"
        if fresh:
            child = subprocess.Popen(
                [sys.executable, "-m", "reasoner", *args], env={**os.environ, **env}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
            )
            if not point:
                time.sleep(rng.uniform(0.5, 2.5))
                child.kill()
            _, said = child.communicate(timeout=300)
            code = child.returncode
        else:
            forked = self.forks.start(args, cwd=self.folder, env=env)
            if not point:
                time.sleep(rng.uniform(0.0, 0.9))
                os.kill(forked.pid, signal.SIGKILL)  # not reaped before `wait`, so the number is still its own
            ended = forked.wait()
            code, said = ended.code, ended.err.encode()
        assert code in {0, -signal.SIGKILL}, said
        if code == 0:
            return False
        with self.tally.lock:
            self.tally.killed[how + (" (executed)" if fresh else "")] += 1
        return True

    def _check(self, db: Path, ledger: Ledger, *, keyed: bool, ended: bool = False) -> None:
        asked, billed = dict(ledger.asked), dict(ledger.billed)
        if not db.exists():
            assert not asked
            return
        connection = connect(db)
        try:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
            if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'calls'").fetchall():
                assert not asked
                return
            rows = connection.execute(
                "SELECT key, sum(state = 'done'), sum(state <> 'done'), sum(state = 'unknown') FROM calls GROUP BY key"
            )
            calls = {key: (done, other, unknown) for key, done, other, unknown in rows.fetchall()}
            answers = connection.execute("SELECT c.key, m.hash FROM calls c JOIN messages m ON m.id = c.reply_id WHERE c.state = 'done'")
            done = dict(answers.fetchall())
            under_way = connection.execute(
                "SELECT DISTINCT t.strategy FROM calls c JOIN trajectories t ON t.id = c.trajectory_id WHERE c.state = 'intent'"
            ).fetchall()
        finally:
            connection.close()
        assert self.done.items() <= done.items(), "a committed call was lost or changed"
        self.done = done
        assert set(asked) <= set(calls), "asked without an intent"
        for key, n_asked in asked.items():
            done_rows, other, _ = calls[key]
            assert done_rows <= 1
            assert n_asked <= done_rows + other, f"{key} was asked {n_asked} times and has {calls[key]} rows"
        assert not keyed or max(billed.values(), default=0) <= 1, "paid twice"
        with self.tally.lock:
            self.tally.struck.update(strategy for (strategy,) in under_way)
            if ended:
                self.tally.unknown += sum(unknown for *_, unknown in calls.values())
                self.tally.doubled += sum(n - 1 for n in asked.values() if n > 1)


@pytest.mark.slow
def test_killed_at_random_moments_and_at_every_named_place(tmp_path: Path, servers: dict[bool, ModelServer]) -> None:
    seed = int(os.environ.get("REASONER_CHAOS_SEED", random.SystemRandom().randrange(10**6)))
    print(f"REASONER_CHAOS_SEED={seed}")  # noqa: T201 - pytest shows it when the test fails
    plain: dict[tuple[str, ...], tuple[Any, Any]] = {}
    tally = Tally()
    with Forks() as forks:
        for number, command in enumerate(COMMANDS):
            ended = forks.run(bench(command, servers[True].url(f"plain{number}"), tmp_path / f"plain{number}.db"), cwd=tmp_path)
            assert ended.code == 0, ended.err
            plain[command] = (table(ended.out), graphs(tmp_path / f"plain{number}.db"))
            billed = servers[True].ledger(f"plain{number}").billed
            assert sum(billed.values()) == len(billed) == sum(row["calls"] for row in plain[command][0])
    with ThreadPoolExecutor(AT_ONCE) as pool:

        def slot(number: int) -> None:
            with Forks() as own:
                try:
                    Slot(number, seed, tmp_path, own, servers, plain, tally).work()
                except BaseException:
                    tally.broken = True
                    raise

        for future in [pool.submit(slot, number) for number in range(AT_ONCE)]:
            future.result()
    figures = {"kills": tally.kills, "runs": tally.finished, "requests over one": tally.doubled, "unknown rows": tally.unknown}
    print(json.dumps(figures), dict(tally.killed), dict(tally.struck))  # noqa: T201 - the measure of the full run
    assert tally.kills >= KILLS
    assert tally.doubled <= tally.unknown
    if KILLS >= 500:
        assert set(POINTS) <= set(tally.killed)
        assert {name for command in COMMANDS for name in ("direct", "cot", "tot", "iot") if name in command[-1]} <= {
            strategy.split(":")[0].split("(")[0] for strategy in tally.struck
        }


@pytest.mark.parametrize("point", POINTS)
def test_each_named_place_kills_and_the_same_command_goes_on(
    tmp_path: Path, servers: dict[bool, ModelServer], forks: Forks, point: str
) -> None:
    """Every place once, with what must be in the file after it."""
    servers[True].delay_s = 0.0
    args = bench(("number_path", "-n", "2", "--strategy", "cot"), servers[True].url(point), tmp_path / "t.db")
    killed = forks.run([*args, "--concurrency", "1"], cwd=tmp_path, env={"REASONER_CRASH_AT": point})
    assert killed.code == -signal.SIGKILL, killed
    connection = connect(tmp_path / "t.db")
    found: dict[str, int] = {}
    if point != "in_migration":
        found = dict(connection.execute("SELECT state, count(*) FROM calls GROUP BY state").fetchall())
    else:
        assert connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'calls'").fetchone() == (0,)
    connection.close()
    asked = sum(servers[True].ledger(point).asked.values())
    if point in {"in_migration", "before_intent"}:
        assert (found, asked) == ({}, 0)
    elif point == "after_intent":
        assert found.keys() == {"intent"}
        assert asked < sum(found.values())
    elif point in {"before_done", "in_done"}:
        assert "done" not in found
        assert asked >= 1
    else:
        assert found["done"] >= 1
    ended = forks.run(args, cwd=tmp_path)
    assert ended.code == 0, ended.err
    ledger = servers[True].ledger(point)
    assert sorted(ledger.billed.values()) == [1, 1]


@pytest.mark.parametrize(
    ("sent", "sigint"),
    [(signal.SIGINT, "SIG_DFL"), (signal.SIGTERM, "SIG_DFL"), (signal.SIGTERM, "SIG_IGN")],
    ids=["ctrl-c", "terminated", "terminated as a background job"],
)
def test_an_interrupt_leaves_a_resumable_run(tmp_path: Path, servers: dict[bool, ModelServer], sent: signal.Signals, sigint: str) -> None:
    # What a process does at SIGINT is inherited, and tests may themselves run in the background: say it.
    start = f"import os, signal, sys; signal.signal(signal.SIGINT, signal.{sigint}); os.execv(sys.argv[1], sys.argv[1:])"
    server, part = servers[False], f"i{sent}{sigint}"
    server.delay_s = 0.15
    args = bench(("number_path", "arithmetic", "-n", "10", "--strategy", "cot,ats"), server.url(part), tmp_path / "c.db")
    command = [sys.executable, "-m", "reasoner", *args]
    ledger = server.ledger(part)
    child = subprocess.Popen([sys.executable, "-c", start, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while sum(ledger.asked.values()) < 8 and child.poll() is None:
        time.sleep(0.05)
    child.send_signal(sent)
    _, said = child.communicate(timeout=60)
    assert child.returncode == 130, said
    assert "interrupted" in said
    assert "same command" in said
    assert "Traceback" not in said
    with Store.open(tmp_path / "c.db") as store:
        assert store.rows("SELECT status FROM runs") == [{"status": "interrupted"}]
        done = store.rows("SELECT count(*) AS n FROM calls WHERE state = 'done'")[0]["n"]
        assert store.rows("SELECT count(*) AS n FROM calls WHERE state = 'intent'") == [{"n": 0}]
    before = sum(ledger.asked.values())
    server.delay_s = 0.0
    again = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert again.returncode == 0, again.stderr
    assert sum(ledger.asked.values()) == before + 40 - done
