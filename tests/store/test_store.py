"""The store: settings, migrations, group commit, faults; against the sqlite3 module and the file system, not against itself."""

from __future__ import annotations

import multiprocessing
import sqlite3
import stat
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlite_utils import Database

from reasoner.errors import StoreError
from reasoner.store import Store, migrations
from reasoner.store.connection import Connection, connect, is_wal_safe, sqlite_version
from reasoner.store.connection import sqlite3 as chosen
from reasoner.store.migrations import STEPS
from reasoner.store.writer import Writer
from reasoner.types import Message


@pytest.mark.parametrize(
    ("version", "safe"),
    [
        ((3, 40, 1), False), ((3, 44, 5), False), ((3, 44, 6), True), ((3, 45, 0), False), ((3, 50, 6), False), ((3, 50, 7), True),
        ((3, 51, 2), False), ((3, 51, 3), True), ((3, 52, 0), False), ((3, 53, 4), True),
    ],
)  # fmt: skip
def test_version_rule(version: tuple[int, ...], safe: bool) -> None:
    assert is_wal_safe(version) is safe


def test_settings(tmp_path: Path) -> None:
    with Store.open(tmp_path / "s.db") as store:

        def pragma(name: str) -> object:
            return next(iter(store.rows(f"PRAGMA {name}")[0].values()))

        assert pragma("journal_mode") == ("wal" if is_wal_safe(sqlite_version()) else "delete")
        assert pragma("foreign_keys") == 1
        assert pragma("trusted_schema") == 0
        assert pragma("busy_timeout") == 30_000
    assert stat.S_IMODE((tmp_path / "s.db").stat().st_mode) == 0o600


def test_the_reader_cannot_write(tmp_path: Path) -> None:
    with Store.open(tmp_path / "s.db") as store, pytest.raises(StoreError):
        store.rows("DELETE FROM runs")


@contextmanager
def writing(path: Path) -> Iterator[tuple[Store, Writer]]:
    """A store, and a second writer of its file whose jobs can be queued without waiting for them."""
    with Store.open(path) as store:
        writer = Writer(connect(path), path)
        try:
            yield store, writer
        finally:
            writer.close()


