# ruff: noqa: S608 - the SQL is put together from constants of this file
"""A store of any size, made quickly: verified chains of thought of `number_path`, inserted through the store's one writer.

fill(Path("big.db"), n_thoughts=1_000_000)      100,000 trajectories of ten thoughts: problem, reply, seven steps, answer line
fill(..., different=True)                       the same, and no answer comes again
"""

from __future__ import annotations

import hashlib
import itertools
from typing import TYPE_CHECKING, Any

from reasoner import registry
from reasoner.layouts.outline import write_line
from reasoner.prompts import Prompts
from reasoner.runs.few_shot import statement
from reasoner.store import Store
from reasoner.store.interning import intern_settings, packed
from reasoner.types import canonical_json, digest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

N_STEPS = 7
MAX_NUMBER = 10_000
"""Of an instance of `number_path`."""
THOUGHTS_EACH = N_STEPS + 3
BATCH = 2_000
WHEN = "2026-01-01T00:00:00.000+00:00"
_MARKS = (90001, 90002, 90003)

_SQL = {
    "problems": "INSERT OR IGNORE INTO problems (id, solver, instance, line, level) VALUES (?, ?, ?, ?, ?)",
    "trajectories": "INSERT INTO trajectories (id, run_id, problem_id, strategy, params, model, model_fingerprint, sample, status, answer,"
    " answer_thought, dag_hash, calls, prompt_tokens, completion_tokens, created, finished) VALUES (?, 'bench', ?, 'cot', '{}', 'bench',"
    f" 'bench', ?, 'closed', ?, ?, ?, 1, 120, 90, '{WHEN}', '{WHEN}')",
    "messages": "INSERT OR IGNORE INTO messages (id, hash, role, content) VALUES (?, ?, ?, ?)",
    "contexts": "INSERT OR IGNORE INTO contexts (id, parent_id, message_id, depth) VALUES (?, NULL, ?, 0)",
    "calls": "INSERT INTO calls (id, key_bytes, attempt, trajectory_id, state, parent_thought, role, ordinal, settings_id, context_id, seed,"
    " constraint_applied, model, epoch, reply_id, finish_reason, prompt_tokens, completion_tokens, cached_tokens, seconds, created, finished)"
    f" VALUES (?, ?, 0, ?, 'done', ?, 'cot/answer', 0, 1, ?, 0, 'none', 'bench', 1, ?, 'stop', 120, 90, 0, 0.1, '{WHEN}', '{WHEN}')",
    "thoughts": "INSERT INTO thoughts (id, trajectory_id, call_id, position, ordinal, role, label, operation, message_id, text, state, score, status,"
    " depth) VALUES (?, ?, ?, ?, 0, ?, ?, ?, ?, ?, ?, NULL, ?, ?)",
    "thought_edges": "INSERT INTO thought_edges (parent, child) VALUES (?, ?)",
    "verdicts": f"INSERT INTO verdicts (trajectory_id, correct, score, reason, unparsed, created) VALUES (?, 1, 1.0, 'it holds', 0, '{WHEN}')",
}


