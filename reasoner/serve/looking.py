"""What the pages read: runs with totals, a run's trajectories, thoughts with their calls, and full-text search. Short reads, each bounded.

    list_runs(store, words="ats", page=0) -> [RunLine...]

Knows rows; draws nothing.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from reasoner.store.queries import prompt_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reasoner.store import Store

PAGE = 50
MAX_RESULTS = 50
SNIPPET = 24
"""Words around a hit."""


def list_runs(store: Store, *, words: str = "", status: str = "", page: int = 0) -> list[dict[str, Any]]:
    """Return a page of runs, newest first, one more than fits where there are further ones. `words` are looked for in the manifest."""
    clauses, params = ["1"], []
    for word in words.split()[:8]:
        clauses.append("instr(lower(r.manifest || ' ' || r.command || ' ' || r.id), lower(?)) > 0")
        params.append(word)
    if status:
        clauses.append("r.status = ?")
        params.append(status)
    sql = f"SELECT * FROM runs r WHERE {' AND '.join(clauses)} ORDER BY created DESC, rowid DESC LIMIT ? OFFSET ?"  # noqa: S608 - constants
    rows = store.rows(sql, (*params, PAGE + 1, page * PAGE))
    found = _totals(store, [row["id"] for row in rows[:PAGE]])
    for row in rows[:PAGE]:
        manifest = json.loads(row["manifest"])
        row |= {
            "solvers": manifest.get("solvers", []),
            "strategies": [pair[0] for pair in manifest.get("strategies", []) if isinstance(pair, list)],
            "models": [pair[0] for pair in manifest.get("models", []) if isinstance(pair, list)],
            **found.get(row["id"], {"n": 0, "open": 0, "failed": 0, "tokens": 0, "judged": 0, "correct": 0}),
        }
    return rows


def _totals(store: Store, ids: list[str]) -> dict[str, dict[str, int]]:
    """Sum over a page's runs, from the indexes alone."""
    marks = ",".join("?" * len(ids))
    made = store.rows(
        "SELECT run_id, count(*) AS n, sum(status = 'open') AS open, sum(status = 'failed') AS failed,"  # noqa: S608 - question marks
        f" sum(prompt_tokens + completion_tokens) AS tokens FROM trajectories WHERE run_id IN ({marks}) GROUP BY run_id",
        ids,
    )
    judged = store.rows(
        "SELECT t.run_id, count(*) AS judged, sum(v.correct) AS correct FROM verdicts v JOIN trajectories t ON t.id = v.trajectory_id"  # noqa: S608
        f" WHERE t.run_id IN ({marks}) GROUP BY t.run_id",
        ids,
    )
    sums = {row["run_id"]: row for row in judged}
    return {row["run_id"]: {**row, "judged": 0, "correct": 0, **sums.get(row["run_id"], {})} for row in made}


def run_row(store: Store, run_id: str) -> dict[str, Any] | None:
    """Return a run with its totals, None when it is not there."""
    row = store.row("SELECT * FROM runs WHERE id = ?", (run_id,))
    if row is None:
        return None
    return row | _totals(store, [run_id]).get(run_id, {"n": 0, "open": 0, "failed": 0, "tokens": 0, "judged": 0, "correct": 0})


_LISTED = """
SELECT t.id, t.strategy, t.model, t.sample, t.status, t.calls, t.prompt_tokens + t.completion_tokens AS tokens, t.problem_id, t.error,
       t.answer, p.solver, substr(p.line, 1, 400) AS line, p.level, v.correct, v.reason
FROM trajectories t JOIN problems p ON p.id = t.problem_id LEFT JOIN verdicts v ON v.trajectory_id = t.id
"""


def list_trajectories(store: Store, run_id: str, *, chosen: dict[str, str], page: int = 0) -> list[dict[str, Any]]:
    """Return a page of a run's trajectories in the order they were opened, one more than fits where there are further ones.

    `chosen` filters by `strategy`, `model`, `solver` and `verdict` (right, wrong, open, failed).
    """
    clauses, params = ["t.run_id = ?"], [run_id]
    for name, column in (("strategy", "t.strategy"), ("model", "t.model"), ("solver", "p.solver")):
        if chosen.get(name):
            clauses.append(f"{column} = ?")
            params.append(chosen[name])
    verdict = chosen.get("verdict", "")
    clauses += {
        "right": ["v.correct = 1"],
        "wrong": ["v.correct = 0"],
        "open": ["t.status = 'open'"],
        "failed": ["t.status = 'failed'"],
    }.get(verdict, [])
    return store.rows(f"{_LISTED} WHERE {' AND '.join(clauses)} ORDER BY t.rowid LIMIT ? OFFSET ?", (*params, PAGE + 1, page * PAGE))


def same_problem(store: Store, problem_id: str, *, but: str) -> list[dict[str, Any]]:
    """Return other trajectories on a problem, the newest twenty."""
    return store.rows(f"{_LISTED} WHERE t.problem_id = ? AND t.id <> ? ORDER BY t.rowid DESC LIMIT 20", (problem_id, but))