def test_a_job_that_fails_takes_nothing_with_it(tmp_path: Path) -> None:
    with writing(tmp_path / "s.db") as (store, writer):
        add = "INSERT INTO messages (hash, role, content) VALUES (?, 'user', 'x')"
        good = [writer.submit(lambda c, i=i: c.execute(add, (str(i),)).rowcount) for i in range(5)]  # type: ignore[misc]
        bad = writer.submit(lambda c: c.execute(add, ("0",)))
        wrong = writer.submit(lambda _c: 1 // 0)
        half = writer.submit(lambda c: (c.execute(add, ("7",)), 1 // 0))
        after = writer.submit(lambda c: c.execute(add, ("9",)).rowcount)
        assert [f.result() for f in good] == [1] * 5
        with pytest.raises(StoreError, match="UNIQUE"):
            bad.result()
        with pytest.raises(ZeroDivisionError):
            wrong.result()
        with pytest.raises(ZeroDivisionError):
            half.result()
        assert after.result() == 1
        assert store.rows("SELECT count(*) AS n FROM messages") == [{"n": 6}]


def test_waiting_jobs_are_committed_together(tmp_path: Path) -> None:
    """Group commit: many jobs, few transactions (counted through SQLite's own data_version is not possible, so by BEGIN)."""
    with writing(tmp_path / "s.db") as (_, writer):
        begun: list[str] = []
        writer.submit(lambda c: c.set_trace_callback(lambda sql: begun.append(sql) if sql.startswith("BEGIN") else None)).result()
        first = writer.submit(lambda _c: __import__("time").sleep(0.3))
        rest = [writer.submit(lambda c: c.execute("SELECT 1").fetchone()[0]) for _ in range(100)]
        first.result()
        assert sum(f.result() for f in rest) == 100
        assert len(begun) <= 3


def test_closed_store_says_so(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "s.db")
    store.close()
    store.close()
    with pytest.raises(StoreError, match="closed"):
        store.write_now(lambda _c: None)


def test_not_a_database(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    path.write_bytes(b"this is no database, but it is long enough to be looked at" * 100)
    with pytest.raises(StoreError, match="not a database"):
        Store.open(path)
    with pytest.raises(StoreError, match="directory"):
        Store.open(tmp_path)
    with pytest.raises(StoreError, match="no database"):
        Store.open(tmp_path / "nope.db", create=False)
    with pytest.raises(StoreError, match="cannot create"):
        Store.open(tmp_path / "no" / "where.db")


def test_a_newer_file_is_refused(tmp_path: Path) -> None:
    Store.open(tmp_path / "s.db").close()
    plain = sqlite3.connect(tmp_path / "s.db")
    plain.execute("INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('reasoner', 'm999_future', 'x')")
    plain.commit()
    plain.close()
    with pytest.raises(StoreError, match="m999_future"):
        Store.open(tmp_path / "s.db")


def test_a_file_of_version_0_1_gets_the_column_for_measures_and_keeps_its_verdicts(tmp_path: Path) -> None:
    from sqlite_utils.migrations import Migrations

    from reasoner.store.migrations import m001_initial

    first = Migrations("reasoner")
    first(name="m001_initial")(m001_initial.apply)
    plain = sqlite3.connect(tmp_path / "s.db")
    first.apply(Database(plain))
    plain.execute("INSERT INTO runs VALUES ('r', '{}', 'h', 0, 'finished', NULL, 1, '', '', '', '')")
    plain.execute("INSERT INTO problems VALUES ('p', 'game24', '{}', '', 3)")
    plain.execute(
        "INSERT INTO trajectories (id, run_id, problem_id, strategy, params, model, model_fingerprint, sample, status, created)"
        " VALUES ('t', 'r', 'p', 'cot', '{}', 'm', 'm', 0, 'closed', '')"
    )
    plain.execute("INSERT INTO verdicts VALUES ('t', 1, 1.0, 'fine', 0, 'x')")
    plain.commit()
    plain.close()
    with Store.open(tmp_path / "s.db") as store:
        assert store.rows("SELECT reason, metrics FROM verdicts") == [{"reason": "fine", "metrics": None}]


def _open_and_write(path: str, number: int) -> None:
    def add(key: str) -> Callable[[Connection], int]:
        return lambda c: int(c.execute("INSERT INTO messages (hash, role, content) VALUES (?, 'user', 'x')", (key,)).rowcount)

    with Store.open(path) as store:
        for i in range(20):
            store.write_now(add(f"{number}-{i}"))


def test_processes_racing_to_open_and_write(tmp_path: Path) -> None:
    path = str(tmp_path / "s.db")
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_open_and_write, args=(path, n)) for n in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0] * 6
    with Store.open(path) as store:
        assert store.rows("SELECT count(*) AS n FROM messages") == [{"n": 120}]
        assert store.rows("PRAGMA integrity_check") == [{"integrity_check": "ok"}]
        assert [row["name"] for row in store.rows("SELECT name FROM _sqlite_migrations ORDER BY rowid")] == list(STEPS)
        assert len(STEPS) == len(list(Path(migrations.__file__).parent.glob("m[0-9]*.py")))


def test_a_new_file_that_another_process_is_about_to_write_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    other = chosen.connect(str(path), isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")  # not in WAL mode yet: changing the mode now is refused at once, whatever the busy timeout
    with ThreadPoolExecutor(1) as pool:
        made = pool.submit(connect, path)
        time.sleep(0.3)
        assert not made.done()
        other.execute("ROLLBACK")
        made.result(10).close()
    other.close()


def test_who_comes_racing_while_another_migrates_waits_and_finds_it_done(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    first = connect(path)
    first.execute("BEGIN IMMEDIATE")
    migrations.all_migrations().apply(Database(first))
    with ThreadPoolExecutor(1) as pool:
        second = pool.submit(lambda: Store.open(path).close())
        time.sleep(0.5)  # by now it has seen that everything is still to be done
        assert not second.done()
        first.execute("COMMIT")
        assert second.result(30) is None
    first.close()
    with Store.open(path) as store:
        assert [row["name"] for row in store.rows("SELECT name FROM _sqlite_migrations ORDER BY rowid")] == list(STEPS)


def test_messages_are_searchable(tmp_path: Path) -> None:
    from reasoner.store.interning import intern_message

    with Store.open(tmp_path / "s.db") as store:
        first = store.write_now(lambda c: intern_message(c, Message("user", "double nineteen")))
        assert store.write_now(lambda c: intern_message(c, Message("user", "double nineteen"))) == first
        assert store.write_now(lambda c: intern_message(c, Message("assistant", "double nineteen"))) != first
        assert len(store.rows("SELECT rowid FROM messages_fts WHERE messages_fts MATCH 'nineteen'")) == 2


def test_one_sqlite_for_the_whole_process() -> None:
    import sqlite_utils.utils

    assert chosen is vars(sqlite_utils.utils)["sqlite3"]


def test_a_file_that_is_up_to_date_opens_without_sqlite_utils(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Store.open(tmp_path / "t.db").close()
    for name in [name for name in sys.modules if name.partition(".")[0] == "sqlite_utils"]:
        monkeypatch.setitem(sys.modules, name, None)
    with Store.open(tmp_path / "t.db") as store:
        store.write_now(lambda c: c.execute("INSERT INTO problems VALUES ('p', 'sum', '{}', '1 2', 1)"))
    with pytest.raises(ImportError), Store.open(tmp_path / "new.db"):
        pass
