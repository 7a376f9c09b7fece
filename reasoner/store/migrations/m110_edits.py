"""Edits: what a person made of a trajectory's answer; one of each trajectory."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlite_utils import Database


def apply(db: Database) -> None:
    """Add the table."""
    db.execute(
        "CREATE TABLE edits (trajectory_id TEXT PRIMARY KEY REFERENCES trajectories(id), text TEXT NOT NULL, created TEXT NOT NULL,"
        " updated TEXT NOT NULL) WITHOUT ROWID"
    )
