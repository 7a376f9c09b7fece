"""Actions: the calls of tools, journalled as calls of models are.

An action is announced (`intent`), then `done` or `failed` with its result, or `unknown` where its process ended meanwhile. One that a person has to
decide is `waiting`, then `approved` (and goes on to `intent`) or `denied`. Arguments and result are messages (roles `arguments` and `tool`), stored
once each and found by the full-text search. `within` is the action whose program made this one; `taken_from` the action of another
trajectory whose result stands for it (a fork). `thoughts.action_id` names the action whose result a thought is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlite_utils import Database

_STATEMENTS = (
    """
CREATE TABLE actions (
  id INTEGER PRIMARY KEY, key_bytes BLOB NOT NULL, attempt INTEGER NOT NULL, trajectory_id TEXT NOT NULL REFERENCES trajectories(id),
  state TEXT NOT NULL CHECK (state IN ('intent', 'waiting', 'approved', 'denied', 'done', 'failed', 'unknown')),
  parent_thought TEXT NOT NULL, ordinal INTEGER NOT NULL, tool TEXT NOT NULL, effect TEXT NOT NULL, tool_fingerprint TEXT NOT NULL,
  call_id TEXT NOT NULL DEFAULT '', arguments_id INTEGER NOT NULL REFERENCES messages(id), result_id INTEGER REFERENCES messages(id),
  within INTEGER REFERENCES actions(id), taken_from INTEGER REFERENCES actions(id), seconds REAL, size_bytes INTEGER, error TEXT,
  epoch INTEGER NOT NULL, created TEXT NOT NULL, decided TEXT, reason TEXT, finished TEXT,
  key TEXT GENERATED ALWAYS AS (CASE typeof(key_bytes) WHEN 'blob' THEN lower(hex(key_bytes)) ELSE key_bytes END) VIRTUAL,
  UNIQUE (key_bytes, attempt)
)""",
    "CREATE INDEX actions_trajectory ON actions(trajectory_id)",
    "CREATE INDEX actions_waiting ON actions(state) WHERE state = 'waiting'",
    "CREATE INDEX actions_within ON actions(within) WHERE within IS NOT NULL",
    "ALTER TABLE thoughts ADD COLUMN action_id INTEGER REFERENCES actions(id)",
    "CREATE INDEX thoughts_action ON thoughts(action_id) WHERE action_id IS NOT NULL",
    """
CREATE VIEW action_details AS SELECT a.id, a.key, a.attempt, a.trajectory_id, a.state, a.parent_thought, a.ordinal, a.tool, a.effect, a.call_id,
  p.content AS arguments, r.content AS result, a.within, a.taken_from, a.seconds, a.size_bytes, a.error, a.created, a.decided, a.reason, a.finished
FROM actions a JOIN messages p ON p.id = a.arguments_id LEFT JOIN messages r ON r.id = a.result_id""",
)


def apply(db: Database) -> None:
    """Add the table, its indexes, and the view that shows arguments and results."""
    for statement in _STATEMENTS:
        db.execute(statement)
