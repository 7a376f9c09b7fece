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
    """Make the table anew. In the totals of a run (`m050_totals`) only exact verdicts count, and so do they in the leaderboard."""
    about = db.execute(
        "SELECT type, name, sql FROM sqlite_master WHERE type IN ('view', 'trigger') AND sql LIKE '%verdicts%'"
        " UNION ALL SELECT type, name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 'verdicts' AND sql IS NOT NULL"
    ).fetchall()
    for kind, name, _ in about:
        db.execute(f"DROP {kind} [{name}]")
    db.execute(_TABLE)
    db.execute(f"INSERT INTO judged_verdicts ({_KEPT}) SELECT {_KEPT} FROM verdicts")  # noqa: S608 - fixed names
    db.execute("DROP TABLE verdicts")
    db.execute("ALTER TABLE judged_verdicts RENAME TO verdicts")
    for kind, _, sql in about:
        db.execute(sql if kind == "index" else exact_only(sql))


def exact_only(sql: str) -> str:
    """Return a statement over verdicts that leaves out what models judged."""
    for row in ("old", "new", "v"):
        sql = sql.replace(f"{row}.correct", f"iif({row}.judged_by = '', {row}.correct, NULL)")
    return sql.replace("count(correct)", "count(iif(judged_by = '', correct, NULL))").replace(
        "total(correct)", "total(iif(judged_by = '', correct, 0))"
    )
