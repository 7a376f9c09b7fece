"""The first schema: runs, problems, trajectories, thoughts and edges, calls, messages and contexts, verdicts; two views.

Message texts are stored once each (`messages.hash`). What a call was asked is a chain of messages (`contexts`: each row is a
parent context plus one message), so conversations that share a beginning share its rows, and the file grows with the number
of thoughts, not with depth times thoughts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlite_utils import Database

_TABLES = """
CREATE TABLE runs (
  id TEXT PRIMARY KEY, manifest TEXT NOT NULL, manifest_hash TEXT NOT NULL, ordinal INTEGER NOT NULL, status TEXT NOT NULL,
  owner TEXT, epoch INTEGER NOT NULL, command TEXT NOT NULL, version TEXT NOT NULL, created TEXT NOT NULL, updated TEXT NOT NULL,
  UNIQUE (manifest_hash, ordinal)
);
CREATE TABLE problems (
  id TEXT PRIMARY KEY, solver TEXT NOT NULL, instance TEXT NOT NULL, line TEXT NOT NULL, level INTEGER
);
CREATE TABLE trajectories (
  id TEXT PRIMARY KEY, run_id TEXT NOT NULL REFERENCES runs(id), problem_id TEXT NOT NULL REFERENCES problems(id),
  strategy TEXT NOT NULL, params TEXT NOT NULL, model TEXT NOT NULL, model_fingerprint TEXT NOT NULL, sample INTEGER NOT NULL,
  status TEXT NOT NULL, answer TEXT, answer_thought TEXT, error TEXT, error_kind TEXT, dag_hash TEXT,
  calls INTEGER NOT NULL DEFAULT 0, prompt_tokens INTEGER NOT NULL DEFAULT 0, completion_tokens INTEGER NOT NULL DEFAULT 0,
  cached_tokens INTEGER NOT NULL DEFAULT 0, seconds REAL NOT NULL DEFAULT 0, cost REAL, created TEXT NOT NULL, finished TEXT
);
CREATE INDEX trajectories_run ON trajectories(run_id);
CREATE INDEX trajectories_problem ON trajectories(problem_id);
CREATE TABLE messages (id INTEGER PRIMARY KEY, hash TEXT NOT NULL UNIQUE, role TEXT NOT NULL, content TEXT NOT NULL);
CREATE TABLE contexts (
  id INTEGER PRIMARY KEY, parent_id INTEGER REFERENCES contexts(id), message_id INTEGER NOT NULL REFERENCES messages(id),
  depth INTEGER NOT NULL
);
CREATE UNIQUE INDEX contexts_step ON contexts(coalesce(parent_id, 0), message_id);
CREATE TABLE calls (
  id INTEGER PRIMARY KEY, key TEXT NOT NULL, attempt INTEGER NOT NULL, trajectory_id TEXT NOT NULL REFERENCES trajectories(id),
  state TEXT NOT NULL CHECK (state IN ('intent', 'done', 'failed', 'unknown')),
  parent_thought TEXT NOT NULL, role TEXT NOT NULL, ordinal INTEGER NOT NULL, template_hash TEXT NOT NULL,
  context_id INTEGER NOT NULL REFERENCES contexts(id), sampling TEXT NOT NULL, seed INTEGER NOT NULL, constraint_requested TEXT,
  constraint_applied TEXT, model TEXT, reserved_tokens INTEGER, reserved_cost REAL, epoch INTEGER NOT NULL,
  reply_id INTEGER REFERENCES messages(id), finish_reason TEXT, prompt_tokens INTEGER, completion_tokens INTEGER,
  cached_tokens INTEGER, cost REAL, seconds REAL, mean_logprob REAL, retries INTEGER NOT NULL DEFAULT 0, error TEXT,
  created TEXT NOT NULL, finished TEXT,
  UNIQUE (key, attempt)
);
CREATE INDEX calls_trajectory ON calls(trajectory_id);
CREATE TABLE thoughts (
  id TEXT PRIMARY KEY, trajectory_id TEXT NOT NULL REFERENCES trajectories(id), call_id INTEGER REFERENCES calls(id),
  position INTEGER NOT NULL, ordinal INTEGER NOT NULL, role TEXT NOT NULL, label TEXT NOT NULL, operation TEXT NOT NULL,
  message_id INTEGER REFERENCES messages(id), text TEXT, state TEXT, score REAL, fate TEXT NOT NULL, depth INTEGER NOT NULL
);
CREATE INDEX thoughts_trajectory ON thoughts(trajectory_id);
CREATE TABLE thought_edges (
  parent TEXT NOT NULL REFERENCES thoughts(id), child TEXT NOT NULL REFERENCES thoughts(id), PRIMARY KEY (parent, child)
) WITHOUT ROWID;
CREATE INDEX thought_edges_child ON thought_edges(child);
CREATE TABLE verdicts (
  trajectory_id TEXT PRIMARY KEY REFERENCES trajectories(id), correct INTEGER NOT NULL, score REAL NOT NULL, reason TEXT NOT NULL,
  unparsed INTEGER NOT NULL, created TEXT NOT NULL
)
"""

_TRAJECTORY_COST = """
SELECT t.id AS trajectory_id, t.run_id, count(c.id) AS calls, sum(c.prompt_tokens) AS prompt_tokens,
       sum(c.completion_tokens) AS completion_tokens, sum(c.cached_tokens) AS cached_tokens, sum(c.seconds) AS seconds,
       CASE WHEN count(c.id) = count(c.cost) THEN sum(c.cost) END AS cost
FROM trajectories t LEFT JOIN calls c ON c.trajectory_id = t.id AND c.state = 'done' GROUP BY t.id
"""

_LEADERBOARD = """
SELECT t.run_id, p.solver, t.strategy, t.params, t.model, p.level, count(*) AS n, sum(coalesce(v.correct, 0)) AS correct,
       1.0 * sum(coalesce(v.correct, 0)) / count(*) AS accuracy, sum(coalesce(v.unparsed, 0)) AS unparsed,
       sum(t.status = 'failed') AS failed, sum(t.calls) AS calls, sum(t.prompt_tokens) AS prompt_tokens,
       sum(t.completion_tokens) AS completion_tokens, sum(t.seconds) AS seconds
FROM trajectories t JOIN problems p ON p.id = t.problem_id LEFT JOIN verdicts v ON v.trajectory_id = t.id
WHERE t.status <> 'open' GROUP BY t.run_id, p.solver, t.strategy, t.params, t.model, p.level
"""

_THOUGHT_TEXTS = """
SELECT t.id, t.trajectory_id, t.position, t.role, t.label, t.operation, coalesce(t.text, m.content) AS text,
       t.state, t.score, t.fate, t.depth
FROM thoughts t LEFT JOIN messages m ON m.id = t.message_id
"""


def apply(db: Database) -> None:
    """Create the schema."""
    for statement in _TABLES.split(";"):
        db.execute(statement)
    db.create_view("trajectory_cost", _TRAJECTORY_COST)
    db.create_view("leaderboard", _LEADERBOARD)
    db.create_view("thought_texts", _THOUGHT_TEXTS)
    db.table("messages").enable_fts(["content"], create_triggers=True)
