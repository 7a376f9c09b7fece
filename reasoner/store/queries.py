"""Read trajectories: their rows, their graphs, their thoughts, and their calls with prompts. Runs are read by `run_queries`.

load_trajectory(store, "9f3c...") -> Trajectory, equal to the one that was searched (same hash)
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from reasoner.errors import StoreError, UnknownName
from reasoner.store.interning import MESSAGE, message_of
from reasoner.types import Message, Problem, ThoughtStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from reasoner.store.database import Store
    from reasoner.trajectory import Thought, Trajectory

_TRAJECTORY = """
SELECT t.*, p.solver, p.instance, p.line, p.level, v.correct, v.score, v.reason, v.unparsed, v.metrics, v.grader,
       v.reader, v.judged_by, n.label AS annotation_label, n.note AS annotation_note,
       (SELECT c.finish_reason FROM thoughts h JOIN calls c ON c.id = h.call_id WHERE h.id = t.answer_thought) AS ended
FROM trajectories t JOIN problems p ON p.id = t.problem_id LEFT JOIN verdicts v ON v.trajectory_id = t.id
LEFT JOIN annotations n ON n.trajectory_id = t.id
"""
ASKED = """
substr(coalesce(CASE WHEN p.line NOT LIKE '{%' THEN p.line WHEN json_valid(p.line)
  THEN coalesce(json_extract(p.line, '$.question'), json_extract(p.line, '$.messages[#-1].content')) END,
  (SELECT coalesce(h.text, m.content) FROM thoughts h LEFT JOIN messages m ON m.id = h.message_id WHERE h.trajectory_id = t.id
   ORDER BY h.rowid LIMIT 1), p.line), 1, 400)
"""
"""What a trajectory `t` was asked on a problem `p`, in words: the question, the last message, else how its search began."""
_LISTED = f"""
SELECT t.id, t.strategy, t.model, t.sample, t.status, t.calls, t.prompt_tokens + t.completion_tokens AS tokens, t.problem_id, t.error,
       t.answer, t.seconds, t.cost, p.solver, {ASKED} AS asked, p.level, v.correct, v.reason, v.judged_by,
       n.label AS annotation_label, n.note AS annotation_note
