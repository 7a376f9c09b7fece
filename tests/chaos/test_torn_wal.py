"""Power cuts by their stand-in: the write-ahead log of a real run, cut off or spoilt at random, always recovers to a prefix of its commits.

A kill proves nothing of power loss, since what a process has written outlives it; a log that ends anywhere, or holds rubbish, is what a
disk may really leave. `REASONER_WAL_IMAGES` sets how many; the seed is printed.
"""

from __future__ import annotations

import hashlib
import os
import random
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from reasoner.api.solve import asolve
from reasoner.clients import open_client
from reasoner.store import Store
from reasoner.store.connection import connect
from reasoner.store.writer import Writer

IMAGES = int(os.environ.get("REASONER_WAL_IMAGES", "100"))
TABLES = ("runs", "problems", "trajectories", "calls", "messages", "contexts", "thoughts", "thought_edges", "verdicts")


def state(connection: Any) -> str:
    """A hash over every row of every table of ours."""
    made = hashlib.sha256()
    for table in TABLES:
        if connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (table,)).fetchone():
            made.update(repr((table, connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall())).encode())
    return made.hexdigest()


@pytest.fixture
async def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path, list[str]]:
    """A database and the log of a run over it, as they stand before any checkpoint, and its states after each commit, in order."""
    db = tmp_path / "t.db"
    states: list[str] = []
    monkeypatch.setattr("reasoner.store.writer.MAX_GROUP", 1)  # one job, one commit: the sequence is then known
    original = Writer._commit

    def commit(self: Writer, group: list[Any]) -> None:
        original(self, group)
        states.append(state(self._connection))

    monkeypatch.setattr(Writer, "_commit", commit)
    keeper: Store | None = None
    client = open_client("teacher")
    for instance in ("4 9 41", "3 7 20", "5 2 40"):
        if keeper is None:
            Store.open(db).close()  # the schema stands in the file itself; the log then holds the run alone
            keeper = Store.open(db)  # a second connection, so that no last one closes the log
            keeper.rows("PRAGMA wal_checkpoint(TRUNCATE)")
            states.append(state(keeper._reader))
        await asolve("number_path", instance, strategy="self_consistency:n=3", model=client, db=db)
    log = db.with_name("t.db-wal")
    kept, kept_log = tmp_path / "kept.db", tmp_path / "kept.db-wal"
    shutil.copy(db, kept)
    shutil.copy(log, kept_log)
    assert keeper is not None
    keeper.close()
    assert kept_log.stat().st_size > 100_000
    return kept, kept_log, states


def spoilt(rng: random.Random, log: bytes) -> tuple[str, bytes]:
    """Return what was done to a log, and the log."""
    data = bytearray(log)
    how = rng.choice(("cut", "cut", "cut and zeros", "cut and rubbish", "bit", "page", "swapped", "old header", "tail lost in the middle"))
    at = rng.randrange(len(data))
    frame = 4096 + 24
    n_frames = (len(data) - 32) // frame
    if how == "cut":
        del data[at:]
    elif how == "cut and zeros":
        data[at:] = bytes(len(data) - at)
    elif how == "cut and rubbish":
        data[at:] = rng.randbytes(len(data) - at)
    elif how == "bit":
        data[at] ^= 1 << rng.randrange(8)
    elif how == "page":
        start = 32 + rng.randrange(n_frames) * frame
        data[start : start + frame] = rng.randbytes(frame)
    elif how == "swapped":
        a, b = (32 + rng.randrange(n_frames) * frame for _ in range(2))
        data[a : a + frame], data[b : b + frame] = data[b : b + frame], data[a : a + frame]
    elif how == "old header":
        data[16 + rng.randrange(8)] ^= 0xFF
    else:
        start = 32 + rng.randrange(n_frames) * frame
        data[start : start + frame] = bytes(frame)
    return how, bytes(data)


@pytest.mark.slow
def test_a_torn_log_recovers_to_a_prefix(journal: tuple[Path, Path, list[str]], tmp_path: Path) -> None:
    seed = int(os.environ.get("REASONER_CHAOS_SEED", random.SystemRandom().randrange(10**6)))
    print(f"REASONER_CHAOS_SEED={seed}")  # noqa: T201 - pytest shows it when the test fails
    rng = random.Random(seed)
    kept, kept_log, states = journal
    log = kept_log.read_bytes()
    place = {found: number for number, found in enumerate(states)}
    assert len(place) > 20
    seen: Counter[int] = Counter()
    hows: Counter[str] = Counter()
    for number in range(IMAGES):
        how, image = spoilt(rng, log)
        folder = tmp_path / f"image{number}"
        folder.mkdir()
        shutil.copy(kept, folder / "t.db")
        (folder / "t.db-wal").write_bytes(image)
        with Store.open(folder / "t.db") as store:
            assert store.rows("PRAGMA integrity_check") == [{"integrity_check": "ok"}], how
            assert store.rows("PRAGMA foreign_key_check") == [], how
            recovered = state(store._reader)
        assert recovered in place, f"image {number} ({how}) is no prefix of the commits"
        seen[place[recovered]] += 1
        hows[how] += 1
        shutil.rmtree(folder)
    print(f"{len(states)} commits, {len(seen)} lengths seen", dict(hows))  # noqa: T201 - the measure of the full run
    assert len(seen) >= min(20, len(states) // 2)


def test_the_whole_log_holds_every_commit(journal: tuple[Path, Path, list[str]]) -> None:
    kept, _, states = journal
    connection = connect(kept)
    assert state(connection) == states[-1]
    connection.close()
