"""Lists of problems that plans name: a run of many problems does not hold them all in its plan.

A list is found by the hash of what it holds, so runs on the same problems share one. `other` is JSON: solver, line and level where the list
names them otherwise than the row in `problems` does, which is one for all who ask the same; NULL where it does not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlite_utils import Database

_STATEMENTS = (
    "CREATE TABLE problem_lists (id INTEGER PRIMARY KEY, hash TEXT NOT NULL UNIQUE, n INTEGER NOT NULL)",
    """
CREATE TABLE listed_problems (
  list_id INTEGER NOT NULL REFERENCES problem_lists(id), position INTEGER NOT NULL, problem_id TEXT NOT NULL REFERENCES problems(id), other TEXT,
  PRIMARY KEY (list_id, position)
) WITHOUT ROWID""",
)


def apply(db: Database) -> None:
    """Add the tables."""
    for statement in _STATEMENTS:
        db.execute(statement)
