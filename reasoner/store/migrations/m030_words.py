"""The status of a thought is called `status`; it was called `fate`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlite_utils import Database


def apply(db: Database) -> None:
    """Rename the column; views that show it follow."""
    db.execute("ALTER TABLE thoughts RENAME COLUMN fate TO status")
