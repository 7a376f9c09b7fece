"""Stores of 200,000 trajectories and of one long chain, made by SQL alone, in seconds rather than minutes.

fill_many(Path("big.db"), 200_000)      one run of two strategies; every answer verifies, every reply is another text
fill_chain(Path("big.db"), 20_000)      a run of one trajectory whose thoughts stand one under the other
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reasoner import registry
from reasoner.prompts import Prompts
from reasoner.runs.few_shot import statement
from reasoner.store import Store
from reasoner.types import canonical_json, digest

if TYPE_CHECKING:
    from pathlib import Path

N_PROBLEMS = 500
WHEN = "2026-01-01T00:00:00.000+00:00"
MANIFEST = '{"models":[["bench","bench"]],"solvers":["number_path"],"strategies":[["cot","{}"],["direct","{}"]]}'
_COUNT = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?)"


def fill_many(path: Path, n: int, *, run: str = "many") -> None:
    """Make a run of n trajectories on 500 problems."""
    solver = registry.solver("number_path")
    prompts = Prompts()

    def job(c: Any) -> None:
        _run(c, run)
        for k in range(N_PROBLEMS):
            start = 2 + k
            made = solver.Instance(start=start, steps=2, target=2 * start + 1)
            instance = canonical_json(made.model_dump())
            c.execute(
                "INSERT OR IGNORE INTO problems (id, solver, instance, line, level) VALUES (?, 'number_path', ?, ?, 2)",
                (digest("problem", "number_path", instance)[:16], instance, f"2 {start} {2 * start + 1}"),
            )
            text = statement(solver, made, prompts)
            c.execute("INSERT INTO messages (hash, role, content) VALUES (?, 'user', ?)", (bytes.fromhex(digest("p", text))[:16], text))
            c.execute("INSERT INTO contexts (parent_id, message_id, depth) VALUES (NULL, ?, 0)", (k + 1,))
        c.execute("CREATE TEMP TABLE place AS SELECT row_number() OVER (ORDER BY rowid) - 1 AS k, id, line FROM problems")
        c.execute("CREATE UNIQUE INDEX temp.place_k ON place(k)")
        # Ids as scattered as hashes are: a multiplication by an odd number modulo 2^32 meets every number once.
        name = "printf('%08x%08x', (i * 2654435761) & 4294967295, i)"
        c.execute(
            f"{_COUNT} INSERT INTO messages (hash, role, content) SELECT CAST(printf('r%015d', i) AS BLOB), 'assistant', 'Attempt ' || i"
            f" || char(10) || printf('Answer: %d -> %d -> %d', 2 + i % {N_PROBLEMS}, 4 + 2 * (i % {N_PROBLEMS}), 5 + 2 * (i % {N_PROBLEMS})) FROM n",
            (n,),
        )
        c.execute(
            f"{_COUNT} INSERT INTO trajectories (id, run_id, problem_id, strategy, params, model, model_fingerprint, sample, status, answer,"
            " answer_thought, dag_hash, calls, prompt_tokens, completion_tokens, created, finished)"
            f" SELECT {name}, ?, (SELECT id FROM place WHERE k = i % {N_PROBLEMS}), iif(i % 2, 'cot', 'direct'), '{{}}', 'bench', 'bench', i, 'closed',"
            f" (SELECT content FROM messages WHERE id = {N_PROBLEMS} + 1 + i), {name} || 'b', '', 1, 120, 90, ?, ? FROM n",
            (n, run, WHEN, WHEN),
        )
        c.execute(
            f"{_COUNT} INSERT INTO calls (key_bytes, attempt, trajectory_id, state, parent_thought, role, ordinal, context_id, seed, epoch,"
            " reply_id, finish_reason, prompt_tokens, completion_tokens, cached_tokens, seconds, created, finished, model, settings_id)"
            f" SELECT CAST({name} || {name} AS BLOB), 0, {name}, 'done', {name} || 'a', 'cot/answer', 0, 1 + i % {N_PROBLEMS}, i, 1,"
            f" {N_PROBLEMS} + 1 + i, 'stop', 120, 90, 0, 0.1, ?, ?, 'bench', 1 FROM n",
            (n, WHEN, WHEN),
        )
        thought = "INSERT INTO thoughts (id, trajectory_id, call_id, position, ordinal, role, label, operation, message_id, status, depth)"
        c.execute(
            f"{_COUNT} {thought} SELECT {name} || 'a', {name}, NULL, 0, 0, 'problem', '', '', 1 + i % {N_PROBLEMS}, 'open', 0 FROM n", (n,)
        )
        c.execute(
            f"{_COUNT} {thought} SELECT {name} || 'b', {name}, i + 1, 1, 0, 'cot/answer', '', '', {N_PROBLEMS} + 1 + i, 'final', 1 FROM n",
            (n,),
        )
        c.execute(f"{_COUNT} INSERT INTO thought_edges (parent, child) SELECT {name} || 'a', {name} || 'b' FROM n", (n,))
        c.execute(
            f"{_COUNT} INSERT INTO verdicts (trajectory_id, correct, score, reason, unparsed, created) SELECT {name}, 1, 1.0, 'it holds', 0, ? FROM n",
            (n, WHEN),
        )

    with Store.open(path) as store:
        store.write_now(job, durable=False)


def fill_chain(path: Path, n: int, *, run: str = "chain") -> str:
    """Make a run of one trajectory of n thoughts, each the reply of a call and the child of the one before; return its id."""

    def job(c: Any) -> None:
        _run(c, run, created="2026-01-02T00:00:00.000+00:00")
        (problem,) = c.execute("SELECT id FROM problems LIMIT 1").fetchone() or (None,)
        if problem is None:
            c.execute(
                "INSERT INTO problems (id, solver, instance, line, level) VALUES ('chain', 'number_path', '{\"start\":2,\"steps\":2,\"target\":5}', '2 2 5', 2)"
            )
            problem = "chain"
        (last,) = c.execute("SELECT coalesce(max(id), 0) FROM messages").fetchone()
        (call,) = c.execute("SELECT coalesce(max(id), 0) FROM calls").fetchone()
        c.execute(
            f"{_COUNT} INSERT INTO messages (hash, role, content) SELECT CAST(printf('c%015d', i) AS BLOB), iif(i, 'assistant', 'user'),"
            " 'Thought ' || i || ': we go on from ' || (i - 1) || ', since nothing stands in the way of it.' FROM n",
            (n,),
        )
        (context,) = (c.execute("INSERT INTO contexts (parent_id, message_id, depth) VALUES (NULL, ?, 0)", (last + 1,)).lastrowid,)
        c.execute(
            "INSERT INTO trajectories (id, run_id, problem_id, strategy, params, model, model_fingerprint, sample, status, answer, answer_thought,"
            " calls, created, finished) VALUES ('chain0000000000', ?, ?, 'chain', '{}', 'bench', 'bench', 0, 'closed', 'Answer: 2 -> 4 -> 5', ?, ?, ?, ?)",
            (run, problem, f"th{n - 1:014d}", n - 1, WHEN, WHEN),
        )
        c.execute(
            f"{_COUNT} INSERT INTO calls (key_bytes, attempt, trajectory_id, state, parent_thought, role, ordinal, context_id, seed, epoch,"
            " reply_id, finish_reason, prompt_tokens, completion_tokens, cached_tokens, seconds, created, finished, model, settings_id)"
            " SELECT CAST(printf('chain%027d', i) AS BLOB), 0, 'chain0000000000', 'done', printf('th%014d', i), 'chain/step', 0, ?, i, 1, ? + 2 + i,"
            " 'stop', 10, 5, 0, 0.1, ?, ?, 'bench', 1 FROM n",
            (n - 1, context, last, WHEN, WHEN),
        )
        c.execute(
            f"{_COUNT} INSERT INTO thoughts (id, trajectory_id, call_id, position, ordinal, role, label, operation, message_id, status, depth)"
            " SELECT printf('th%014d', i), 'chain0000000000', iif(i, ? + i, NULL), i, 0, iif(i, 'chain/step', 'problem'), '', '', ? + 1 + i,"
            " iif(i + 1 = ?, 'final', 'kept'), i FROM n",
            (n, call, last, n),
        )
        c.execute(
            f"{_COUNT} INSERT INTO thought_edges (parent, child) SELECT printf('th%014d', i), printf('th%014d', i + 1) FROM n",
            (n - 1,),
        )

    with Store.open(path) as store:
        store.write_now(job, durable=False)
    return "chain0000000000"


def _run(c: Any, run: str, *, created: str = WHEN) -> None:
    c.execute(
        "INSERT INTO runs (id, manifest, manifest_hash, ordinal, status, epoch, command, version, created, updated)"
        " VALUES (?, ?, ?, 0, 'finished', 1, 'reasoner bench', 'bench', ?, ?)",
        (run, MANIFEST, run, created, created),
    )
    c.execute("INSERT OR IGNORE INTO call_settings (id, template_hash, sampling) VALUES (1, '', '{}')")
