"""A verdict may leave open whether an answer is right (`correct` is NULL), and says what compared, what found the answer, and who judged.

SQLite cannot lift a NOT NULL, so the table is made anew; views and indexes on it are written again as they were.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlite_utils import Database

_TABLE = """
CREATE TABLE judged_verdicts (
  trajectory_id TEXT PRIMARY KEY REFERENCES trajectories(id), correct INTEGER, score REAL NOT NULL, reason TEXT NOT NULL,
  unparsed INTEGER NOT NULL, created TEXT NOT NULL, metrics TEXT, grader TEXT NOT NULL DEFAULT '', reader TEXT NOT NULL DEFAULT '',
  judged_by TEXT NOT NULL DEFAULT ''
)
"""
_KEPT = "trajectory_id, correct, score, reason, unparsed, created, metrics"


def apply(db: Database) -> None:
    """Make the table anew."""
    views = db.execute("SELECT name, sql FROM sqlite_master WHERE type = 'view' AND sql LIKE '%verdicts%'").fetchall()
    indexes = db.execute("SELECT sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 'verdicts' AND sql IS NOT NULL").fetchall()
    for name, _ in views:
        db.execute(f"DROP VIEW [{name}]")
    db.execute(_TABLE)
    db.execute(f"INSERT INTO judged_verdicts ({_KEPT}) SELECT {_KEPT} FROM verdicts")  # noqa: S608 - fixed names
    db.execute("DROP TABLE verdicts")
    db.execute("ALTER TABLE judged_verdicts RENAME TO verdicts")
    for (sql,) in [*indexes, *((sql,) for _, sql in views)]:
        db.execute(sql)
