"""Files of the three earliest schema versions open, are brought up to date, and are read by everything that reads."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

from reasoner.datasets.export import export
from reasoner.datasets.select import Filters
from reasoner.store import Store
from reasoner.store.migrations import STEPS
from reasoner.store.queries import load_trajectory, resolve
from reasoner.store.run_queries import runs
from reasoner.types import digest

EARLIEST = [*STEPS][:3]
STATEMENT, REPLY = "Make 24 from 4 9 10 13.", "Steps:\n13 - 9 = 4\n10 - 4 = 6\n4 * 6 = 24\nAnswer: 4 * (10 - (13 - 9))"
INSTANCE = '{"a":4,"b":9,"c":10,"d":13}'


def a_file_of(version: str, path: Path) -> None:
    """Write what that version wrote of one problem asked once and solved."""
    then = Migrations("reasoner")
    for name in EARLIEST[: EARLIEST.index(version) + 1]:
        then(name=name)(STEPS[name])
    with closing(sqlite3.connect(path)) as c:
        then.apply(Database(c))
        c.execute("INSERT INTO runs (id, manifest, manifest_hash, ordinal, status, epoch, command, version, created, updated)"
                  " VALUES ('run1', '{}', 'h', 0, 'finished', 1, 'reasoner solve', '0.1.0', '2026-11-01', '2026-11-01')")  # fmt: skip
        c.execute("INSERT INTO problems VALUES (?, 'game24', ?, '4 9 10 13', NULL)", (digest("game24", INSTANCE), INSTANCE))
        c.execute("INSERT INTO trajectories (id, run_id, problem_id, strategy, params, model, model_fingerprint, sample, status, answer,"
                  " answer_thought, dag_hash, calls, prompt_tokens, completion_tokens, created, finished)"
                  " VALUES ('trajectory1', 'run1', ?, 'cot', '{}', 'm', 'f', 0, 'closed', ?, 'thought1', 'd', 1, 9, 21, '2026-11-01', '2026-11-01')",
                  (digest("game24", INSTANCE), REPLY))  # fmt: skip
        for n, (role, text) in enumerate((("user", STATEMENT), ("assistant", REPLY)), start=1):
            c.execute("INSERT INTO messages VALUES (?, ?, ?, ?)", (n, digest(role, text), role, text))
        c.execute("INSERT INTO contexts VALUES (1, NULL, 1, 0)")
        c.execute("INSERT INTO calls (id, key, attempt, trajectory_id, state, parent_thought, role, ordinal, template_hash, context_id, sampling,"
                  " seed, epoch, model, reply_id, finish_reason, prompt_tokens, completion_tokens, created, finished)"
                  " VALUES (1, ?, 0, 'trajectory1', 'done', 'thought0', 'answer', 0, 't', 1, '{}', 0, 1, 'm', 2, 'stop', 9, 21, 'x', 'x')",
                  (digest("a call"),))  # fmt: skip
        for name, call, message, fate, depth in (("thought0", None, 1, "kept", 0), ("thought1", 1, 2, "final", 1)):
            c.execute("INSERT INTO thoughts VALUES (?, 'trajectory1', ?, ?, 0, 'answer', '', '', ?, NULL, NULL, NULL, ?, ?)",
                      (name, call, depth, message, fate, depth))  # fmt: skip
        c.execute("INSERT INTO thought_edges VALUES ('thought0', 'thought1')")
        c.execute(
            "INSERT INTO verdicts (trajectory_id, correct, score, reason, unparsed, created) VALUES ('trajectory1', 1, 1.0, 'fine', 0, 'x')"
        )
        c.commit()


@pytest.mark.parametrize("version", EARLIEST)
def test_a_file_of_it_opens_and_is_read(version: str, tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    a_file_of(version, path)
    with Store.open(path) as store:
        assert [row["name"] for row in store.rows("SELECT name FROM _sqlite_migrations ORDER BY rowid")] == [*STEPS]
        assert store.rows("PRAGMA integrity_check") == [{"integrity_check": "ok"}]
        assert store.rows("PRAGMA foreign_key_check") == []
        (run,) = runs(store)
        assert (run["id"], run["trajectories"], run["correct"]) == ("run1", 1, 1)
        assert resolve(store, "last") == ("run", "run1")
        dag = load_trajectory(store, "trajectory1")
        assert [(thought.text, dag.mark_of(thought).status) for thought in dag.thoughts()] == [(STATEMENT, "kept"), (REPLY, "final")]
        tally = export(store, "sft", tmp_path / "out.jsonl", Filters())
        assert tally.taken == 1
        (line,) = (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()
        assert [turn["content"] for turn in json.loads(line)["messages"]] == [STATEMENT, REPLY]
