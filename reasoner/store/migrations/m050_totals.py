"""Totals of each run beside it (`run_totals`), kept by triggers, so that a list of runs reads none of their trajectories.

Whoever writes a trajectory or a verdict, and by whatever statement, the totals follow in the same transaction. They stand in a table of
their own: a run's row holds its whole plan, and changing a number in it would write that again. An index of strategy, model and status
takes the place of the one the totals were summed from before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlite_utils import Database

STATES = ("open", "closed", "exhausted", "failed")
SUMS = ("calls", "cached_calls", "prompt_tokens", "completion_tokens")
COLUMNS = ("trajectories", *STATES, *SUMS, "judged", "correct")

_DEFINED = ", ".join(f"{name} INTEGER NOT NULL DEFAULT 0" for name in COLUMNS)
_STATE_SUMS = ", ".join(f"sum(status = '{name}')" for name in STATES)
_SUM_SUMS = ", ".join(f"sum({name})" for name in SUMS)


def _trajectory(row: str, sign: str) -> str:
    """Return the statement that adds a trajectory to the totals of its run, or takes it out."""
    states = [f"{name} = {name} {sign} ({row}.status = '{name}')" for name in STATES]
    sums = [f"{name} = {name} {sign} {row}.{name}" for name in SUMS]
    return f"UPDATE run_totals SET trajectories = trajectories {sign} 1, {', '.join((*states, *sums))} WHERE run_id = {row}.run_id;"  # noqa: S608 - column names


def _verdict(row: str, sign: str) -> str:
    """Return the statement that adds a verdict to the totals of its trajectory's run, or takes it out."""
    return (
        f"UPDATE run_totals SET judged = judged {sign} ({row}.correct IS NOT NULL), correct = correct {sign} coalesce({row}.correct, 0)"  # noqa: S608 - column names
        f" WHERE run_id = (SELECT run_id FROM trajectories WHERE id = {row}.trajectory_id);"
    )


def _verdict_of(row: str, sign: str) -> str:
    """Return the statement that adds the verdict of a trajectory to the totals of its run, or takes it out."""
    of = f"FROM verdicts WHERE trajectory_id = {row}.id"
    return (
        f"UPDATE run_totals SET judged = judged {sign} (SELECT count(correct) {of}), correct = correct {sign} (SELECT total(correct) {of})"  # noqa: S608 - column names
        f" WHERE run_id = {row}.run_id;"
    )


# Not INSERT OR IGNORE: inside a trigger the statement that set it off decides what a conflict does.
_ROW = "INSERT INTO run_totals (run_id) SELECT new.run_id WHERE NOT EXISTS (SELECT 1 FROM run_totals WHERE run_id = new.run_id);"
_MOVED = " ".join((_trajectory("old", "-"), _verdict_of("old", "-"), _ROW, _trajectory("new", "+"), _verdict_of("new", "+")))

_STATEMENTS = (
    f"CREATE TABLE run_totals (run_id TEXT PRIMARY KEY REFERENCES runs(id), {_DEFINED})",
    (
        f"INSERT INTO run_totals (run_id, trajectories, {', '.join((*STATES, *SUMS))})"  # noqa: S608 - column names
        f" SELECT run_id, count(*), {_STATE_SUMS}, {_SUM_SUMS} FROM trajectories GROUP BY run_id"
    ),
    (
        "UPDATE run_totals SET (judged, correct) = (SELECT count(v.correct), coalesce(sum(v.correct), 0) FROM trajectories t"
        " JOIN verdicts v ON v.trajectory_id = t.id WHERE t.run_id = run_totals.run_id)"
    ),
    f"CREATE TRIGGER totals_trajectory_in AFTER INSERT ON trajectories BEGIN {_ROW} {_trajectory('new', '+')} END",
    (
        f"CREATE TRIGGER totals_trajectory_changed AFTER UPDATE OF status, {', '.join(SUMS)} ON trajectories WHEN old.run_id = new.run_id"
        f" BEGIN {_trajectory('old', '-')} {_trajectory('new', '+')} END"
    ),
    f"CREATE TRIGGER totals_trajectory_moved AFTER UPDATE OF run_id ON trajectories WHEN old.run_id <> new.run_id BEGIN {_MOVED} END",
    f"CREATE TRIGGER totals_trajectory_out AFTER DELETE ON trajectories BEGIN {_trajectory('old', '-')} END",
    f"CREATE TRIGGER totals_verdict_in AFTER INSERT ON verdicts BEGIN {_verdict('new', '+')} END",
    f"CREATE TRIGGER totals_verdict_changed AFTER UPDATE ON verdicts BEGIN {_verdict('old', '-')} {_verdict('new', '+')} END",
    f"CREATE TRIGGER totals_verdict_out AFTER DELETE ON verdicts BEGIN {_verdict('old', '-')} END",
    "CREATE INDEX trajectories_contender ON trajectories(run_id, strategy, model, status)",
    "DROP INDEX IF EXISTS trajectories_totals",
)


def apply(db: Database) -> None:
    """Make the table from what is there, then the triggers that keep it."""
    for statement in _STATEMENTS:
        db.execute(statement)
