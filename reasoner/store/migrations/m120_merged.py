"""What was merged from the segments of a sharded run: the segments, and which version of each trajectory stands here.

A trajectory's version is the epoch and the number of the segment it came from; an older one never takes the place of a newer one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlite_utils import Database

_STATEMENTS = (
    """
CREATE TABLE merged_segments (
  name TEXT PRIMARY KEY, run_id TEXT NOT NULL REFERENCES runs(id), shard INTEGER NOT NULL, epoch INTEGER NOT NULL, number INTEGER NOT NULL,
  trajectories INTEGER NOT NULL, merged TEXT NOT NULL
) WITHOUT ROWID""",
    "CREATE INDEX merged_segments_run ON merged_segments(run_id)",
    """
CREATE TABLE merged_trajectories (
  trajectory_id TEXT PRIMARY KEY REFERENCES trajectories(id), epoch INTEGER NOT NULL, number INTEGER NOT NULL
) WITHOUT ROWID""",
)


def apply(db: Database) -> None:
    """Add the tables."""
    for statement in _STATEMENTS:
        db.execute(statement)