FROM trajectories t JOIN problems p ON p.id = t.problem_id LEFT JOIN verdicts v ON v.trajectory_id = t.id
LEFT JOIN annotations n ON n.trajectory_id = t.id
"""  # noqa: S608 - constants


def trajectories(store: Store, run_id: str, *, limit: int = -1, offset: int = 0) -> list[dict[str, Any]]:
    """Return trajectories of a run in the order they were opened, with solver, line, level and verdict; all without a limit."""
    numbers = "SELECT rowid FROM trajectories WHERE run_id = ? ORDER BY rowid LIMIT ? OFFSET ?"
    return store.rows(f"{_TRAJECTORY} WHERE t.rowid IN ({numbers}) ORDER BY t.rowid", (run_id, limit, offset))


def trajectory_page(
    store: Store, run_id: str, *, chosen: Mapping[str, str] | None = None, limit: int = 50, offset: int = 0
) -> list[dict[str, Any]]:
    """Return so many of a run's trajectories in the order they were opened, with what a list shows of each.

    `chosen` filters by `strategy`, `model`, `solver` and `verdict` (right, wrong, open, failed).
    """
    joins, where, params = _chosen(run_id, chosen or {})
    # The page is chosen first, and only its rows are read whole.
    numbers = f"SELECT t.rowid FROM trajectories t{joins} WHERE {where} ORDER BY t.rowid LIMIT ? OFFSET ?"  # noqa: S608 - clauses are ours
    return store.rows(f"{_LISTED} WHERE t.rowid IN ({numbers}) ORDER BY t.rowid", (*params, limit, offset))


def n_trajectories(store: Store, run_id: str, *, chosen: Mapping[str, str] | None = None) -> int:
    """Return how many trajectories of a run `trajectory_page` chooses from."""
    joins, where, params = _chosen(run_id, chosen or {})
    return int(store.tuples(f"SELECT count(*) FROM trajectories t{joins} WHERE {where}", tuple(params))[0][0])  # noqa: S608 - clauses are ours


def _chosen(run_id: str, wanted: Mapping[str, str]) -> tuple[str, str, list[str]]:
    """Return the joins, the condition and its values that choose trajectories of a run."""
    clauses, params, joins = ["t.run_id = ?"], [run_id], ""
    for name, column in (("strategy", "t.strategy"), ("model", "t.model"), ("solver", "p.solver")):
        if wanted.get(name):
            clauses.append(f"{column} = ?")
            params.append(wanted[name])
    if wanted.get("solver"):
        joins += " JOIN problems p ON p.id = t.problem_id"
    verdict = wanted.get("verdict", "")
    if verdict in {"right", "wrong"}:
        joins += f" CROSS JOIN verdicts v ON v.trajectory_id = t.id AND v.correct = {int(verdict == 'right')}"
    elif verdict in {"open", "failed"}:
        clauses.append(f"t.status = '{verdict}'")
    return joins, " AND ".join(clauses), params


def not_right(store: Store, run_id: str, *, limit: int = 2_000) -> list[dict[str, Any]]:
    """Return the first trajectories of a run that failed or were judged wrong: `id`, `strategy`, `answer`, `reason`, `error` and `unparsed`."""
    # Chosen by the index alone, which tells a large run without wrong answers in a quarter of the time that its verdicts take.
    wrong = "SELECT 1 FROM verdicts n INDEXED BY verdicts_correct WHERE n.correct = 0 AND n.trajectory_id = w.id"
    fitting = f"w.run_id = ? AND (w.status = 'failed' OR EXISTS ({wrong}))"
    return store.rows(
        "SELECT t.id, t.strategy, substr(t.answer, 1, 400) AS answer, v.reason, t.error, v.unparsed FROM trajectories t"  # noqa: S608 - constants
        f" LEFT JOIN verdicts v ON v.trajectory_id = t.id"
        f" WHERE t.rowid IN (SELECT w.rowid FROM trajectories w WHERE {fitting} ORDER BY w.rowid LIMIT ?) ORDER BY t.rowid",
        (run_id, limit),
    )


def same_problem(store: Store, problem_id: str, *, but: str, limit: int = 20) -> list[dict[str, Any]]:
    """Return the newest other trajectories on a problem, with what a list shows of each."""
    return store.rows(f"{_LISTED} WHERE t.problem_id = ? AND t.id <> ? ORDER BY t.rowid DESC LIMIT ?", (problem_id, but, limit))


def trajectory_ids(store: Store, run_id: str, *, limit: int) -> list[str]:
    """Return the ids of the first trajectories of a run, in the order they were opened."""
    rows = store.tuples("SELECT id FROM trajectories WHERE run_id = ? ORDER BY rowid LIMIT ?", (run_id, limit))
    return [name for (name,) in rows]


def lost_calls(store: Store, run_id: str) -> dict[str, int]:
    """Return, by trajectory of a run, how many calls have an unknown outcome; trajectories that have none are left out."""
    rows = store.tuples(
        "SELECT c.trajectory_id, count(*) FROM calls c JOIN trajectories t ON t.id = c.trajectory_id"
        " WHERE t.run_id = ? AND c.state = 'unknown' GROUP BY c.trajectory_id",
        (run_id,),
    )
    return dict(rows)


def verdict_state(store: Store, run_id: str) -> tuple[int, str, int]:
    """Return what is another as soon as a verdict of a run is: how many there are, when the last was given, how many are right."""
    sql = (
        "SELECT count(*), coalesce(max(v.created), ''), coalesce(sum(v.correct), 0)"
        " FROM trajectories t JOIN verdicts v ON v.trajectory_id = t.id WHERE t.run_id = ?"
    )
    n, last, correct = store.tuples(sql, (run_id,))[0]
    return int(n), str(last), int(correct)


def n_judged_by_models(store: Store, run_id: str) -> int:
    """Return how many trajectories of a run have a verdict that a model gave."""
    found = store.row(
        "SELECT count(*) AS n FROM verdicts v JOIN trajectories t ON t.id = v.trajectory_id WHERE t.run_id = ? AND v.judged_by <> ''",
        (run_id,),
    )
    return int(found["n"]) if found else 0


def trajectory_row(store: Store, trajectory_id: str) -> dict[str, Any] | None:
    """Return one trajectory with solver, line, level and verdict; None when it is not there."""
    return store.row(_TRAJECTORY + " WHERE t.id = ?", (trajectory_id,))


def resolve(store: Store, prefix: str) -> tuple[str, str]:
    """Return ("run" | "trajectory", id) for an id or an unambiguous beginning of one; `last` is the newest run.

    Raises:
        UnknownName: nothing has that id.
        StoreError: several have.
    """
    if prefix == "last":
        newest = store.row("SELECT id FROM runs ORDER BY created DESC, rowid DESC LIMIT 1")
        if newest is None:
            raise StoreError(f"the database {store.path} holds no run yet", hint="make one with 'reasoner solve' or 'reasoner bench'")
        return "run", newest["id"]
    found = [("run", one) for one in _beginning(store, "runs", prefix)]
    found += [("trajectory", one) for one in _beginning(store, "trajectories", prefix)]
    exact = [place for place in found if place[1] == prefix]
    if len(found) == 1 or exact:
        return (exact or found)[0]
    if found:
        raise StoreError(f"the id {prefix!r} is ambiguous in {store.path}", hint="give more of it: " + ", ".join(i for _, i in found[:4]))
    known = [row["id"] for row in store.rows("SELECT id FROM runs ORDER BY created DESC LIMIT 5")]
    raise UnknownName("run or trajectory", prefix, known or ["(the database is empty)"])


def _beginning(store: Store, table: Literal["runs", "trajectories"], prefix: str, *, limit: int = 5) -> list[str]:
    """Return the ids of a table that begin with a text, read from its index."""
    sql = f"SELECT id FROM {table} WHERE id >= ? AND id < ? ORDER BY id LIMIT ?"  # noqa: S608 - the table is a constant
    return [name for (name,) in store.tuples(sql, (prefix, prefix + "\U0010ffff", limit))] if prefix else []


def problem_of(row: dict[str, Any]) -> Problem:
    """Return the problem of a trajectory row."""
    return Problem(row["solver"], row["instance"], row["line"], row["level"])


def load_trajectory(store: Store, trajectory_id: str) -> Trajectory:
    """Rebuild a trajectory's graph from its rows.

    Raises:
        UnknownName: there is no such trajectory, or it has no thought yet.
    """
    from reasoner.trajectory import Trajectory  # noqa: PLC0415 - networkx is slow to load, and most queries need no graph

    rows = store.rows(
        "SELECT t.*, coalesce(t.text, m.content) AS content, c.key AS call_key, a.key AS action_key,"
        " CASE WHEN t.text IS NULL AND a.id IS NULL THEN c.finish_reason END AS finish, CASE WHEN t.text IS NULL AND a.id IS NULL THEN c.mean_logprob END AS logprob,"
        " (SELECT content FROM messages WHERE id = m.reasoning_id) AS reasoning FROM thoughts t LEFT JOIN messages m ON m.id = t.message_id"
        " LEFT JOIN calls c ON c.id = t.call_id LEFT JOIN actions a ON a.id = t.action_id WHERE t.trajectory_id = ? ORDER BY t.position",
        (trajectory_id,),
    )
    if not rows:
        raise UnknownName("trajectory", trajectory_id, [])
    parents: dict[str, str] = {
        row["child"]: row["parent"]
        for row in store.rows(
            "SELECT e.parent, e.child FROM thought_edges e JOIN thoughts t ON t.id = e.child WHERE t.trajectory_id = ?", (trajectory_id,)
        )
    }
    dag = Trajectory(trajectory_id, root_text=rows[0]["content"])
    # By the ids of the rows: what an earlier version imported has ids of another making.
    thoughts: dict[str, Thought] = {rows[0]["id"]: dag.root}
    for row in rows:
        if row["id"] not in thoughts:
            thoughts[row["id"]] = dag.add(
                thoughts[parents[row["id"]]], role=row["role"], ordinal=row["ordinal"], text=row["content"], operation=row["operation"],
                label=row["label"], finish_reason=row["finish"] or "", mean_logprob=row["logprob"], call=row["call_key"], action=row["action_key"], reasoning=row["reasoning"] or "",
            )  # fmt: skip
        state = None if row["state"] is None else json.loads(row["state"])
        dag.mark(thoughts[row["id"]], status=row["status"], score=row["score"], state=state)
    return dag


def offered_tools(store: Store, trajectory_id: str) -> bool:
    """Tell whether a trajectory's model was given tools as its provider defines them."""
    sql = "SELECT 1 FROM calls c JOIN call_settings s ON s.id = c.settings_id WHERE c.trajectory_id = ? AND s.tools IS NOT NULL LIMIT 1"
    return bool(store.tuples(sql, (trajectory_id,)))


