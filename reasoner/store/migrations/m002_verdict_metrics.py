"""Verdicts may carry measures beside the score: `{"chrf": 41.2, "coverage": 0.93}` as JSON, NULL where there are none."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlite_utils import Database


def apply(db: Database) -> None:
    """Add the column."""
    db.execute("ALTER TABLE verdicts ADD COLUMN metrics TEXT")
