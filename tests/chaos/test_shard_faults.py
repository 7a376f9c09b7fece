"""Random faults on the shards of a run: killed, stopped past their lease, their folder deleted, a segment torn. What is merged is the run of one process.

`REASONER_SHARD_FAULTS` sets how many (full tier: 100), `REASONER_CHAOS_SEED` repeats the printed seed. The server honours idempotency keys, so it
bills nothing twice whatever happens; what is asked again is counted: calls under way at a kill, and what was not sealed where a folder is gone.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from forks import Child, Forks
from model_server import ModelServer
from shards import Cut, cut, exported, single, small_plan

from reasoner.clients import ClientOptions
from reasoner.runs.options import RunOptions
from reasoner.scale.merging import merge
from reasoner.scale.segments import names_of
from reasoner.store.crash import POINTS, SHARD_POINTS

FAULTS = int(os.environ.get("REASONER_SHARD_FAULTS", "4"))
SHARDS = 3
KINDS = ("kill", "place", "place", "stop", "delete", "tear")
LEASE_S = 0.5
IN_FLIGHT = 3
"""Calls that may be under way when a worker dies: two, and one that is announced."""
UNSEALED = 40
"""Calls that may be answered between two looks whether a segment is due: two at a time, of 50 ms, for 0.3 s, and room for a busy machine."""


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    with ModelServer(lambda asked: f"1: a step\nAnswer: {len(asked)}", keyed=True, delay_s=0.05) as made:
        yield made


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[Forks]:
    """Another machine: commands that run while one here is under way."""
    with Forks() as made:
        yield made


class Ground:
    """A run that was cut, and what happens to its shards."""

    def __init__(self, made: Cut, folder: Path, rng: random.Random, here: Forks, there: Forks) -> None:
        self.made, self.folder, self.rng, self.here, self.there = made, folder, rng, here, there

    def start(self, shard: int, *, at: Forks | None = None, **more: str) -> Child:
        local = self.made.local if at is None else self.folder / "elsewhere"
        line = [
            "run-shard",
            str(shard),
            "--out",
            self.made.place.place,
            "--local",
            str(local),
            "--seal-calls",
            "4",
            "--seal-seconds",
            "0.3",
        ]
        env = {"OPENAI_API_KEY": "x", "REASONER_LEASE_S": str(LEASE_S), **more}
        return (at or self.here).start([*line, "--retry-poisoned"], cwd=self.folder, env=env)

    def fault(self) -> str:
        """Do one thing to one shard; return what it was."""
        shard, kind = self.rng.randrange(SHARDS), self.rng.choice(KINDS)
        if kind == "place":
            place = f"{self.rng.choice((*POINTS[1:], *SHARD_POINTS[:3]))}:{self.rng.randint(1, 4)}"
            self.start(shard, REASONER_CRASH_AT=place).wait()
            return kind
        child = self.start(shard)
        time.sleep(self.rng.random() * 1.5)
        if kind == "stop":
            os.kill(child.pid, signal.SIGSTOP)
            ended = self.start(shard, at=self.there).wait()  # waits until the lease has run out, and goes on
            assert ended.code == 0, ended.err
            os.kill(child.pid, signal.SIGCONT)  # a zombie now
            child.wait()
            return kind
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        if kind == "delete":
            shutil.rmtree(self.made.local, ignore_errors=True)
        if kind == "tear":
            found, _ = names_of(self.made.place, shard)
            for segment in self.rng.sample(found, min(1, len(found))):
                path = Path(self.made.place.place) / segment.path
                path.write_bytes(path.read_bytes()[: self.rng.randrange(100)])
        return kind


@pytest.mark.slow
def test_random_faults_change_nothing_of_what_is_merged(
    tmp_path: Path, server: ModelServer, forks: Forks, elsewhere: Forks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "x")
    seed = int(os.environ.get("REASONER_CHAOS_SEED", random.SystemRandom().randrange(10**6)))
    print(f"REASONER_CHAOS_SEED={seed}")  # noqa: T201 - pytest shows it when the test fails
    options = RunOptions(client=ClientOptions(base_url=server.url("m"), api_key_env="OPENAI_API_KEY", concurrency=2), retry_poisoned=True)
    plan = small_plan(5 * FAULTS, strategies="cot,self_consistency:n=3")
    single(tmp_path / "one.db", plan, options, model="openai:m")
    n_whole = sum(server.ledger("m").billed.values())
    server.ledger("m").clear()
    made = cut(tmp_path, plan, n=SHARDS, options=options, model="openai:m")
    ground = Ground(made, tmp_path, random.Random(seed), forks, elsewhere)
    met = Counter(ground.fault() for _ in range(FAULTS))
    for shard in range(SHARDS):
        ended = ground.start(shard).wait()
        assert ended.code == 0, ended.err
    merged = merge(made.place, tmp_path / "many.db")
    ledger = server.ledger("m")
    again = sum(ledger.asked.values()) - len(ledger.asked)
    happened = ", ".join(f"{n} {kind}" for kind, n in sorted(met.items()))
    print(f"{happened}; {sum(merged.left_out.values())} segments left out; {n_whole} calls, {again} asked again")  # noqa: T201
    assert merged.is_complete, merged
    assert sum(ledger.billed.values()) == len(ledger.billed) == n_whole
    assert again <= IN_FLIGHT * FAULTS + UNSEALED * (met["stop"] + met["tear"] + SHARDS * met["delete"])
    assert exported(tmp_path / "many.db", tmp_path / "a") == exported(tmp_path / "one.db", tmp_path / "b")
