"""Processes that cannot see each other share a run: in PID namespaces of their own, as containers are, and under host names of their own.

A living process is never taken for dead, so that no call is made twice; a dead one's work is taken over when its lease has run out.
`REASONER_NAMESPACES` and `REASONER_HOSTNAMES` set how often (full tier: 100 and 20).
"""

from __future__ import annotations

import json
import os
import random
import sqlite3
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from forks import Ended, Forks
from model_server import ModelServer

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMESPACES = int(os.environ.get("REASONER_NAMESPACES", "4"))
HOSTNAMES = int(os.environ.get("REASONER_HOSTNAMES", "2"))
PID = ("unshare", "--pid", "--fork", "--mount-proc")
HOST = ("unshare", "--uts", "sh", "-c", 'hostname "other-$$" && exec "$@"', "sh")
BENCH = ("bench", "number_path", "-n", "8", "--strategy", "cot,ats", "--json", "--concurrency", "2")
LEASE_S = 1.0


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    with ModelServer(lambda asked: f"A step.\nAnswer: {len(asked)}", delay_s=0.05) as made:
        yield made


def table(ended: Ended) -> list[dict[str, Any]]:
    return [{k: v for k, v in row.items() if k != "seconds"} for row in json.loads(ended.out)["rows"]]


def states(db: Path) -> dict[str, list[str]]:
    with sqlite3.connect(db) as c:
        found: dict[str, list[str]] = {}
        for key, state in c.execute("SELECT key, state FROM calls ORDER BY id").fetchall():
            found.setdefault(key, []).append(state)
    return found


@pytest.mark.slow
@pytest.mark.parametrize(("prefix", "n"), [(PID, NAMESPACES), (HOST, HOSTNAMES)], ids=["namespaces", "host names"])
def test_nobody_is_taken_for_dead_by_who_cannot_see_him(tmp_path: Path, server: ModelServer, prefix: tuple[str, ...], n: int) -> None:
    if subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("namespaces cannot be made here")
    seed = int(os.environ.get("REASONER_CHAOS_SEED", random.SystemRandom().randrange(10**6)))
    print(f"REASONER_CHAOS_SEED={seed}")  # noqa: T201 - pytest shows it when the test fails
    rng = random.Random(seed)
    kind = prefix[1]
    deaths = doubled = 0
    with Forks(prefix) as here, Forks(prefix) as there:
        plain = here.run([*BENCH, "--model", "openai:m", "--base-url", server.url(f"{kind}p"), "--db", tmp_path / "p.db"], cwd=tmp_path)
        assert plain.code == 0, plain.err
        for number in range(n):
            db, part = tmp_path / f"{number}.db", f"{kind}{number}"
            ledger = server.ledger(part)
            args: list[str | Path] = [*BENCH, "--model", "openai:m", "--base-url", server.url(part), "--db", db]
            dies = number % 2 == 1
            env = {"REASONER_LEASE_S": str(LEASE_S)} | ({"REASONER_CRASH_AT": f"before_done:{rng.randint(2, 6)}"} if dies else {})
            first = here.start(args, cwd=tmp_path, env=env)
            enough, latest = rng.randint(1, 3), time.monotonic() + 60
            while sum(ledger.asked.values()) < enough and time.monotonic() < latest:
                time.sleep(0.002)
            second = there.run(args, cwd=tmp_path, env={"REASONER_LEASE_S": str(LEASE_S)})
            ended = first.wait()
            assert second.code == 0, second.err
            assert table(second) == table(plain)
            if not dies:
                assert ended.code == 0, ended.err
                assert table(ended) == table(plain)
            deaths += ended.code == -9
            rows = states(db)
            for key, times in ledger.asked.items():
                assert times <= len(rows[key]), "a call was made that nothing tells of"
                assert rows[key].count("done") == 1
                assert dies or times == 1, "a living process was taken for dead, and its call paid twice"
                doubled += times - 1
    print(json.dumps({kind: n, "deaths": deaths, "asked again after a death": doubled}))  # noqa: T201 - the measure of the full run
    assert deaths == n // 2


@pytest.mark.slow
def test_a_host_that_changes_its_name_takes_nobody_for_dead(tmp_path: Path, server: ModelServer) -> None:
    """The name changes in the namespace both run in, between the start of one and of the other."""
    named = ("unshare", "--uts", "sh", "-c", 'hostname before && exec "$@"', "sh")
    if subprocess.run([*named, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("namespaces cannot be made here")
    with Forks(named) as forks:
        args: list[str | Path] = [*BENCH, "--model", "openai:m", "--base-url", server.url("renamed"), "--db", tmp_path / "r.db"]
        rename = "import socket; socket.sethostname('after') if hasattr(socket, 'sethostname') else None"
        first = forks.start(args, cwd=tmp_path, env={"REASONER_CRASH_AT": "before_done:3", "REASONER_LEASE_S": "1.0"})
        ended = first.wait()
        assert ended.code == -9
        again = forks.run(args, cwd=tmp_path, env={"REASONER_LEASE_S": "1.0"}, prelude=rename)
        assert again.code == 0, again.err
    rows = states(tmp_path / "r.db")
    assert all(times <= len(rows[key]) for key, times in server.ledger("renamed").asked.items())