def fill(path: Path, *, n_thoughts: int, different: bool = False) -> int:
    """Make a store with about this many thoughts and return how many trajectories it has; `different` ones have an answer each."""
    n = max(1, n_thoughts // THOUGHTS_EACH)
    made = _trajectories(n, _all_paths() if different else _few_paths())
    with Store.open(path) as store:
        store.write_now(
            lambda c: (
                c.execute(
                    "INSERT INTO runs (id, manifest, manifest_hash, ordinal, status, epoch, command, version, created, updated)"
                    f" VALUES ('bench', '{{}}', 'bench', 0, 'finished', 1, '', 'bench', '{WHEN}', '{WHEN}')"
                ).rowcount,
                intern_settings(c, template_hash="", sampling="{}", constraint=None),
            )
        )
        while batch := list(itertools.islice(made, BATCH)):
            store.write_now(lambda c, rows=batch: _insert(c, rows), durable=False)
        store.write_now(lambda c: c.execute("ANALYZE").rowcount)
    return n


def _insert(c: Any, batch: list[dict[str, list[tuple[Any, ...]]]]) -> None:
    for table, sql in _SQL.items():
        c.executemany(sql, [row for one in batch for row in one.get(table, ())])


def _few_paths() -> Iterator[list[int]]:
    """Yield starts 1 to 70 and all ways of doubling and adding one, over again: 8,896 different ones."""
    for index in itertools.count():
        yield _path(1 + index // 128 % 70, index % 128)  # no number passes the 10,000 an instance may have


def _all_paths() -> Iterator[list[int]]:
    """Yield every path once whose numbers an instance may have: about 170,000. From 1, two ways may be the same path."""
    for start in range(2, MAX_NUMBER):
        for ways in range(2**N_STEPS):
            path = _path(start, ways)
            if path[-1] <= MAX_NUMBER:
                yield path


def _path(start: int, ways: int) -> list[int]:
    values = [start]
    for bit in range(N_STEPS):
        values.append(values[-1] * 2 if ways >> bit & 1 else values[-1] + 1)
    return values


def _trajectories(n: int, paths: Iterator[list[int]]) -> Iterator[dict[str, list[tuple[Any, ...]]]]:
    """Yield the rows of one trajectory after another."""
    solver = registry.solver("number_path")
    prompts = Prompts()
    start, end, _ = _MARKS
    sample = solver.Instance.model_construct(steps=N_STEPS, start=start, target=end)
    asked = prompts.get("cot/answer").render({"statement": statement(solver, sample, prompts)})[-1].content
    shown = statement(solver, sample, prompts)
    for index, values in enumerate(itertools.islice(paths, n)):
        yield _one(index, values, asked, shown, 1 + 3 * index)


def _one(index: int, values: list[int], asked: str, shown: str, message_id: int) -> dict[str, list[tuple[Any, ...]]]:
    start, end, _ = _MARKS
    key = hashlib.sha256(str(index).encode()).hexdigest()
    name = key[:16]
    ids = [f"{key[:12]}{n:04x}" for n in range(THOUGHTS_EACH)]
    operations = [f"{a} * 2 = {b}" if b == 2 * a and a != 1 else f"{a} + 1 = {b}" for a, b in itertools.pairwise(values)]
    lines = [
        write_line((n,), (str(a), str(b)), op)
        for n, ((a, b), op) in enumerate(zip(itertools.pairwise(values), operations, strict=True), start=1)
    ]
    lines.append("Answer: " + " -> ".join(map(str, values)))
    reply = "\n".join(lines)
    line = f"{N_STEPS} {values[0]} {values[-1]}"
    instance = canonical_json({"start": values[0], "steps": N_STEPS, "target": values[-1]})
    problem = digest("problem", "number_path", instance)[:16]

    def put(text: str) -> str:
        return text.replace(str(start), str(values[0])).replace(str(end), str(values[-1]))

    # A message is stored once: where a problem comes up again, its rows are there already and the ids below name those.
    place = message_id
    thoughts = [(ids[0], name, None, 0, "problem", "", "", place, None, None, "open", 0)]
    thoughts.append((ids[1], name, index + 1, 1, "cot/answer", "", "", place + 2, None, None, "kept", 1))
    for n, text in enumerate(lines):
        last = n == N_STEPS
        state = None if last else f'"{values[n + 1]}"'
        operation, label = ("", "") if last else (operations[n], str(n + 1))
        thoughts.append(
            (ids[n + 2], name, index + 1, n + 2, "cot/step", label, operation, None, text, state, "final" if last else "kept", n + 2)
        )
    suffix = f"\n(sample {index})"
    texts = [(place, "user", put(shown) + suffix), (place + 1, "user", put(asked) + suffix), (place + 2, "assistant", reply)]
    return {
        "problems": [(problem, "number_path", instance, line, N_STEPS)],
        "trajectories": [(name, problem, index, reply, ids[1], key)],
        "messages": [(i, bytes.fromhex(digest(role, text, str(index)))[:16], role, text) for i, role, text in texts],
        "contexts": [(index + 1, place + 1)],
        "calls": [(index + 1, packed(key), name, ids[0], index + 1, place + 2)],
        "thoughts": thoughts,
        "thought_edges": list(itertools.pairwise(ids)),
        "verdicts": [(name,)],
    }
