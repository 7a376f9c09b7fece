"""Claims and the budget of a run, against rows written by hand: who may take what, who may write, what is counted."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reasoner.budget import Limits
from reasoner.errors import RunBudgetExhausted, StoreError, TakenOver
from reasoner.store import Store, claims, connection, spending
from reasoner.store.claims import Claim, TrajectoryRow, Worker, claim
from reasoner.store.journal import Intent, Journal
from reasoner.store.records import differences, start_run
from reasoner.types import Completion, Message, Problem, Request, Usage

PROBLEM = Problem("toy", '{"x":1}', "1")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "t.db") as opened:
        yield opened


def join(store: Store, **opening: Any) -> Worker:
    return start_run(store, {"toy": 1}, **opening).worker


def row(worker: Worker, name: str = "t") -> TrajectoryRow:
    return TrajectoryRow(name * 16, worker.run_id, PROBLEM, "toy", "{}", "m", "m", 0)


def take(store: Store, worker: Worker, name: str = "t", **how: Any) -> Claim:
    return store.write_now(lambda c: claim(c, row(worker, name), worker, **how))


def intent(key: str, tokens: int = 10, cost: float | None = 0.5) -> Intent:
    request = Request((Message("user", key),), key=key)
    return Intent("", "", "toy/ask", 0, "", request, tokens, cost)


def journal(store: Store, worker: Worker, epoch: int, name: str = "t") -> Journal:
    return Journal(store, run_id=worker.run_id, trajectory_id=name * 16, epoch=epoch, durable=False)


def dead(store: Store, worker: Worker) -> None:
    """Let a worker's process be one that has ended."""
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    rename(store, worker.id, worker.id.replace(f"|{os.getpid()}|", f"|{gone.pid}|"))


def rename(store: Store, old: str, new: str) -> None:
    store.write_now(lambda c: c.execute("UPDATE workers SET id = ? WHERE id = ?", (new, old)))
    store.write_now(lambda c: c.execute("UPDATE trajectories SET owner = ? WHERE owner = ?", (new, old)))


def test_one_worker_has_a_trajectory_until_it_dies_or_says_nothing_for_long(store: Store) -> None:
    first, second = join(store), join(store)
    assert take(store, first) == Claim("ours", 1)
    assert take(store, second) == Claim("busy", 1)
    dead(store, first)
    assert take(store, second) == Claim("ours", 3), "released, which fences, and claimed"
    store.write_now(lambda c: c.execute("UPDATE workers SET lease_until = 0"))
    assert take(store, join(store), alone=True).state == "ours"


def test_a_pid_that_another_program_has_by_now_is_not_the_worker(store: Store) -> None:
    first = join(store)
    assert claims.presence(first.id) == "there"
    host, where, pid, started, tail = first.id.split("|")
    assert claims.presence(f"{host}|{where}|{pid}|1|{tail}") == "gone"
    assert claims.presence(f"{host}|another boot/{where.partition('/')[2]}|{pid}|{started}|{tail}") == "gone"


@pytest.mark.parametrize("pid", ["living", "99999999"])
def test_of_a_worker_in_another_namespace_or_under_another_host_name_only_the_lease_tells(store: Store, pid: str) -> None:
    first, second = join(store), join(store)
    take(store, first)
    host, where, own, started, tail = first.id.split("|")
    boot, _, namespace = where.partition("/")
    number = own if pid == "living" else pid
    for name in (
        f"{host}|{boot}/1{namespace}|{number}|1|{tail}",
        f"another-host|{where}|{number}|{started}|{tail}",
        f"{host}|{boot}|{number}|{started}|{tail}",
    ):
        assert claims.presence(name) == "unseen"
        rename(store, first.id, name)
        assert take(store, second) == Claim("busy", 1), "its lease has not run out"
        rename(store, name, first.id)
    rename(store, first.id, f"another-host|{where}|{number}|{started}|{tail}")
    store.write_now(lambda c: c.execute("UPDATE workers SET lease_until = 0 WHERE id LIKE 'another%'"))
    assert take(store, second).state == "ours"


