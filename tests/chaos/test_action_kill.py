"""kill -9 of runs that act, at every named place of an action and at random moments: an action of effect `once` is made at most once.

After each kill: what was committed is still there with its result; the same command either comes to its end, with every order made exactly
once, or says that one order may have been made, and makes none twice. `REASONER_ACTION_KILLS` sets how many, `REASONER_CHAOS_SEED` repeats
the printed seed.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from action_runs import FINISHED, ORDERS, UNKNOWN

from reasoner.store.connection import connect
from reasoner.store.crash import ACTION_POINTS

KILLS = int(os.environ.get("REASONER_ACTION_KILLS", "40"))
HELPERS = Path(__file__).parent.parent / "helpers"


class Runs:
    """The program that forks a child for every run."""

    def __init__(self) -> None:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HELPERS), *sys.path])}
        self._process = subprocess.Popen(
            [sys.executable, str(HELPERS / "action_runs.py")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def run(self, *, kill_after_s: float | None = None, **given: Any) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(given) + "\n")
        self._process.stdin.flush()
        pid = json.loads(self._process.stdout.readline())["pid"]
        if kill_after_s is not None:
            time.sleep(kill_after_s)
            os.kill(pid, signal.SIGKILL)  # its number stays its own until the program has waited for it, or it is a zombie
        return int(json.loads(self._process.stdout.readline())["code"])

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(20)
        assert self._process.stdout is not None
        self._process.stdout.close()


@pytest.fixture(scope="module")
def runs() -> Iterator[Runs]:
    made = Runs()
    yield made
    made.close()


def committed(db: Path) -> dict[str, str]:
    if not db.exists():
        return {}
    connection = connect(db)
    try:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'actions'").fetchone():
            return {}
        rows = connection.execute("SELECT key, result FROM action_details WHERE result IS NOT NULL").fetchall()
        assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        return dict(rows)
    finally:
        connection.close()


def orders(ledger: Path) -> Counter[str]:
    return Counter(ledger.read_text(encoding="utf-8").split()) if ledger.exists() else Counter()


def test_what_is_done_once_is_never_done_twice(runs: Runs, tmp_path: Path) -> None:
    seed = int(os.environ.get("REASONER_CHAOS_SEED", str(random.SystemRandom().randrange(10**6))))
    print(f"seed {seed}, {KILLS} kills")  # noqa: T201 - a figure for whoever runs it
    rng = random.Random(seed)
    ended: Counter[str] = Counter()
    for number in range(KILLS):
        db, ledger = tmp_path / f"{number}.db", tmp_path / f"{number}.ledger"
        given: dict[str, Any] = {"db": str(db), "ledger": str(ledger), "strategy": ("react", "code_act")[number % 2]}
        point = ACTION_POINTS[number % len(ACTION_POINTS)]
        if rng.random() < 0.75:
            code = runs.run(**given, crash=f"{point}:{rng.randint(1, 8)}")
        else:
            code = runs.run(**given, kill_after_s=rng.uniform(0.0, 0.25))
        if code == FINISHED:
            ended["not killed"] += 1
        else:
            assert code == -signal.SIGKILL, code
        before, done = committed(db), orders(ledger)
        again = runs.run(**given)
        made = orders(ledger)
        assert max(made.values(), default=0) <= 1, (seed, number, point, made)
        assert before.items() <= committed(db).items(), "no result is lost"
        if again == FINISHED:
            assert made == Counter(map(str, range(ORDERS))), (seed, number, point)
            ended["finished"] += 1
        else:
            assert again == UNKNOWN, (seed, number, point, again)
            assert made == done, "nothing more is done before somebody decides"
            ended["asked"] += 1
        for path in (*tmp_path.glob(f"{number}.*"),):
            path.unlink()
    print(dict(ended))  # noqa: T201 - a figure for whoever runs it
    assert ended["finished"]
    assert ended["asked"], "some kills come between an order and its result"
