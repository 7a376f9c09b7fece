"""Several processes on one file, killed, stopped and outbid: budgets, claims, migrations. What happens is in `durability.py`.

`REASONER_BUDGET_TRIALS`, `REASONER_WRITERS`, `REASONER_ZOMBIES` set how often (full tier: 200, 64, 100); `REASONER_CHAOS_SEED` the seed.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

TRIALS = int(os.environ.get("REASONER_BUDGET_TRIALS", "5"))
WRITERS = int(os.environ.get("REASONER_WRITERS", "8"))
ZOMBIES = int(os.environ.get("REASONER_ZOMBIES", "2"))
SEED = int(os.environ.get("REASONER_CHAOS_SEED", random.SystemRandom().randrange(10**6)))


def trials(kind: str, n: int, *, timeout_s: float) -> list[dict[str, Any]]:
    command = [sys.executable, str(Path(__file__).with_name("durability.py")), kind, "--n", str(n), "--seed", str(SEED)]
    print(" ".join(command[1:]))  # noqa: T201 - pytest shows it when the test fails
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.slow
def test_a_shared_budget_is_never_passed_whoever_is_killed() -> None:
    found = trials("budget", TRIALS, timeout_s=120 + 20 * TRIALS)
    assert len(found) == TRIALS
    for trial in found:
        assert trial["billed"] <= trial["cap"], trial
        assert trial["used"] >= trial["billed"] - 1e-12, trial
        assert trial["used"] <= trial["cap"] * (1 + 1e-9), trial
        assert (trial["leaked"], trial["owned"]) == (0, 0), trial
        assert trial["books_agree"], trial
        assert trial["known"] >= trial["requests"], "a request that no row tells of"
        assert set(trial["codes"]) == {0}, trial
    assert sum(trial["billed"] for trial in found) >= 0.5 * sum(trial["cap"] for trial in found), (
        "a budget that nobody can use is no budget"
    )
    assert sum(trial["killed"] for trial in found) > 0


@pytest.mark.slow
def test_many_writers_a_reader_and_a_racing_migration() -> None:
    (found,) = trials("writers", WRITERS, timeout_s=300)
    assert (found["count"], found["failed"], found["integrity"], found["migrations"]) == (50 * WRITERS, 0, "ok", True)
    assert found["p99_wait_s"] < 10


@pytest.mark.slow
def test_a_process_that_was_stopped_past_its_lease_writes_nothing_when_it_wakes() -> None:
    for trial in trials("zombies", ZOMBIES, timeout_s=60 + 10 * ZOMBIES):
        assert trial["successor"] == 0, trial
        assert trial["said"].startswith("TakenOver: "), trial
        assert trial["states"] == ["unknown", "done"], trial
        assert trial["by_successor"], trial


@pytest.mark.slow
def test_a_problem_that_kills_whoever_works_on_it_is_set_aside_and_the_others_are_not() -> None:
    (found,) = trials("poison", 8, timeout_s=120)
    assert found["codes"] == [-9, -9, -9, 0]
    assert [row["status"] for row in found["rows"]] == ["closed"] * 5 + ["failed"]
    assert found["rows"][-1]["error_kind"] == "WorkerLost"
    assert found["unknown"] == 3
    assert (found["again"], found["retried"]) == (0, -9)