def test_a_process_whose_start_cannot_be_read_is_not_taken_for_dead(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    first = join(store)
    monkeypatch.setattr(claims, "_start_time", lambda _pid: "?")
    assert claims.presence(first.id) == "there"


async def test_whoever_lost_a_claim_can_write_nothing(store: Store) -> None:
    first = join(store)
    epoch = take(store, first).epoch
    ours = journal(store, first, epoch)
    call = await ours.intent(intent("k"))
    assert call is not None
    dead(store, first)
    second = join(store)
    assert take(store, second).state == "ours"
    with pytest.raises(TakenOver):
        await ours.done(call, Completion("late"), [], retries=0)
    with pytest.raises(TakenOver):
        await ours.intent(intent("k2"))
    with pytest.raises(TakenOver):
        await ours.taken_from(intent("k3"), call, Completion("late"), [])
    with pytest.raises(TakenOver):
        store.write_now(ours.check)
    await ours.failed(call, "late", state="failed", retries=0)
    assert store.rows("SELECT key, state FROM calls") == [{"key": "k", "state": "unknown"}]


async def test_settings_whose_transaction_was_undone_are_stored_with_the_next_call(store: Store) -> None:
    worker = join(store)
    ours = journal(store, worker, take(store, worker).epoch)
    store.write_now(lambda c: c.execute("CREATE TRIGGER refused BEFORE INSERT ON calls BEGIN SELECT RAISE(ABORT, 'no'); END"))
    with pytest.raises(StoreError):
        await ours.intent(intent("k0"))
    assert store.rows("SELECT * FROM call_settings") == []
    store.write_now(lambda c: c.execute("DROP TRIGGER refused"))
    for key in ("k1", "k2", "k3"):
        call = await ours.intent(intent(key))
        await ours.done(call or 0, Completion("x"), [], retries=0, key=key)
    assert store.rows("SELECT s.template_hash, count(*) AS n FROM calls c JOIN call_settings s ON s.id = c.settings_id GROUP BY s.id") == [
        {"template_hash": intent("k").template_hash, "n": 3}
    ]


def test_three_deaths_without_a_call_set_a_trajectory_aside_and_progress_forgives(store: Store) -> None:
    for died in range(3):
        worker = join(store)
        if died == 2:
            assert take(store, worker).state == "suspect", "the last chance is given only alone"
        assert take(store, worker, alone=died == 2).state == "ours", died
        dead(store, worker)
    worker = join(store)
    assert take(store, worker).state == "set aside"
    (found,) = store.rows("SELECT status, error_kind, error FROM trajectories")
    assert (found["status"], found["error_kind"]) == ("failed", "WorkerLost")
    assert found["error"].startswith("worker_lost: 3 processes")
    assert take(store, worker, retry_poisoned=True).state == "ours"
    dead(store, worker)
    assert take(store, join(store)).state == "ours", "the count began anew"


async def test_a_death_after_a_committed_call_does_not_count(store: Store) -> None:
    for died in range(5):
        worker = join(store)
        made = take(store, worker)
        assert made.state == "ours", died
        ours = journal(store, worker, made.epoch)
        call = await ours.intent(intent(f"k{died}"))
        await ours.done(call or 0, Completion("x"), [], retries=0)
        dead(store, worker)


def test_what_has_ended_is_not_taken_but_for_a_replay_and_what_failed_is(store: Store) -> None:
    worker = join(store)
    take(store, worker)
    for status, kind, wanted in (
        ("closed", None, "ended"), ("exhausted", "BudgetExhausted", "ended"), ("exhausted", "RunBudgetExhausted", "ours"), ("failed", "Refused", "ours"),
    ):  # fmt: skip
        store.write_now(
            lambda c, status=status, kind=kind: c.execute(
                "UPDATE trajectories SET status = ?, error_kind = ?, owner = NULL", (status, kind)
            )  # type: ignore[misc]
        )
        assert take(store, worker).state == wanted, (status, kind)
    store.write_now(lambda c: c.execute("UPDATE trajectories SET status = 'closed', owner = NULL"))
    assert take(store, worker, recheck=True).state == "ours"
    store.write_now(lambda c: c.execute("UPDATE trajectories SET status = 'failed', owner = NULL"))
    assert take(store, worker, retry_failed=False).state == "ended"


async def test_the_budget_of_a_run_counts_what_is_settled_reserved_and_lost(store: Store) -> None:
    worker = join(store, limits=Limits(cost=2.0))
    ours = journal(store, worker, take(store, worker).epoch)
    held = [await ours.intent(intent(f"k{n}")) for n in range(4)]
    assert None not in held
    assert await ours.intent(intent("k4")) is None, "there will be room if the others use less"
    assert store.rows("SELECT count(*) AS n FROM calls") == [{"n": 4}]
    await ours.done(held[0] or 0, Completion("x", usage=Usage(3, 4, cost=0.1)), [], retries=0)
    assert await ours.intent(intent("k5")) is None
    await ours.failed(held[1] or 0, "refused", state="failed", retries=0)
    last = await ours.intent(intent("k6"))
    assert last is not None
    for call in (held[2], held[3], last):
        await ours.failed(call or 0, "cut off", state="unknown", retries=0, seconds=1.0)
    with pytest.raises(RunBudgetExhausted, match=r"\$2\.1000, over its budget of \$2\.0000"):
        await ours.intent(intent("k7"))
    assert store.write_now(lambda c: spending.used(c, worker.run_id)) == (4, 37, 3.0, 1.6)
    (books,) = store.rows("SELECT used_calls, used_tokens, used_seconds, used_cost FROM runs")
    assert list(books.values()) == [4, 37, 3.0, 1.6]


async def test_what_a_dead_process_had_reserved_is_used_and_nothing_stays_reserved(store: Store) -> None:
    first = join(store, limits=Limits(calls=2))
    ours = journal(store, first, take(store, first).epoch)
    await ours.intent(intent("k"))
    dead(store, first)
    second = join(store)
    assert store.rows("SELECT used_calls FROM runs") == [{"used_calls": 1}]
    assert store.rows("SELECT count(*) AS n FROM calls WHERE reserved_tokens IS NOT NULL OR reserved_cost IS NOT NULL") == [{"n": 0}]
    other = journal(store, second, take(store, second).epoch)
    call = await other.intent(intent("k"))
    await other.done(call or 0, Completion("x"), [], retries=0)
    with pytest.raises(RunBudgetExhausted, match="2 calls"):
        await other.intent(intent("l"))


async def test_the_dead_do_not_keep_the_living_waiting(store: Store) -> None:
    first = join(store, limits=Limits(calls=1))
    await journal(store, first, take(store, first).epoch).intent(intent("k"))
    second = join(store)
    ours = journal(store, second, take(store, second, "u").epoch, "u")
    assert await ours.intent(intent("l")) is None
    dead(store, first)
    with pytest.raises(RunBudgetExhausted):
        await ours.intent(intent("l"))


async def test_a_further_attempt_at_what_may_have_been_billed_is_counted_too(store: Store) -> None:
    worker = join(store, limits=Limits(cost=1.2))
    ours = journal(store, worker, take(store, worker).epoch)
    call = await ours.intent(intent("k")) or 0
    await ours.repeat(call)
    with pytest.raises(RunBudgetExhausted):
        await ours.repeat(call)
    await ours.failed(call, "cut off", state="unknown", retries=1)
    assert store.write_now(lambda c: spending.used(c, worker.run_id))[::3] == (2, 1.0)


def test_limits_given_later_count_what_was_spent_before_and_leave_the_others(store: Store) -> None:
    first = join(store, limits=Limits(calls=9, cost=1.0))
    join(store, limits=Limits(calls=20))
    join(store)
    found = store.write_now(lambda c: spending.limits_of(c, first.run_id))
    assert found == Limits(calls=20, cost=1.0)


def test_manifests_are_compared_by_name() -> None:
    old = {"seed": 0, "prompts": {"cot": "a", "ats": "b"}, "models": [["m", "f1"]], "limits": {"calls": None}}
    new = {"seed": 1, "prompts": {"cot": "a", "ats": "c"}, "models": [["m", "f2"]], "limits": {"calls": None}}
    assert differences(old, old) == ()
    assert differences(old, new) == ("model m (fingerprint f1, now f2)", "prompts ats (b, now c)", "seed (0, now 1)")


def test_a_wal_file_in_use_is_refused_by_a_library_that_may_corrupt_it(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    if not connection.is_wal_safe(connection.sqlite_version()):
        pytest.skip("this SQLite itself is affected: there is no WAL file to meet")
    assert connection.is_wal(store.path)
    monkeypatch.setattr(connection, "sqlite_version", lambda: (3, 51, 2))
    monkeypatch.setattr(connection, "BUSY_TIMEOUT_MS", 100)
    with pytest.raises(StoreError, match="WAL mode and in use by another process"):
        connection.connect(store.path)


def test_an_older_process_at_work_is_respected(store: Store) -> None:
    worker = join(store)
    host, _, pid, started, _ = worker.id.split("|")
    store.write_now(lambda c: c.execute("UPDATE runs SET owner = ?", (f"{host}|{pid}|{started}",)))
    with pytest.raises(StoreError, match="older reasoner"):
        join(store)
