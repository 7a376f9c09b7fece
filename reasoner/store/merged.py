"""What a store knows of the shards it was merged from: planned trajectories, merged segments, how far each shard is.

plant(store, rows)                       all trajectories of a plan as open ones, in its order, before anything is merged
merged_segments(store, run_id)           names of the segments whose trajectories stand here
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from reasoner.canonical import canonical_json, digest
from reasoner.errors import StoreError
from reasoner.redaction import redact
from reasoner.store.claims import SHARED_BUDGET, insert_trajectory
from reasoner.store.times import now
from reasoner.store.transfer import put_trajectories

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from reasoner.store.claims import TrajectoryRow
    from reasoner.store.connection import Connection
    from reasoner.store.database import Store
    from reasoner.store.transfer import Read, Version

BATCH = 1000


@dataclass(frozen=True, slots=True)
class SegmentRow:
    """A segment that was merged."""

    name: str
    run_id: str
    shard: int
    version: Version


def plant(store: Store, rows: Iterable[TrajectoryRow]) -> None:
    """Insert the trajectories of a plan as open ones that nobody works on: what is exported later stands in the plan's order, whatever comes first."""
    line = iter(rows)
    while batch := list(islice(line, BATCH)):

        def job(c: Connection, batch: Sequence[TrajectoryRow] = batch) -> None:
            for row in batch:
                insert_trajectory(c, row, owner=None, epoch=0)

        store.write_now(job, durable=False)


def insert_run(c: Connection, run_id: str, manifest: Mapping[str, Any]) -> None:
    """Insert a run that trajectories are to be copied into; one that is there stays as it is."""
    text = canonical_json(manifest)
    c.execute(
        "INSERT OR IGNORE INTO runs (id, manifest, manifest_hash, ordinal, status, epoch, command, version, created, updated)"
        " VALUES (?, ?, ?, 0, 'interrupted', 0, '', ?, ?, ?)",
        (run_id, redact(text), digest(text), str(manifest.get("version", "")), now(), now()),
    )


def schema_of(store: Store) -> list[tuple[Any, ...]]:
    """Return the tables, indexes and views of a store, as they were made."""
    return store.tuples(
        "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite!_stat%' ESCAPE '!' ORDER BY type, name"
    )


def check_foreign(store: Store, *, schema: Sequence[tuple[Any, ...]]) -> None:
    """Hold a store that came from elsewhere to be whole: our tables and nothing in their place, and no row that names one that is not there.

    Raises:
        StoreError: it is not.
    """
    if schema_of(store) != schema:
        raise StoreError("its tables are others")
    if (said := store.check()) != "ok":
        raise StoreError(said)
    if store.tuples("PRAGMA foreign_key_check"):
        raise StoreError("it has rows that name others which are not there")


def under_way(read: Read, run_id: str) -> set[str]:
    """Return the trajectories of a run that a worker has."""
    return {name for (name,) in read("SELECT id FROM trajectories WHERE run_id = ? AND owner IS NOT NULL", (run_id,))}


def all_of_run(read: Read, run_id: str) -> list[str]:
    """Return all trajectories of a run, in the order they were begun."""
    return [name for (name,) in read("SELECT id FROM trajectories WHERE run_id = ? ORDER BY rowid", (run_id,))]


def in_order(read: Read, ids: Iterable[str]) -> list[str]:
    """Return those of some trajectories that are there, in the order they were begun."""
    sql = "SELECT id FROM trajectories WHERE id IN (SELECT value FROM json_each(?)) ORDER BY rowid"
    return [name for (name,) in read(sql, (json.dumps(list(ids)),))]


def ended_of_run(store: Store, run_id: str) -> set[str]:
    """Return the trajectories of a run that need no more work."""
    sql = "SELECT id FROM trajectories WHERE run_id = ? AND (status = 'closed' OR (status = 'exhausted' AND error_kind <> ?))"
    return {name for (name,) in store.tuples(sql, (run_id, SHARED_BUDGET))}


def last_written(read: Read) -> tuple[int, int]:
    """Return the numbers of the newest call and the newest action."""
    (found,) = read("SELECT (SELECT coalesce(max(id), 0) FROM calls), (SELECT coalesce(max(id), 0) FROM actions)", ())
    return int(found[0]), int(found[1])


def written_since(read: Read, call: int, action: int) -> set[str]:
    """Return the trajectories with calls or actions that are newer than these."""
    sql = "SELECT trajectory_id FROM calls WHERE id > ? UNION SELECT trajectory_id FROM actions WHERE id > ?"
    return {name for (name,) in read(sql, (call, action))}


def last_call(store: Store) -> int:
    """Return the number of the newest call in a store."""
    return int(store.tuples("SELECT coalesce(max(id), 0) FROM calls")[0][0])


def n_trajectories(store: Store, run_id: str) -> int:
    """Return how many trajectories a run has, open ones included."""
    return int(store.tuples("SELECT count(*) FROM trajectories WHERE run_id = ?", (run_id,))[0][0])


def worked_on(store: Store, run_id: str) -> bool:
    """Tell whether work was done on a run in this store itself: a trajectory was claimed that came from no segment."""
    sql = (
        "SELECT 1 FROM trajectories t WHERE t.run_id = ? AND t.epoch > 0"
        " AND NOT EXISTS (SELECT 1 FROM merged_trajectories m WHERE m.trajectory_id = t.id) LIMIT 1"
    )
    return bool(store.tuples(sql, (run_id,)))


def merged_segments(store: Store, run_id: str) -> set[str]:
    """Return the names of the segments of a run that were merged."""
    return {name for (name,) in store.tuples("SELECT name FROM merged_segments WHERE run_id = ?", (run_id,))}


def merge_segment(store: Store, read: Read, segment: SegmentRow, *, batch: int = 50) -> int:
    """Merge the trajectories of a segment's file, a few in each transaction, then note the segment; return how many were newer than what was here."""
    ids = all_of_run(read, segment.run_id)
    n = 0
    for begin in range(0, len(ids), batch):
        some = ids[begin : begin + batch]
        n += store.write_now(lambda c, some=some: put_trajectories(c, read, some, segment.version), durable=False)  # type: ignore[misc]
    row = (segment.name, segment.run_id, segment.shard, *segment.version, len(ids), now())
    sql = "INSERT OR IGNORE INTO merged_segments (name, run_id, shard, epoch, number, trajectories, merged) VALUES (?, ?, ?, ?, ?, ?, ?)"
    store.write_now(lambda c: c.execute(sql, row))
    return n


def is_finished(store: Store, run_id: str) -> bool:
    """Tell whether a run is there and has finished."""
    return bool(store.tuples("SELECT 1 FROM runs WHERE id = ? AND status = 'finished'", (run_id,)))
