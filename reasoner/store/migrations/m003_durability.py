"""Shared work and budgets of whole runs: workers with leases, claimed trajectories, stored plans, what lost calls may have cost.

A trajectory is worked on by the `owner` that claimed it; `epoch` counts the claims, so that a process that lost its claim can write
nothing more. `lost_claims` counts claims in a row whose worker died without one further call committed. A call's `lost_*` is the worst
case of attempts that gave no answer and may have been billed; `cached_from` names the call whose answer was taken instead of asking.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlite_utils import Database

_CHANGES = """
ALTER TABLE runs ADD COLUMN plan TEXT;
ALTER TABLE runs ADD COLUMN parent_run TEXT REFERENCES runs(id);
ALTER TABLE runs ADD COLUMN limits TEXT;
ALTER TABLE runs ADD COLUMN used_calls INTEGER NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN used_tokens INTEGER NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN used_seconds REAL NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN used_cost REAL NOT NULL DEFAULT 0;
ALTER TABLE trajectories ADD COLUMN owner TEXT;
ALTER TABLE trajectories ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0;
ALTER TABLE trajectories ADD COLUMN lost_claims INTEGER NOT NULL DEFAULT 0;
ALTER TABLE trajectories ADD COLUMN done_at_claim INTEGER NOT NULL DEFAULT 0;
ALTER TABLE trajectories ADD COLUMN cached_calls INTEGER NOT NULL DEFAULT 0;
ALTER TABLE trajectories ADD COLUMN fork_of TEXT REFERENCES trajectories(id);
ALTER TABLE trajectories ADD COLUMN fork_at TEXT;
ALTER TABLE calls ADD COLUMN cached_from INTEGER REFERENCES calls(id);
ALTER TABLE calls ADD COLUMN lost_calls INTEGER NOT NULL DEFAULT 0;
ALTER TABLE calls ADD COLUMN lost_tokens INTEGER NOT NULL DEFAULT 0;
ALTER TABLE calls ADD COLUMN lost_cost REAL;
CREATE TABLE workers (
  id TEXT PRIMARY KEY, run_id TEXT NOT NULL REFERENCES runs(id), lease_until REAL NOT NULL, created TEXT NOT NULL
);
CREATE INDEX trajectories_owned ON trajectories(run_id) WHERE owner IS NOT NULL;
CREATE INDEX calls_under_way ON calls(trajectory_id) WHERE state = 'intent';
CREATE INDEX calls_answered ON calls(context_id, seed) WHERE state = 'done'
"""


def apply(db: Database) -> None:
    """Add the columns, the table of workers and the indexes."""
    for statement in _CHANGES.split(";"):
        db.execute(statement)