def thoughts_beginning(store: Store, run_id: str, prefix: str, *, limit: int = 3) -> list[dict[str, Any]]:
    """Return `id` and `trajectory_id` of thoughts of a run whose ids begin with a text."""
    return store.rows(
        "SELECT h.id, h.trajectory_id FROM thoughts h JOIN trajectories t ON t.id = h.trajectory_id"
        " WHERE h.id >= ? AND h.id < ? AND t.run_id = ? LIMIT ?",
        (prefix, prefix + "\U0010ffff", run_id, limit),
    )


def thought_row(store: Store, trajectory_id: str, thought_id: str) -> dict[str, Any] | None:
    """Return a thought with its text (`content`), None when it is not there."""
    return store.row(
        "SELECT t.*, coalesce(t.text, m.content) AS content FROM thoughts t LEFT JOIN messages m ON m.id = t.message_id"
        " WHERE t.trajectory_id = ? AND t.id = ?",
        (trajectory_id, thought_id),
    )


def root_text(store: Store, trajectory_id: str) -> str | None:
    """Return the text a search began with, None where no thought is committed yet."""
    rows = store.tuples(
        "SELECT coalesce(t.text, m.content) FROM thoughts t LEFT JOIN messages m ON m.id = t.message_id WHERE t.trajectory_id = ?"
        " ORDER BY t.rowid LIMIT 1",
        (trajectory_id,),
    )
    return str(rows[0][0]) if rows else None