def thought_facts(store: Store, trajectory_id: str, thought_id: str) -> dict[str, Any] | None:
    """Return a thought with the call it came from: prompt, completion, state, score, tokens, seconds, constraint, key."""
    row = store.row(
        "SELECT t.*, coalesce(t.text, m.content) AS content FROM thoughts t LEFT JOIN messages m ON m.id = t.message_id"
        " WHERE t.trajectory_id = ? AND t.id = ?",
        (trajectory_id, thought_id),
    )
    if row is None:
        return None
    call = store.row(
        "SELECT c.*, m.content AS reply, m.parts, (SELECT content FROM messages WHERE id = m.reasoning_id) AS reasoning FROM call_details c"
        " LEFT JOIN messages m ON m.id = c.reply_id WHERE c.id = ?",
        (row["call_id"],),
    )
    facts = {
        "id": row["id"], "role": row["role"], "label": row["label"], "operation": row["operation"], "status": row["status"],
        "score": row["score"], "depth": row["depth"], "text": row["content"] or "", "own_reply": row["text"] is None and call is not None,
        "state": "" if row["state"] is None else json.dumps(json.loads(row["state"]), indent=2, ensure_ascii=False),
        "call": None,
    }  # fmt: skip
    if call is not None:
        names = (
            "key", "state", "attempt", "template_hash", "seed", "sampling", "constraint_requested", "constraint_applied", "model",
            "finish_reason", "prompt_tokens", "completion_tokens", "cached_tokens", "seconds", "cost", "mean_logprob", "retries", "error", "reply",
            "reasoning", "reasoning_tokens", "usage_estimated", "tools",
        )  # fmt: skip
        facts["call"] = {name: call[name] for name in names}
        # Shown only where they say something: most calls have neither.
        facts["call"] |= {name: call[name] or None for name in ("reasoning_tokens", "usage_estimated")}
        facts["call"]["tool_calls"] = json.loads(call["parts"] or "{}").get("tool_calls", [])
        facts["call"]["messages"] = [{"role": m.role, "content": m.content} | m.parts() for m in prompt_of(store, call["context_id"])]
    return facts


def growth(store: Store, trajectory_id: str) -> tuple[str, list[dict[str, Any]]]:
    """Return a trajectory's status and its thoughts as a page that grows needs them."""
    status = store.row("SELECT status FROM trajectories WHERE id = ?", (trajectory_id,))
    rows = store.rows(
        "SELECT t.id, t.role, t.label, t.operation, t.state, t.score, t.status, t.depth, substr(coalesce(t.text, m.content), 1, 300) AS text,"
        " (SELECT parent FROM thought_edges WHERE child = t.id LIMIT 1) AS parent"
        " FROM thoughts t LEFT JOIN messages m ON m.id = t.message_id WHERE t.trajectory_id = ? ORDER BY t.position",
        (trajectory_id,),
    )
    return (status["status"] if status else "gone"), rows


def search(store: Store, words: str) -> list[dict[str, Any]]:
    """Return messages that hold all the words, best first, each with a snippet (hits between U+E000 and U+E001) and where it was said."""
    query = " ".join('"' + word.replace('"', '""') + '"' for word in words.split()[:16])
    if not query:
        return []
    hits = store.rows(
        "SELECT m.id, m.role, snippet(messages_fts, 0, char(57344), char(57345), '…', ?) AS snippet FROM messages_fts"
        " JOIN messages m ON m.id = messages_fts.rowid WHERE messages_fts MATCH ? ORDER BY messages_fts.rank LIMIT ?",
        (SNIPPET, query, MAX_RESULTS),
    )
    for hit in hits:
        hit["places"] = _places(store, hit["id"])
        hit["pieces"] = _pieces(hit["snippet"])
    return [hit for hit in hits if hit["places"]]


def _places(store: Store, message_id: int) -> list[dict[str, Any]]:
    return store.rows(
        "SELECT t.id, t.strategy, t.model, p.solver, substr(p.line, 1, 200) AS line, f.as_what FROM (SELECT trajectory_id, 'reply' AS as_what"
        " FROM calls WHERE reply_id = ?1 UNION SELECT c.trajectory_id, 'thought' FROM messages m JOIN calls c ON c.reply_id = m.id"
        " WHERE m.reasoning_id = ?1 UNION SELECT c.trajectory_id, 'prompt' FROM contexts x JOIN calls c ON c.context_id = x.id"
        " WHERE x.message_id = ?1 LIMIT 4) f JOIN trajectories t ON t.id = f.trajectory_id JOIN problems p ON p.id = t.problem_id LIMIT 3",
        (message_id,),
    )


def _pieces(snippet: str) -> list[tuple[bool, str]]:
    """Cut a snippet into (is a hit, text)."""
    found: list[tuple[bool, str]] = []
    for index, piece in enumerate(snippet.split("\ue000")):
        hit, _, rest = piece.partition("\ue001") if index else ("", "", piece)
        found += [(True, hit), (False, rest)] if index else [(False, rest)]
    return [(is_hit, text) for is_hit, text in found if text]


def choices(rows: Iterable[dict[str, Any]], name: str) -> list[str]:
    """Return the different values of a column, sorted."""
    return sorted({str(row[name]) for row in rows})
