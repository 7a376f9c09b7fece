"""Indexes for looking: runs by time, a run's totals without reading its rows, and from a message back to the calls that hold it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlite_utils import Database

_INDEXES = (
    "CREATE INDEX runs_created ON runs(created)",
    "CREATE INDEX trajectories_totals ON trajectories(run_id, status, calls, prompt_tokens, completion_tokens)",
    "CREATE INDEX verdicts_correct ON verdicts(correct, trajectory_id)",
    "CREATE INDEX calls_reply ON calls(reply_id)",
    "CREATE INDEX calls_context ON calls(context_id)",
    "CREATE INDEX contexts_message ON contexts(message_id)",
)


def apply(db: Database) -> None:
    """Add the indexes."""
    for statement in _INDEXES:
        db.execute(statement)
