"""A segment with a right hash and wrong contents is left out and told; the others are merged, and the disk's own faults are not taken for it."""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from shards import Cut, contents, cut, single, small_plan

from reasoner.canonical import canonical_json
from reasoner.errors import StoreError
from reasoner.scale.leases import newest
from reasoner.scale.merging import merge
from reasoner.scale.segments import HASH_DIGITS, named, names_of, unpacked
from reasoner.scale.shared import shared

PLAN = small_plan(4, strategies="cot")


@pytest.fixture(scope="module")
def worked(tmp_path_factory: pytest.TempPathFactory) -> Cut:
    made = cut(tmp_path_factory.mktemp("worked"), PLAN, n=2)
    made.run_all()
    return made


def packed(made: Cut, database: bytes, shard: int = 0, number: int = 90, told_number: int = 90, told_shard: int = 0) -> str:
    """Put a segment with such a database in it, and return its name."""
    lease = newest(made.place, shard)
    assert lease is not None
    run = merge(made.place, made.local / "look.db", declare=False).run
    head = {"format": "reasoner-segment 1", "run": run, "shard": told_shard, "epoch": lease.epoch, "number": told_number}
    data = canonical_json(head).encode() + b"\n" + zlib.compress(database)
    name = f"e{lease.epoch:04d}-{number:06d}-{hashlib.sha256(data).hexdigest()[:HASH_DIGITS]}.seg"
    (Path(made.place.place) / "segments" / f"{shard:05d}" / name).write_bytes(data)
    return name


def genuine(made: Cut, folder: Path) -> Path:
    """Return the database of a segment as it was sealed."""
    each = names_of(made.place, 0)[0][0]
    data = (Path(made.place.place) / each.path).read_bytes()
    path = folder / "genuine.db"
    path.write_bytes(zlib.decompress(data.partition(b"\n")[2]))
    return path


def spoilt(path: Path, *statements: str) -> bytes:
    with sqlite3.connect(path) as connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()
    return path.read_bytes()


ENDLESS = "CREATE VIEW trajectories AS WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n) SELECT id, 'x' AS run_id FROM n"
SPOILT: dict[str, Callable[[Path], bytes]] = {
    "no database": lambda _: b"x" * 5000,
    "another program's": lambda path: spoilt(path, "PRAGMA application_id = 7"),
    "a table in the way of ours": lambda path: spoilt(path, "PRAGMA legacy_alter_table = ON", "ALTER TABLE trajectories RENAME TO old", ENDLESS),
    "a table more": lambda path: spoilt(path, "CREATE TABLE more (x)"),
    "a call without its conversation": lambda path: spoilt(path, "DELETE FROM contexts"),
    "a null": lambda path: spoilt(
        path, "PRAGMA writable_schema = ON", "UPDATE sqlite_master SET sql = replace(sql, 'strategy TEXT NOT NULL', 'strategy TEXT') WHERE name = 'trajectories'"
    ),
    "cut off": lambda path: path.read_bytes()[:20_000],
    "scribbled over": lambda path: path.read_bytes()[:8192] + b"\x07" * 30_000 + path.read_bytes()[38_192:],
}  # fmt: skip


@pytest.mark.parametrize("kind", SPOILT)
def test_a_segment_that_holds_something_else_is_left_out(kind: str, worked: Cut, tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    shutil.copytree(worked.place.place, folder)
    made = Cut(shared(folder), tmp_path, 2)
    name = packed(made, SPOILT[kind](genuine(made, tmp_path)))
    merged = merge(made.place, tmp_path / "many.db")
    assert [line for line in merged.told if name in line and line.startswith("foreign")], merged.told
    assert merged.states["complete"] == 1, "the other shard is merged"
    single(tmp_path / "one.db", PLAN)
    assert contents(tmp_path / "many.db") == contents(tmp_path / "one.db")


def test_a_segment_under_another_name_or_in_another_shard_is_left_out(worked: Cut, tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    shutil.copytree(worked.place.place, folder)
    made = Cut(shared(folder), tmp_path, 2)
    database = genuine(made, tmp_path).read_bytes()
    names = [packed(made, database, number=91), packed(made, database, shard=1)]
    merged = merge(made.place, tmp_path / "many.db")
    assert all(any(name in line and line.startswith("foreign") for line in merged.told) for name in names)


def test_a_disk_that_is_full_is_not_the_segments_fault(worked: Cut, monkeypatch: pytest.MonkeyPatch) -> None:
    found = names_of(worked.place, 0)[0][0]
    run = merge(worked.place, worked.local / "look.db", declare=False).run
    whole = Path.open

    def full(path: Path, mode: str = "r") -> object:
        if path.name == "segment.db":
            raise OSError(28, "No space left on device")
        return whole(path, mode)

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(StoreError, match="No space left"), unpacked(worked.place, found, run=run):
        pass


def test_a_name_of_a_segment_is_ascii() -> None:
    assert named(0, "e0001-000001-" + "0" * 32 + ".seg") is not None
    assert named(0, "e٠٠٠١-000001-" + "0" * 32 + ".seg") is None
