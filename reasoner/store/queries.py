"""Read what was stored: runs, trajectories as graphs, calls with their prompts.

    load_trajectory(store, "9f3c...") -> Trajectory, equal to the one that was searched (same hash)

Knows rows and rebuilds values from them; writes nothing.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from reasoner.errors import StoreError, UnknownName
from reasoner.store.claims import presence
from reasoner.store.interning import MESSAGE, message_of
from reasoner.trajectory import Thought, Trajectory
from reasoner.types import Message, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reasoner.store.database import Store

_RUNS = """
SELECT r.id, r.status, r.command, r.created, r.updated, r.parent_run, r.limits, r.used_calls, r.used_tokens, r.used_cost, count(t.id) AS trajectories, sum(t.status = 'closed') AS closed,
       sum(t.status = 'failed') AS failed, sum(coalesce(v.correct, 0)) AS correct, sum(t.calls) AS calls,
       sum(t.cached_calls) AS cached_calls, sum(t.prompt_tokens) AS prompt_tokens, sum(t.completion_tokens) AS completion_tokens, group_concat(DISTINCT t.model) AS models,
       group_concat(DISTINCT t.strategy) AS strategies, group_concat(DISTINCT p.solver) AS solvers
FROM runs r LEFT JOIN trajectories t ON t.run_id = r.id LEFT JOIN problems p ON p.id = t.problem_id
LEFT JOIN verdicts v ON v.trajectory_id = t.id GROUP BY r.id ORDER BY r.created DESC, r.id
"""

_TRAJECTORY = """
SELECT t.*, p.solver, p.instance, p.line, p.level, v.correct, v.score, v.reason, v.unparsed, v.metrics
FROM trajectories t JOIN problems p ON p.id = t.problem_id LEFT JOIN verdicts v ON v.trajectory_id = t.id
"""


def runs(store: Store, *, limit: int = 20) -> list[dict[str, Any]]:
    """Return the newest runs with their totals; `resumable` where something is left to do and nobody is at it."""
    found = store.rows(_RUNS + " LIMIT ?", (limit,))
    there = at_work(store)
    return [row | {"resumable": row["status"] != "finished" and row["id"] not in there} for row in found]


def at_work(store: Store) -> set[str]:
    """Return the runs that a process is working on."""
    return {
        run
        for worker, run, lease_until in store.tuples("SELECT id, run_id, lease_until FROM workers")
        if presence(worker) != "gone" and lease_until >= time.monotonic()
    }


def trajectories(store: Store, run_id: str) -> list[dict[str, Any]]:
    """Return the trajectories of a run in the order they were opened, with solver, line, level and verdict."""
    return store.rows(_TRAJECTORY + " WHERE t.run_id = ? ORDER BY t.rowid", (run_id,))


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
    pattern = prefix.replace("\\", "").replace("%", "").replace("_", "") + "%"
    found = [("run", row["id"]) for row in store.rows("SELECT id FROM runs WHERE id LIKE ?", (pattern,))]
    found += [("trajectory", row["id"]) for row in store.rows("SELECT id FROM trajectories WHERE id LIKE ? LIMIT 5", (pattern,))]
    exact = [place for place in found if place[1] == prefix]
    if len(found) == 1 or exact:
        return (exact or found)[0]
    if found:
        raise StoreError(f"the id {prefix!r} is ambiguous in {store.path}", hint="give more of it: " + ", ".join(i for _, i in found[:4]))
    known = [row["id"] for row in store.rows("SELECT id FROM runs ORDER BY created DESC LIMIT 5")]
    raise UnknownName("run or trajectory", prefix, known or ["(the database is empty)"])


def problem_of(row: dict[str, Any]) -> Problem:
    """Return the problem of a trajectory row."""
    return Problem(row["solver"], row["instance"], row["line"], row["level"])


def load_trajectory(store: Store, trajectory_id: str) -> Trajectory:
    """Rebuild a trajectory's graph from its rows.

    Raises:
        UnknownName: there is no such trajectory, or it has no thought yet.
    """
    rows = store.rows(
        "SELECT t.*, coalesce(t.text, m.content) AS content, c.key AS call_key,"
        " CASE WHEN t.text IS NULL THEN c.finish_reason END AS finish, CASE WHEN t.text IS NULL THEN c.mean_logprob END AS logprob,"
        " (SELECT content FROM messages WHERE id = m.reasoning_id) AS reasoning FROM thoughts t LEFT JOIN messages m ON m.id = t.message_id"
        " LEFT JOIN calls c ON c.id = t.call_id WHERE t.trajectory_id = ? ORDER BY t.position",
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
    thoughts: dict[str, Thought] = {dag.root.id: dag.root}
    for row in rows:
        if row["id"] != dag.root.id:
            thoughts[row["id"]] = dag.add(
                thoughts[parents[row["id"]]], role=row["role"], ordinal=row["ordinal"], text=row["content"], operation=row["operation"],
                label=row["label"], finish_reason=row["finish"] or "", mean_logprob=row["logprob"], call=row["call_key"], reasoning=row["reasoning"] or "",
            )  # fmt: skip
        state = None if row["state"] is None else json.loads(row["state"])
        dag.mark(thoughts[row["id"]], status=row["status"], score=row["score"], state=state)
    return dag


def calls(store: Store, trajectory_id: str) -> list[dict[str, Any]]:
    """Return the calls of a trajectory in order, all attempts, without their prompts; `parts` are a reply's tool calls and opaque items."""
    return store.rows(
        "SELECT c.*, m.content AS reply, (SELECT content FROM messages WHERE id = m.reasoning_id) AS reasoning, m.parts FROM call_details c LEFT JOIN messages m ON m.id = c.reply_id WHERE c.trajectory_id = ? ORDER BY c.id",
        (trajectory_id,),
    )


def prompt_of(store: Store, context_id: int) -> tuple[Message, ...]:
    """Return the messages a call was asked with, first to last."""
    rows = store.tuples(
        "WITH RECURSIVE chain(id, parent_id, message_id, depth) AS ("  # noqa: S608 - names of columns
        " SELECT id, parent_id, message_id, depth FROM contexts WHERE id = ?"
        " UNION ALL SELECT c.id, c.parent_id, c.message_id, c.depth FROM contexts c JOIN chain ON c.id = chain.parent_id)"
        f" SELECT {MESSAGE} FROM chain JOIN messages m ON m.id = chain.message_id ORDER BY chain.depth",
        (context_id,),
    )
    return tuple(message_of(*row) for row in rows)


def verified_answers(store: Store, *, solver: str, template: str, before_run: str) -> Iterator[tuple[str, str, str]]:
    """Yield (instance as JSON, answer, reply) of verified trajectories whose answer is read from the reply to a template, oldest first.

    Only what was finished before a run began counts: the run's own results must not change what it asks, or it could not be replayed.
    """
    rows = store.rows(
        "SELECT p.instance, t.answer, m.content FROM trajectories t JOIN problems p ON p.id = t.problem_id"
        " JOIN verdicts v ON v.trajectory_id = t.id AND v.correct = 1 JOIN runs r ON r.id = ? AND t.finished < r.created"
        " JOIN thoughts h ON h.id = t.answer_thought JOIN calls c ON c.id = h.call_id AND c.role = ? AND c.state = 'done'"
        " JOIN messages m ON m.id = c.reply_id WHERE p.solver = ? ORDER BY t.finished, t.id",
        (before_run, template, solver),
    )
    for row in rows:
        yield row["instance"], row["answer"], row["content"]
