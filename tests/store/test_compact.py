"""A file from before `m010_compact` is read, searched, resumed and exported as before, and takes fewer bytes."""

from __future__ import annotations

import sqlite3
from functools import partial
from pathlib import Path

import pytest
from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

from reasoner.errors import StoreError
from reasoner.store import Store, reading
from reasoner.store.connection import Connection
from reasoner.store.interning import intern_message, intern_settings, packed
from reasoner.store.migrations import m001_initial, m002_verdict_metrics
from reasoner.store.queries import calls
from reasoner.types import Message, digest

KEY = digest("a call")
HASHES = {"t1": digest("template one"), "t2": digest("template two")}
SETTINGS = [("t1", "{}", None), ("t1", "{}", '["json_schema",{}]'), ("t2", "{}", None), ("t1", '{"seed":1}', None), ("t1", "{}", None)]
KEYS = [KEY, digest("another"), "ABCD", "a key of another program", digest("a third")]


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A file as the first two migrations made it, with a column a later one may have added."""
    path = tmp_path / "old.db"
    first = Migrations("reasoner")
    first(name="m001_initial")(m001_initial.apply)
    first(name="m002_verdict_metrics")(m002_verdict_metrics.apply)
    c = sqlite3.connect(path)
    first.apply(Database(c))
    c.execute("ALTER TABLE calls ADD COLUMN later TEXT")
    c.execute("INSERT INTO runs VALUES ('r', '{}', 'h', 0, 'finished', NULL, 1, '', '', '', '')")
    c.execute("INSERT INTO problems VALUES ('p', 'game24', '{}', '', 3)")
    c.execute(
        "INSERT INTO trajectories (id, run_id, problem_id, strategy, params, model, model_fingerprint, sample, status, created)"
        " VALUES ('t', 'r', 'p', 'cot', '{}', 'm', 'm', 0, 'closed', '')"
    )
    for n, (role, text) in enumerate((("user", "double nineteen"), ("assistant", "thirty-eight")), start=1):
        c.execute("INSERT INTO messages VALUES (?, ?, ?, ?)", (n, digest(role, text), role, text))
    c.execute("INSERT INTO contexts VALUES (1, NULL, 1, 0)")
    for n, (key, (template, sampling, constraint)) in enumerate(zip(KEYS, SETTINGS, strict=True), start=1):
        c.execute(
            "INSERT INTO calls (id, key, attempt, trajectory_id, state, parent_thought, role, ordinal, template_hash, context_id, sampling,"
            " seed, constraint_requested, epoch, reply_id, created, later) VALUES (?, ?, 0, 't', 'done', 'a', 'x', 0, ?, 1, ?, 0, ?, 1, 2, 'now', 'kept')",
            (n, key, HASHES[template], sampling, constraint),
        )
    for n, name in enumerate("abc"):
        c.execute("INSERT INTO thoughts VALUES (?, 't', NULL, ?, 0, 'x', '', '', NULL, '', NULL, NULL, 'kept', 0)", (name, n))
    c.executemany("INSERT INTO thought_edges VALUES (?, ?)", [("a", "b"), ("a", "c"), ("b", "c")])
    c.commit()
    c.close()
    return path


def _settings(template: str, sampling: str, constraint: str | None, c: Connection) -> int:
    return intern_settings(c, template_hash=HASHES[template], sampling=sampling, constraint=constraint)


def test_nothing_is_lost(old: Path) -> None:
    before = sqlite3.connect(old)
    before.row_factory = sqlite3.Row
    was = [dict(row) for row in before.execute("SELECT * FROM calls ORDER BY id")]
    before.close()
    with Store.open(old) as store:
        told = store.rows("SELECT * FROM call_details ORDER BY id")
        assert [{name: row[name] for name in was[0]} for row in told] == was  # every column, the later one too
        assert {row["lost_calls"] for row in told} == {0}, "what the migration between has added is shown as well"
        assert [row["key"] for row in store.rows("SELECT key FROM calls ORDER BY id")] == KEYS
        assert {row["settings_id"] for row in store.rows("SELECT settings_id FROM calls")} == {1, 2, 3, 4}
        assert store.tuples("SELECT parent, child FROM thought_edges ORDER BY 1, 2") == [("a", "b"), ("a", "c"), ("b", "c")]
        assert [row["reply"] for row in calls(store, "t")] == ["thirty-eight"] * 5
        assert reading.call_keys(store, "t") == KEYS
        assert store.tuples("SELECT rowid FROM messages_fts WHERE messages_fts MATCH '\"double nineteen\"'") == [(1,)]
        assert store.tuples("PRAGMA foreign_key_check") == []
        assert store.rows("PRAGMA integrity_check") == [{"integrity_check": "ok"}]


def test_what_is_there_is_found_again(old: Path) -> None:
    with Store.open(old) as store:
        assert store.write_now(lambda c: intern_message(c, Message("user", "double nineteen"))) == 1
        assert store.write_now(lambda c: intern_message(c, Message("assistant", "double nineteen"))) == 3
        assert store.tuples("SELECT rowid FROM messages_fts WHERE messages_fts MATCH 'nineteen' ORDER BY 1") == [(1,), (3,)]
        again = [store.write_now(partial(_settings, *given)) for given in SETTINGS]
        assert again == [row["settings_id"] for row in store.rows("SELECT settings_id FROM calls ORDER BY id")]
        assert store.tuples("SELECT id FROM calls WHERE key_bytes = ?", (packed(KEY),)) == [(1,)]
        assert "sqlite_autoindex_calls_1" in str(
            store.tuples("EXPLAIN QUERY PLAN SELECT id FROM calls WHERE key_bytes = ?", (packed(KEY),))
        )


def test_keys_are_still_unique(old: Path) -> None:
    with Store.open(old) as store, pytest.raises(StoreError, match="UNIQUE"):
        store.write_now(
            lambda c: c.execute(
                "INSERT INTO calls (key_bytes, attempt, trajectory_id, state, parent_thought, role, ordinal, context_id, seed, epoch, created)"
                " VALUES (?, 0, 't', 'intent', 'a', 'x', 0, 1, 0, 1, '')",
                (packed(KEY),),
            )
        )


def test_a_text_with_the_hash_of_another_is_refused(old: Path) -> None:
    with Store.open(old) as store:
        store.write_now(lambda c: c.execute("UPDATE messages SET content = 'double eighteen' WHERE id = 1"))
        with pytest.raises(StoreError, match="the hash of another text"):
            store.write_now(lambda c: intern_message(c, Message("user", "double nineteen")))


@pytest.mark.parametrize(("key", "kept"), [("00ff", b"\x00\xff"), ("00FF", "00FF"), ("00 ff", "00 ff"), ("abc", "abc"), ("", b"")])
def test_only_what_reads_back_the_same_is_packed(key: str, kept: bytes | str) -> None:
    assert packed(key) == kept


def test_other_programs_read_it_as_it_is(old: Path) -> None:
    Store.open(old).close()
    db = Database(old)
    assert [row["key"] for row in db.view("call_details").rows] == KEYS
    assert db.table("messages").detect_fts() == "messages_fts"
    assert [row["id"] for row in db.table("messages").search("nineteen")] == [1]