def growth(store: Store, trajectory_id: str) -> tuple[str, list[dict[str, Any]]]:
    """Return a trajectory's status (`gone` where it is not there) and its thoughts in short, as a page that grows needs them."""
    status = store.row("SELECT status FROM trajectories WHERE id = ?", (trajectory_id,))
    rows = store.rows(
        "SELECT t.id, t.role, t.label, t.operation, t.state, t.score, t.status, t.depth, substr(coalesce(t.text, m.content), 1, 300) AS text,"
        " (SELECT parent FROM thought_edges WHERE child = t.id LIMIT 1) AS parent"
        " FROM thoughts t LEFT JOIN messages m ON m.id = t.message_id WHERE t.trajectory_id = ? ORDER BY t.position",
        (trajectory_id,),
    )
    return (status["status"] if status else "gone"), rows


def call_row(store: Store, call_id: int | None) -> dict[str, Any] | None:
    """Return a call with its settings and its reply, None when it is not there."""
    return store.row(
        "SELECT c.*, m.content AS reply, m.parts, (SELECT content FROM messages WHERE id = m.reasoning_id) AS reasoning FROM call_details c"
        " LEFT JOIN messages m ON m.id = c.reply_id WHERE c.id = ?",
        (call_id,),
    )


def calls(store: Store, trajectory_id: str, *, limit: int = -1, offset: int = 0) -> list[dict[str, Any]]:
    """Return calls of a trajectory in order, all attempts, without their prompts; all without a limit.

    `parts` are a reply's tool calls and opaque items.
    """
    numbers = "SELECT id FROM calls WHERE trajectory_id = ? ORDER BY id LIMIT ? OFFSET ?"
    return store.rows(
        "SELECT c.*, m.content AS reply, (SELECT content FROM messages WHERE id = m.reasoning_id) AS reasoning, m.parts FROM call_details c"  # noqa: S608 - a constant
        f" LEFT JOIN messages m ON m.id = c.reply_id WHERE c.id IN ({numbers}) ORDER BY c.id",
        (trajectory_id, limit, offset),
    )


