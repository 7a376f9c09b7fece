"""Read when each call and action of a trajectory ran, what it used and which thought it made.

timeline(store, "9f3c...") -> [{"kind": "call", "name": "tot/propose", "created": "2026-...", "seconds": 0.09, "thought": "11d0...", ...}]
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reasoner.store.database import Store

_STEPS = """
SELECT 'call' AS kind, id, role AS name, state, created, finished, seconds, prompt_tokens, completion_tokens, cost, cached_from, error,
       context_id, reply_id FROM calls WHERE trajectory_id = ?1
UNION ALL
SELECT 'action', id, tool, state, created, finished, seconds, NULL, NULL, NULL, taken_from, error, arguments_id, result_id
FROM actions WHERE trajectory_id = ?1
ORDER BY created, kind DESC, id LIMIT ?2 OFFSET ?3
"""


def timeline(store: Store, trajectory_id: str, *, limit: int = 100, offset: int = 0) -> list[dict[str, Any]]:
    """Return calls and actions in the order they were begun, all attempts, with the first thought each made (`thought`, `label`, `status`)."""
    steps = store.rows(_STEPS, (trajectory_id, limit, offset))
    made = {kind: _made(store, trajectory_id, kind, [step["id"] for step in steps if step["kind"] == kind]) for kind in ("call", "action")}
    nothing = {"thought": None, "label": "", "status": None}
    return [step | made[step["kind"]].get(step["id"], nothing) for step in steps]


def n_steps(store: Store, trajectory_id: str) -> int:
    """Return how many calls and actions a trajectory has, all attempts."""
    sql = "SELECT (SELECT count(*) FROM calls WHERE trajectory_id = ?1) + (SELECT count(*) FROM actions WHERE trajectory_id = ?1)"
    return int(store.tuples(sql, (trajectory_id,))[0][0])


def span(store: Store, trajectory_id: str) -> tuple[str, str] | None:
    """Return when the first call or action was begun and when the last one ended, None where there are none."""
    sql = (
        "SELECT min(created), max(coalesce(finished, created)) FROM (SELECT created, finished FROM calls WHERE trajectory_id = ?1"
        " UNION ALL SELECT created, finished FROM actions WHERE trajectory_id = ?1)"
    )
    first, last = store.tuples(sql, (trajectory_id,))[0]
    return None if first is None else (str(first), str(last))


def texts(store: Store, message_ids: list[int]) -> dict[int, dict[str, Any]]:
    """Return messages by id: `content`, `reasoning` and `parts` (JSON of tool calls and opaque items)."""
    rows = store.rows(
        "SELECT m.id, m.content, m.parts, (SELECT content FROM messages WHERE id = m.reasoning_id) AS reasoning FROM messages m"
        " WHERE m.id IN (SELECT value FROM json_each(?))",
        (json.dumps(message_ids),),
    )
    return {row["id"]: row for row in rows}


def _made(store: Store, trajectory_id: str, kind: str, ids: list[int]) -> dict[int, dict[str, Any]]:
    column = "call_id" if kind == "call" else "action_id"
    rows = store.rows(
        f"SELECT {column} AS step, id AS thought, label, status, min(position) FROM thoughts WHERE trajectory_id = ? AND {column} IN"  # noqa: S608 - a constant
        f" (SELECT value FROM json_each(?)) GROUP BY {column}",
        (trajectory_id, json.dumps(ids)),
    )
    return {row["step"]: {"thought": row["thought"], "label": row["label"], "status": row["status"]} for row in rows}
