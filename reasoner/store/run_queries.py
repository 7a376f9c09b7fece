"""Read runs: lists with totals, what a run was told, which are at work and which were parked.

runs(store, words="ats", limit=20) -> [{"id": "3f0c...", "status": "finished", "trajectories": 120, "correct": 97, ...}]
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from reasoner.store.claims import has_ended, presence
from reasoner.store.migrations.m050_totals import COLUMNS
from reasoner.store.queries import ASKED

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reasoner.store.database import Store

_INSIDE = """
SELECT t.strategy, t.model, sum(c.finish_reason = 'length' AND m.content = ''
       AND (m.reasoning_id IS NOT NULL OR m.parts IS NOT NULL OR c.reasoning_tokens > 0)) AS n_inside, count(*) AS n_replies
FROM trajectories t JOIN calls c ON c.trajectory_id = t.id AND c.state = 'done' JOIN messages m ON m.id = c.reply_id
WHERE t.run_id = ? GROUP BY t.strategy, t.model HAVING n_inside > 0 ORDER BY min(t.rowid)
"""

MAX_WORDS = 8
MAX_CONTENDERS = 100
"""Strategies on models that are named of one run."""

# The plan is left out: it may hold every problem of the run.
_RUN = """
SELECT r.id, r.manifest, r.status, r.command, r.version, r.created, r.updated, r.parent_run, r.limits, r.used_calls, r.used_tokens, r.used_cost
FROM runs r
"""


class InsideThought(NamedTuple):
    """How many replies of a strategy on a model the token limit ended before they had begun to answer."""

    strategy: str
    model: str
    n: int
    n_replies: int

    def sentence(self) -> str:
        """Say it under a table."""
        return (
            f"{self.strategy} on {self.model}: {self.n} of {self.n_replies} replies ended inside the thought at the token limit, without an"
            " answer; raise `max_tokens`, or let it think less (`thinking`)"
        )


def inside_thought(store: Store, run_id: str) -> tuple[InsideThought, ...]:
    """Count a run's replies that ended inside the thought, by strategy and model; nothing for those that have none."""
    return tuple(map(InsideThought._make, store.tuples(_INSIDE, (run_id,))))


def runs(store: Store, *, words: str = "", status: str = "", limit: int = 20, offset: int = 0) -> list[dict[str, Any]]:
    """Return runs, newest first, with totals; `words` are looked for in manifest, command and id.

    `resumable` says that something is left to do and nobody is at it; `solvers`, `strategies` and `models` are lists of names.
    """
    where, params = _fitting(words, status)
    found = store.rows(
        f"{_RUN} WHERE {where} ORDER BY r.created DESC, r.rowid DESC LIMIT ? OFFSET ?",
        (*params, limit, offset),
    )
    made = totals(store, [row["id"] for row in found])
    there = at_work(store)
    return [_with_names(store, row) | made[row["id"]] | {"resumable": _is_resumable(row, there)} for row in found]


def _fitting(words: str, status: str) -> tuple[str, list[str]]:
    """Return the condition that runs fit, and its values."""
    clauses, params = ["1"], []
    for word in words.split()[:MAX_WORDS]:
        clauses.append("instr(lower(r.manifest || ' ' || r.command || ' ' || r.id), lower(?)) > 0")
        params.append(word)
    if status:
        clauses.append("r.status = ?")
        params.append(status)
    return " AND ".join(clauses), params


def run_row(store: Store, run_id: str) -> dict[str, Any] | None:
    """Return a run as `runs` does, None when it is not there."""
    row = store.row(f"{_RUN} WHERE r.id = ?", (run_id,))
    if row is None:
        return None
    return _with_names(store, row) | totals(store, [run_id])[run_id] | {"resumable": _is_resumable(row, at_work(store))}


def plan_row(store: Store, run_id: str) -> dict[str, Any] | None:
    """Return what a run was told (`manifest`, `plan`, `command`, the first two as JSON text), None when it is not there."""
    return store.row("SELECT manifest, plan, command FROM runs WHERE id = ?", (run_id,))


def interrupted(store: Store, *, command: str, limit: int = 1000) -> list[dict[str, Any]]:
    """Return id and manifest of the runs of one command, with any arguments, that were parked, oldest first."""
    sql = "SELECT id, manifest FROM runs WHERE status = 'interrupted' AND instr(command || ' ', ? || ' ') = 1 ORDER BY created LIMIT ?"
    return store.rows(sql, (command, limit))


def run_of_trajectory(store: Store, trajectory_id: str) -> str | None:
    """Return the run a trajectory belongs to."""
    row = store.row("SELECT run_id FROM trajectories WHERE id = ?", (trajectory_id,))
    return None if row is None else str(row["run_id"])


def ended_trajectories(store: Store, ids: Iterable[str]) -> frozenset[str]:
    """Return which of these trajectories need no work (`claims.has_ended`)."""
    rows = store.tuples(
        "SELECT id, status, error_kind FROM trajectories WHERE id IN (SELECT value FROM json_each(?)) AND status <> 'open'",
        (json.dumps(list(ids)),),
    )
    return frozenset(name for name, status, error_kind in rows if has_ended(status, error_kind))


def closed_places(store: Store, run_id: str) -> dict[tuple[str, str, str, int], str]:
    """Return (problem, strategy, model, sample) -> id of the closed trajectories of a run."""
    found = store.tuples(
        "SELECT problem_id, strategy, model, sample, id FROM trajectories WHERE run_id = ? AND status = 'closed'", (run_id,)
    )
    return {(problem, strategy, model, sample): trajectory for problem, strategy, model, sample, trajectory in found}