def n_calls(store: Store, trajectory_id: str) -> int:
    """Return how many calls a trajectory has, all attempts."""
    return int(store.tuples("SELECT count(*) FROM calls WHERE trajectory_id = ?", (trajectory_id,))[0][0])


class Place(NamedTuple):
    """Where a thought stands in its trajectory."""

    id: str
    parent: str | None
    depth: int
    status: ThoughtStatus


def skeleton(store: Store, trajectory_id: str) -> list[Place]:
    """Return the shape of a trajectory without its texts, in the order of the thoughts; a thought of several parents has its first."""
    rows = store.tuples(
        "SELECT t.id, (SELECT min(parent) FROM thought_edges WHERE child = t.id), t.depth, t.status FROM thoughts t WHERE t.trajectory_id = ?"
        " ORDER BY t.position",
        (trajectory_id,),
    )
    return [Place(*row) for row in rows]


def n_thoughts(store: Store, trajectory_id: str) -> int:
    """Return how many thoughts a trajectory has."""
    return int(store.tuples("SELECT count(*) FROM thoughts WHERE trajectory_id = ?", (trajectory_id,))[0][0])


def thoughts_of(store: Store, ids: Iterable[str], *, n_chars: int = 400) -> dict[str, dict[str, Any]]:
    """Return thoughts by id, with the beginning of their texts (`text`) and their states as values."""
    rows = store.rows(
        "SELECT t.id, t.role, t.label, t.operation, t.state, t.score, t.status, t.depth, substr(coalesce(t.text, m.content), 1, ?) AS text,"
        " a.state AS action_state, a.seconds AS action_seconds, CASE WHEN t.text IS NULL THEN (SELECT substr(content, 1, 400) FROM messages WHERE id = m.reasoning_id) END AS reasoning"
        " FROM thoughts t LEFT JOIN messages m ON m.id = t.message_id LEFT JOIN actions a ON a.id = t.action_id WHERE t.id IN (SELECT value FROM json_each(?))",
        (n_chars, json.dumps(list(ids))),
    )
    return {row["id"]: row | {"state": None if row["state"] is None else json.loads(row["state"])} for row in rows}


def prompt_of(store: Store, context_id: int) -> tuple[Message, ...]:
    """Return the messages a call was asked with, first to last."""
    rows = store.tuples(
        "WITH RECURSIVE chain(id, parent_id, message_id, depth) AS ("  # noqa: S608 - names of columns
        " SELECT id, parent_id, message_id, depth FROM contexts WHERE id = ?"
        " UNION ALL SELECT c.id, c.parent_id, c.message_id, c.depth FROM contexts c JOIN chain ON c.id = chain.parent_id)"
        # A cross join, so that SQLite goes from the chain to its messages and never through all messages there are.
        f" SELECT {MESSAGE} FROM chain CROSS JOIN messages m ON m.id = chain.message_id ORDER BY chain.depth",
        (context_id,),
    )
    return tuple(message_of(*row) for row in rows)


def verified_answers(store: Store, *, solver: str, template: str, before_run: str) -> Iterator[tuple[str, str, str]]:
    """Yield (instance as JSON, answer, reply) of verified trajectories whose answer is read from the reply to a template, oldest first.

    Only what was finished before a run began counts: the run's own results must not change what it asks, or it could not be replayed.
    """
    rows = store.rows(
        "SELECT p.instance, t.answer, m.content FROM trajectories t JOIN problems p ON p.id = t.problem_id"
        " JOIN verdicts v ON v.trajectory_id = t.id AND v.correct = 1 AND v.judged_by = '' JOIN runs r ON r.id = ? AND t.finished < r.created"
        " JOIN thoughts h ON h.id = t.answer_thought JOIN calls c ON c.id = h.call_id AND c.role = ? AND c.state = 'done'"
        " JOIN messages m ON m.id = c.reply_id WHERE p.solver = ? ORDER BY t.finished, t.id",
        (before_run, template, solver),
    )
    for row in rows:
        yield row["instance"], row["answer"], row["content"]
