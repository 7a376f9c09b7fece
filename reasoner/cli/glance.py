"""A look into the database for commands that have something to say without one.

glance(n_runs, 0) -> 3      0 where there is no database, or none that can be read
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from reasoner.errors import ReasonerError
from reasoner.files.database_path import database_path

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from reasoner.store import Store

T = TypeVar("T")


def glance(read: Callable[[Store], T], nothing: T, *, db: Path | None = None) -> T:
    """Return what is read from a database (`REASONER_DB`, else `trajectories.db`); `nothing` where it cannot be."""
    try:
        if not database_path(db).is_file():
            return nothing
        from reasoner.store import Store  # noqa: PLC0415 - takes longer than the look

        with Store.read(db) as store:
            return read(store)
    except (ReasonerError, OSError):
        return nothing