def n_runs(store: Store, *, words: str = "", status: str = "") -> int:
    """Return how many runs fit, as `runs` chooses them."""
    where, params = _fitting(words, status)
    return int(store.tuples(f"SELECT count(*) FROM runs r WHERE {where}", tuple(params))[0][0])  # noqa: S608 - clauses are ours


def spent(store: Store, run_ids: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return by run the `seconds` of its calls and their `cost`, None where that of a trajectory is not known. Reads every trajectory of them."""
    rows = store.rows(
        "SELECT run_id, total(seconds) AS seconds, CASE WHEN count(*) = count(cost) THEN sum(cost) END AS cost FROM trajectories"
        " WHERE run_id IN (SELECT value FROM json_each(?)) GROUP BY run_id",
        (json.dumps(list(run_ids)),),
    )
    return {row.pop("run_id"): row for row in rows}


_REQUESTS = f"""
FROM trajectories t JOIN problems p ON p.id = t.problem_id JOIN runs r ON r.id = t.run_id
LEFT JOIN verdicts v ON v.trajectory_id = t.id
WHERE p.solver = 'chat' AND (? = '' OR instr(lower({ASKED} || ' ' || coalesce(t.answer, '') || ' ' || r.id), lower(?)) > 0)
"""


def requests(store: Store, *, words: str = "", limit: int = 20, offset: int = 0) -> list[dict[str, Any]]:
    """Return what was asked with `ask` and of a server, newest first: `asked`, `answer`, `seconds`, who asked (`command`), `strategy`, `model`."""
    return store.rows(
        f"SELECT t.id, t.run_id, t.status, t.strategy, t.model, t.answer, t.error, t.seconds, t.cost, t.created,"
        f" t.prompt_tokens + t.completion_tokens AS tokens, r.command, {ASKED} AS asked, v.correct, v.judged_by {_REQUESTS}"
        " ORDER BY t.rowid DESC LIMIT ? OFFSET ?",
        (words, words, limit, offset),
    )


def asked_by(command: str) -> str:
    """Say who asked, of the command of a run: `ask`, or the program whose request it was.

    >>> asked_by("reasoner ask 'Why is the sky blue?'"), asked_by("reasoner serve for python-httpx/0.28.1"), asked_by("reasoner serve")
    ('ask', 'python-httpx/0.28.1', 'serve')
    """
    words = command.split()
    if words[1:2] == ["serve"] and len(words) > 3:
        return words[3]
    return words[1] if len(words) > 1 else ""


def n_requests(store: Store, *, words: str = "") -> int:
    """Return how many there are, as `requests` chooses them."""
    return int(store.tuples(f"SELECT count(*) {_REQUESTS}", (words, words))[0][0])


def asked_of(store: Store, run_ids: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return question and answer of the runs that have one trajectory and no family of problems, by run: `ask` and requests of a server."""
    rows = store.rows(
        f"SELECT t.run_id, t.id AS trajectory, t.answer, {ASKED} AS asked FROM trajectories t JOIN problems p ON p.id = t.problem_id"  # noqa: S608 - a constant
        " JOIN run_totals n ON n.run_id = t.run_id AND n.trajectories = 1"
        " WHERE p.solver = 'chat' AND t.run_id IN (SELECT value FROM json_each(?))",
        (json.dumps(list(run_ids)),),
    )
    return {row.pop("run_id"): row for row in rows}


def at_work(store: Store) -> set[str]:
    """Return the runs that a process is working on."""
    return {
        run
        for worker, run, lease_until in store.tuples("SELECT id, run_id, lease_until FROM workers")
        if presence(worker) != "gone" and lease_until >= time.monotonic()
    }


def totals(store: Store, run_ids: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return the totals of runs by id (see `migrations.m050_totals`); `correct` is None where nothing was judged exactly."""
    ids = list(run_ids)
    sql = "SELECT * FROM run_totals WHERE run_id IN (SELECT value FROM json_each(?))"
    made = {row.pop("run_id"): row for row in store.rows(sql, (json.dumps(ids),))}
    found: dict[str, dict[str, Any]] = {run_id: made.get(run_id) or dict.fromkeys(COLUMNS, 0) for run_id in ids}
    return {run_id: row if row["judged"] else {**row, "correct": None} for run_id, row in found.items()}


def contenders(store: Store, run_id: str, *, limit: int = MAX_CONTENDERS) -> list[tuple[str, str]]:
    """Return the different (strategy, model) of a run's trajectories, sorted. Each is one step in an index, however many rows it has."""
    found: list[tuple[str, str]] = []
    while len(found) < limit:
        row = store.tuples(
            "SELECT strategy, model FROM trajectories WHERE run_id = ? AND (strategy, model) > (?, ?) ORDER BY strategy, model LIMIT 1",
            (run_id, *(found[-1] if found else ("", ""))),
        )
        if not row:
            break
        found.append(row[0])
    return found


def _is_resumable(row: dict[str, Any], there: set[str]) -> bool:
    return row["status"] != "finished" and row["id"] not in there


def _with_names(store: Store, row: dict[str, Any]) -> dict[str, Any]:
    """Add the names of a run's strategies and models, and of its solvers: from its manifest, or from its first trajectories (imports)."""
    met = contenders(store, row["id"])
    solvers = json.loads(row["manifest"]).get("solvers")
    if not isinstance(solvers, list):
        first = "SELECT problem_id FROM trajectories WHERE run_id = ? ORDER BY rowid LIMIT 200"
        found = store.tuples(f"SELECT DISTINCT p.solver FROM ({first}) t JOIN problems p ON p.id = t.problem_id", (row["id"],))  # noqa: S608 - a constant
        solvers = [solver for (solver,) in found]
    strategies, models = (list(dict.fromkeys(names)) for names in zip(*met, strict=True)) if met else ([], [])
    return {**row, "solvers": list(map(str, solvers)), "strategies": strategies, "models": models}
