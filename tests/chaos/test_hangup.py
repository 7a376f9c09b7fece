"""SIGHUP, as a closed terminal sends it, at random moments: the run is parked like on Ctrl-C, and the same command goes on.

`REASONER_HANGUPS` sets how often (full tier: 100).
"""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from model_server import ModelServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from forks import Ended, Forks

HEARD = "import signal; signal.signal(signal.SIGHUP, signal.SIG_DFL)"
"""Under nohup the signal is ignored, by the tests too, and a run keeps to that; here it is to be heard."""
HANGUPS = int(os.environ.get("REASONER_HANGUPS", "6"))
BENCH = ("bench", "number_path", "arithmetic", "-n", "6", "--strategy", "cot,ats", "--json", "--concurrency", "4")


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    with ModelServer(lambda asked: f"A step.\nAnswer: {len(asked)}", delay_s=0.05) as made:
        yield made


def table(ended: Ended) -> list[dict[str, Any]]:
    return [{k: v for k, v in row.items() if k != "seconds"} for row in json.loads(ended.out)["rows"]]


@pytest.mark.slow
def test_a_hangup_parks_like_ctrl_c(tmp_path: Path, server: ModelServer, forks: Forks) -> None:
    seed = int(os.environ.get("REASONER_CHAOS_SEED", random.SystemRandom().randrange(10**6)))
    print(f"REASONER_CHAOS_SEED={seed}")  # noqa: T201 - pytest shows it when the test fails
    rng = random.Random(seed)
    plain = forks.run([*BENCH, "--model", "openai:m", "--base-url", server.url("plain"), "--db", "plain.db"], cwd=tmp_path)
    assert plain.code == 0, plain.err
    parked = under_way = 0
    for number in range(HANGUPS):
        db, ledger = tmp_path / f"{number}.db", server.ledger(f"h{number}")
        args: list[str | Path] = [*BENCH, "--model", "openai:m", "--base-url", server.url(f"h{number}"), "--db", db]
        child = forks.start(args, cwd=tmp_path, prelude=HEARD)
        enough, latest = rng.randrange(1, 18), time.monotonic() + 60
        while sum(ledger.asked.values()) < enough and time.monotonic() < latest:
            time.sleep(0.002)
        time.sleep(rng.uniform(0, 0.05))
        os.kill(child.pid, signal.SIGHUP)
        ended = child.wait()
        if ended.code == 0:
            continue  # it had come to its end before the signal reached it
        asked = dict(ledger.asked)
        assert ended.code == 130, ended
        assert ended.err.count("\n") == 1, ended.err
        assert "interrupted" in ended.err
        with sqlite3.connect(db) as c:
            assert c.execute("SELECT status FROM runs").fetchall() == [("interrupted",)]
            rows = c.execute("SELECT key, state FROM calls").fetchall()
        done = {key for key, state in rows if state == "done"}
        assert {state for _, state in rows} <= {"done", "unknown", "failed"}
        assert set(asked) <= {key for key, _ in rows}
        under_way += sum(state == "unknown" for _, state in rows)
        parked += 1
        again = forks.run(args, cwd=tmp_path)
        assert again.code == 0, again.err
        assert table(again) == table(plain)
        assert all(ledger.asked[key] == asked[key] for key in done), "what was committed is asked again"
    assert parked >= HANGUPS // 2
    print(json.dumps({"hangups": HANGUPS, "parked": parked, "calls under way": under_way}))  # noqa: T201 - the measure of the full run
