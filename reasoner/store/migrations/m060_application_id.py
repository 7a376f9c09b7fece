"""The header says whose file it is, so that `file` and other programs can tell, and a foreign file is told from ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlite_utils import Database

APPLICATION_ID = 0x52534E52


def apply(db: Database) -> None:
    """Set the application id."""
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
