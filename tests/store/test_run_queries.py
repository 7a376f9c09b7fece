"""Runs: their totals follow whatever is written, and lists and names come out as the rows have them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

from reasoner.store import Store
from reasoner.store.connection import connect
from reasoner.store.migrations import STEPS
from reasoner.store.migrations.m050_totals import COLUMNS, STATES
from reasoner.store.queries import resolve, trajectory_page
from reasoner.store.run_queries import contenders, run_row, runs, totals

WHEN = "2026-01-01T00:00:00.000+00:00"


def put_run(c: Any, run: str, *, created: str = WHEN, manifest: str = '{"solvers":["toy"],"strategies":[]}') -> None:
    c.execute(
        "INSERT INTO runs (id, manifest, manifest_hash, ordinal, status, epoch, command, version, created, updated)"
        " VALUES (?, ?, ?, 0, 'finished', 1, 'reasoner bench', '', ?, ?)",
        (run, manifest, run, created, created),
    )


def put_trajectory(c: Any, name: str, run: str, *, strategy: str = "cot", model: str = "m", status: str = "open") -> None:
    c.execute("INSERT OR IGNORE INTO problems VALUES ('p', 'toy', '{}', '1', NULL)")
    c.execute(
        "INSERT INTO trajectories (id, run_id, problem_id, strategy, params, model, model_fingerprint, sample, status, created)"
        " VALUES (?, ?, 'p', ?, '{}', ?, '', 0, ?, ?)",
        (name, run, strategy, model, status, WHEN),
    )


def judge(c: Any, name: str, correct: int) -> None:
    c.execute(
        "INSERT INTO verdicts (trajectory_id, correct, score, reason, unparsed, created) VALUES (?, ?, 0, '', 0, ?)", (name, correct, WHEN)
    )


def counted(store: Store, run: str) -> dict[str, int | None]:
    """Count a run from its rows, one by one."""
    found: dict[str, Any] = dict.fromkeys(COLUMNS, 0)
    verdicts = {row["trajectory_id"]: row["correct"] for row in store.rows("SELECT * FROM verdicts")}
    for row in store.rows("SELECT * FROM trajectories WHERE run_id = ?", (run,)):
        found["trajectories"] += 1
        found[row["status"]] += 1
        for name in ("calls", "cached_calls", "prompt_tokens", "completion_tokens"):
            found[name] += row[name]
        found["judged"] += row["id"] in verdicts
        found["correct"] += verdicts.get(row["id"], 0)
    return found if found["judged"] else {**found, "correct": None}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "t.db") as opened:
        yield opened


@pytest.mark.parametrize("seed", range(5))
def test_totals_follow_every_change(store: Store, seed: int) -> None:
    rng = random.Random(seed)
    store.write_now(lambda c: put_run(c, "a"))
    store.write_now(lambda c: put_run(c, "b"))
    names: list[str] = []

    def change(c: Any) -> None:
        what = rng.choice(["in", "in", "status", "sums", "verdict", "reverdict", "move", "out", "unjudge"])
        name = rng.choice(names) if names else ""
        judged = bool(names) and c.execute("SELECT 1 FROM verdicts WHERE trajectory_id = ?", (name,)).fetchone() is not None
        if what == "in":
            names.append(f"t{len(names)}-{rng.random()}")
            put_trajectory(c, names[-1], rng.choice("ab"), status=rng.choice(STATES))
        elif what == "status":
            c.execute("UPDATE trajectories SET status = ? WHERE id = ?", (rng.choice(STATES), name))
        elif what == "sums":
            c.execute(
                "UPDATE trajectories SET calls = ?, prompt_tokens = calls + ?, cached_calls = 1 WHERE id = ?",
                (rng.randrange(9), rng.randrange(99), name),
            )
        elif what == "verdict" and names and not judged:
            judge(c, name, rng.randrange(2))
        elif what == "reverdict" and judged:
            c.execute("UPDATE verdicts SET correct = ? WHERE trajectory_id = ?", (rng.randrange(2), name))
        elif what == "unjudge":
            c.execute("DELETE FROM verdicts WHERE trajectory_id = ?", (name,))
        elif what == "move":
            c.execute("UPDATE trajectories SET run_id = ? WHERE id = ?", (rng.choice("ab"), name))
        elif what == "out" and names and not judged:
            c.execute("DELETE FROM trajectories WHERE id = ?", (name,))
            names.remove(name)

    for _ in range(120):
        store.write_now(change)
        assert totals(store, ["a", "b"]) == {run: counted(store, run) for run in "ab"}


def test_an_older_file_gets_its_totals(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    connection = connect(path)
    old = Migrations("reasoner")
    for name, apply in STEPS.items():
        if name < "m050":
            old(name=name)(apply)
    old.apply(Database(connection))
    put_run(connection, "a")
    put_run(connection, "empty")
    for n, status in enumerate(("closed", "closed", "failed")):
        put_trajectory(connection, f"t{n}", "a", status=status)
    judge(connection, "t0", 1)
    judge(connection, "t2", 0)
    connection.close()
    with Store.open(path) as store:
        made = totals(store, ["a", "empty"])
        assert made == {run: counted(store, run) for run in ("a", "empty")}
        assert (made["a"]["trajectories"], made["a"]["judged"], made["a"]["correct"], made["empty"]["trajectories"]) == (3, 2, 1, 0)


def test_runs_are_listed_newest_first_and_found_by_words(store: Store) -> None:
    def fill(c: Any) -> None:
        for n in range(5):
            put_run(c, f"r{n}", created=f"2026-01-0{n + 1}T00:00:00.000+00:00", manifest=f'{{"solvers":["toy{n}"]}}')
        put_trajectory(c, "t0", "r4", strategy="ats:order=dfs", model="b", status="closed")
        put_trajectory(c, "t1", "r4", strategy="cot", model="a", status="closed")
        put_trajectory(c, "t2", "r4", strategy="cot", model="b", status="closed")
        judge(c, "t1", 1)

    store.write_now(fill)
    assert [row["id"] for row in runs(store, limit=2)] == ["r4", "r3"]
    assert [row["id"] for row in runs(store, limit=2, offset=3)] == ["r1", "r0"]
    assert [row["id"] for row in runs(store, words="TOY2 bench")] == ["r2"]
    assert runs(store, status="running") == []
    newest = run_row(store, "r4") or {}
    assert (newest["strategies"], newest["models"], newest["solvers"]) == (["ats:order=dfs", "cot"], ["b", "a"], ["toy4"])
    assert (newest["trajectories"], newest["judged"], newest["correct"], newest["resumable"]) == (3, 1, 1, False)
    assert run_row(store, "none") is None
    assert contenders(store, "r4", limit=2) == [("ats:order=dfs", "b"), ("cot", "a")]


def test_a_run_that_was_read_from_a_file_is_named_by_its_rows(store: Store) -> None:
    def fill(c: Any) -> None:
        put_run(c, "r", manifest='{"imported":"x"}')
        put_trajectory(c, "t", "r", strategy="s", model="m")

    store.write_now(fill)
    (row,) = runs(store)
    assert (row["solvers"], row["strategies"], row["models"]) == (["toy"], ["s"], ["m"])


def test_a_page_of_trajectories_is_chosen_by_what_is_asked(store: Store) -> None:
    def fill(c: Any) -> None:
        put_run(c, "r")
        put_run(c, "other")
        for n in range(12):
            put_trajectory(
                c, f"t{n:02}", "r" if n < 10 else "other", strategy=("cot", "ats")[n % 2], status="failed" if n == 9 else "closed"
            )
            if n < 6:
                judge(c, f"t{n:02}", n % 3 == 0)

    store.write_now(fill)

    def page(**chosen: str) -> list[str]:
        return [row["id"] for row in trajectory_page(store, "r", chosen=chosen)]

    assert page() == [f"t{n:02}" for n in range(10)]
    assert [row["id"] for row in trajectory_page(store, "r", limit=3, offset=8)] == ["t08", "t09"]
    assert page(verdict="right") == ["t00", "t03"]
    assert page(verdict="wrong", strategy="ats") == ["t01", "t05"]
    assert page(verdict="failed", solver="toy", model="m") == ["t09"]
    assert page(verdict="open") == page(solver="none") == []


def test_an_id_is_found_by_its_beginning_alone(store: Store) -> None:
    def fill(c: Any) -> None:
        put_run(c, "abc1")
        put_run(c, "x%y")
        put_trajectory(c, "abd2", "abc1")

    store.write_now(fill)
    assert resolve(store, "abc") == ("run", "abc1")
    assert resolve(store, "abd") == ("trajectory", "abd2")
    assert resolve(store, "x%") == ("run", "x%y")
