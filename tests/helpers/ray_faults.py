"""Faults while a run goes on over a Ray cluster, and what they cost: nothing lost, nothing twice, nothing paid again that a disk still holds.

    outcome = campaign(folder, seed=1, n_faults=10, shards=6, problems=2000)
    outcome.lost, outcome.twice, outcome.paid_again, outcome.paid_after_wipe, outcome.same_bytes

The run is `reasoner bench --on ray`, in a process of its own, against a loopback server that honours idempotency keys. A fault comes whenever the server was
asked so many more questions: a worker, a raylet, the head or the coordinator is killed, a node's disk is wiped, a worker is stopped for longer than its lease,
a sealed segment is torn. What dies is started again, as a cluster's keeper would.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from model_server import ModelServer
from ray_nodes import RayNodes, processes, wait_until
from shards import exported

KINDS = ("worker", "raylet", "head", "coordinator", "disk", "stop", "torn")
GRACE_S = 30.0


@dataclass
class Outcome:
    """What a campaign came to."""

    faults: Counter[str] = field(default_factory=Counter)
    expected: int = 0
    lost: int = 0
    """Calls that the merged store does not hold."""
    twice: int = 0
    """Calls that it holds more than once."""
    asked: int = 0
    unknown: int = 0
    """Questions asked again that were under way when something died: their answers were never committed."""
    paid_again: int = 0
    """Committed calls that were asked again, though no disk with them was wiped."""
    paid_after_wipe: int = 0
    most_after_one_wipe: int = 0
    wipes: int = 0
    same_bytes: bool = False
    seconds: float = 0.0
    told: list[str] = field(default_factory=list)

    def as_row(self, seed: int) -> dict[str, Any]:
        """Return it as a row of a table."""
        happened = " ".join(f"{kind}:{n}" for kind, n in sorted(self.faults.items()))
        names = (
            "expected", "lost", "twice", "asked", "unknown", "paid_again", "wipes", "paid_after_wipe", "most_after_one_wipe", "same_bytes", "seconds",
        )  # fmt: skip
        return {"seed": seed, "faults": happened} | {name: getattr(self, name) for name in names}


def committed(disk: Path) -> dict[str, set[str]]:
    """Return the keys of the calls whose answers a disk holds, by shard."""
    found: dict[str, set[str]] = {}
    for db in disk.glob("*/*/shard.db"):
        with suppress(sqlite3.Error), closing(sqlite3.connect(f"file:{db}?mode=ro", uri=True, timeout=5)) as store:
            found[db.parent.name] = {key for (key,) in store.execute("SELECT key FROM calls WHERE state = 'done'")}
    return found


class Campaign:
    """One run under faults."""

    def __init__(self, folder: Path, *, seed: int, shards: int, problems: int, nodes: int, lease_s: float, server: ModelServer) -> None:
        self.folder = folder
        self.rng = random.Random(seed)
        self.shards, self.problems, self.nodes = shards, problems, nodes
        self.server = server
        self.lease_s = lease_s
        self.made = Outcome()
        self.db = folder / "many.db"
        self.questions = folder / "questions.jsonl"
        rows = ({"question": f"What is {n} + {n}?", "answer": str(2 * n)} for n in range(problems))
        self.questions.write_text("".join(json.dumps(row) + "\n" for row in rows))
        self.cluster: RayNodes | None = None
        self.coordinator: subprocess.Popen[bytes] | None = None
        self.n_clusters = 0
        self.stopped: list[tuple[float, int]] = []
        self.before_wipe: list[tuple[set[str], Counter[str]]] = []
        self.kept: list[tuple[set[str], Counter[str]]] = []

    # -- what runs

    def line(self, db: Path, *more: str) -> list[str]:
        asked = ["bench", f"question:{self.questions}", "-n", "all", "--strategy", "direct", "--model", "openai:m"]
        command = [sys.executable, "-m", "reasoner", *asked]
        return [*command, "--base-url", self.server.url("a"), "--concurrency", "4", "--db", str(db), "--on-unknown", "retry", *more]

    def begin(self) -> None:
        """Start the cluster, where there is none, and the coordinator."""
        if self.cluster is None:
            self.n_clusters += 1
            home = self.folder / f"cluster{self.n_clusters}"
            home.mkdir()
            disks = self.folder / "disks"
            disks.mkdir(exist_ok=True)
            self.cluster = RayNodes(home, nodes=self.nodes, cpus=2, disks=disks).__enter__()
        env = self.cluster.env | {"REASONER_LEASE_S": str(self.lease_s)}
        more = ["--on", f"ray:{self.cluster.address}", "--shards", str(self.shards), "--shared", str(self.folder / "shared")]
        with (self.folder / "coordinator.log").open("ab") as log:
            self.coordinator = subprocess.Popen(
                self.line(self.db, *more), env=env, cwd=self.folder, stdout=log, stderr=log, start_new_session=True
            )

    def end_cluster(self) -> None:
        if self.cluster is not None:
            self.cluster.__exit__()
            self.cluster = None

    def end_coordinator(self) -> None:
        assert self.coordinator is not None
        with suppress(ProcessLookupError):
            self.coordinator.kill()
        self.coordinator.wait()

    # -- faults

    def disks(self) -> list[Path]:
        return sorted(path for path in (self.folder / "disks").iterdir() if path.is_dir())

    def note(self, disks: list[Path], *, wiped: bool) -> None:
        """Note what was committed on disks where something has just died, and how often it had been asked by then."""
        keys = set().union(*(keys for disk in disks for keys in committed(disk).values()))
        (self.before_wipe if wiped else self.kept).append((keys, Counter({key: self.server.ledger("a").asked[key] for key in keys})))

    def fault(self, kind: str) -> None:
        """Make one happen."""
        assert self.cluster is not None
        workers = sorted(self.cluster.workers())
        if kind in {"worker", "stop"} and not workers:
            kind = "coordinator"
        self.made.faults[kind] += 1
        getattr(self, f"_{kind}")(workers)

    def _worker(self, workers: list[int]) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.rng.choice(workers), signal.SIGKILL)
        self.note(self.disks(), wiped=False)

    def _stop(self, workers: list[int]) -> None:
        pid = self.rng.choice(workers)
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
        self.stopped.append((time.monotonic() + 2 * self.lease_s, pid))

    def _raylet(self, _: list[int]) -> None:
        assert self.cluster is not None
        number = self.rng.randrange(len(self.cluster.raylets))
        with suppress(ProcessLookupError):
            self.cluster.kill_raylet(number)
        self.note(self.disks(), wiped=False)
        self.cluster.replace(number)

    def _head(self, _: list[int]) -> None:
        assert self.cluster is not None
        assert self.coordinator is not None
        self.cluster.kill_head()
        with suppress(subprocess.TimeoutExpired):
            self.coordinator.wait(GRACE_S)
        self.end_coordinator()
        self.end_cluster()
        self.note(self.disks(), wiped=False)
        self.begin()

    def _coordinator(self, _: list[int]) -> None:
        self.end_coordinator()
        self.note(self.disks(), wiped=False)
        self.begin()

    def _disk(self, _: list[int]) -> None:
        disk = self.rng.choice(self.disks())
        self.note([disk], wiped=True)
        for path in disk.iterdir():
            shutil.rmtree(path, ignore_errors=True)
        self.made.wipes += 1

    def _torn(self, _: list[int]) -> None:
        segments = sorted((self.folder / "shared/segments").glob("*/*.seg"), key=lambda path: path.stat().st_mtime)
        done = {path.name.partition(".")[0] for path in (self.folder / "shared/done").glob("*.json")}
        left = [path for path in segments if path.parent.name not in done]
        if left:
            size = left[-1].stat().st_size
            os.truncate(left[-1], size // 2)

    # -- the whole

    def run(self, n_faults: int, among: Sequence[str] = KINDS) -> Outcome:
        """Carry it out."""
        began = time.monotonic()
        total = self.problems
        try:
            self.begin()
            kinds = self.rng.sample(list(among), len(among))  # each kind is met before one is met again
            for number in range(n_faults):
                due = total * (number + 1) // (n_faults + 1)
                wait_until(lambda due=due: self._tend() or self._answered() >= due, patience_s=600)
                if self._over():
                    break
                self.fault(kinds[number % len(kinds)])
            wait_until(self._whole, patience_s=900)
        finally:
            self.end_coordinator()
            self.end_cluster()
        self.made.seconds = time.monotonic() - began
        self._judge()
        return self.made

    def _answered(self) -> int:
        return len(self.server.ledger("a").answers)

    def _tend(self) -> bool:
        """Let stopped workers go on when their time has come; start the coordinator again where it has ended before it was done."""
        for due, pid in list(self.stopped):
            if time.monotonic() >= due:
                self.stopped.remove((due, pid))
                if any(pid == each and "ray::" in words for each, _, words in processes()):
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGCONT)
        if self.coordinator is not None and self.coordinator.poll() not in {None, 0}:
            self.made.told.append(f"the coordinator ended with {self.coordinator.returncode}")
            assert self.coordinator.returncode != 2, (self.folder / "coordinator.log").read_text()[-2000:]
            self.begin()
        return False

    def _over(self) -> bool:
        return self.coordinator is not None and self.coordinator.poll() == 0

    def _whole(self) -> bool:
        self._tend()
        return self._over()

    def _judge(self) -> None:
        made, ledger = self.made, self.server.ledger("a")
        with closing(sqlite3.connect(f"file:{self.db}?mode=ro", uri=True)) as store:
            calls = Counter(dict(store.execute("SELECT key, count(*) FROM calls WHERE state = 'done' GROUP BY key")))
            made.unknown = store.execute("SELECT count(*) FROM calls WHERE state <> 'done'").fetchone()[0]
        self.server.delay_s = 0.0
        one = self.folder / "one.db"
        subprocess.run(self.line(one), check=True, cwd=self.folder, capture_output=True, timeout=900)
        with closing(sqlite3.connect(f"file:{one}?mode=ro", uri=True)) as store:
            expected = {key for (key,) in store.execute("SELECT key FROM calls WHERE state = 'done'")}
        made.expected = len(expected)
        made.lost = len(expected - calls.keys()) + len(calls.keys() - expected)
        made.twice = sum(n - 1 for n in calls.values())
        # The single process has just asked each key once more.
        asked = Counter({key: n - 1 for key, n in ledger.asked.items()})
        made.asked = sum(asked.values())
        wiped: set[str] = set()
        for keys, then in self.before_wipe:
            again = {key for key in keys if asked[key] > then[key]}
            made.most_after_one_wipe = max(made.most_after_one_wipe, len(again - wiped))
            wiped |= again
        made.paid_after_wipe = len(wiped)
        again = {key for keys, then in self.kept for key in keys if asked[key] > then[key]}
        made.paid_again = len(again - wiped)
        made.same_bytes = exported(self.db, self.folder / "a") == exported(one, self.folder / "b")


def campaign(
    folder: Path, *, seed: int, n_faults: int, shards: int = 6, problems: int = 2000, nodes: int = 3, lease_s: float = 15.0, delay_s: float = 1.0,
    among: Sequence[str] = KINDS,
) -> Outcome:  # fmt: skip
    """Run one campaign in a folder of its own; `among` are the kinds of faults."""
    with ModelServer(lambda asked: f"A step.\nAnswer: {len(asked)}", keyed=True, delay_s=delay_s) as server:
        return Campaign(folder, seed=seed, shards=shards, problems=problems, nodes=nodes, lease_s=lease_s, server=server).run(
            n_faults, among
        )
