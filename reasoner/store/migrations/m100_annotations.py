"""Annotations: what a person says of a trajectory, a label and a note; one of each trajectory. Either text may be empty."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlite_utils import Database

_STATEMENTS = (
    """
CREATE TABLE annotations (
  trajectory_id TEXT PRIMARY KEY REFERENCES trajectories(id), label TEXT NOT NULL, note TEXT NOT NULL, created TEXT NOT NULL, updated TEXT NOT NULL
) WITHOUT ROWID""",
    "CREATE INDEX annotations_label ON annotations(label)",
)


def apply(db: Database) -> None:
    """Add the table and its index."""
    for statement in _STATEMENTS:
        db.execute(statement)
