"""The evidence example: its tables from the teacher, its control by chance, and that nothing is asked twice."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from example_module import EXAMPLES, example_module


def asked(folder: Path, *more: str) -> str:
    line = [sys.executable, str(EXAMPLES / "evidence.py"), "--model", "teacher", "--dir", str(folder), "--problems", "3", *more]
    return subprocess.run(line, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def example() -> Any:
    return example_module("evidence")


def test_the_tables_are_written_and_no_call_is_made_twice(tmp_path: Path) -> None:
    line = (
        "--families",
        "words=2,countdown",
        "--strategies",
        "cot",
        "program",
        "guided",
        "self_consistency:n=3,stop=certain",
        "--samples",
        "2",
    )
    told = asked(tmp_path, *line, "--go")
    found = json.loads((tmp_path / "evidence.json").read_text(encoding="utf-8"))
    assert (tmp_path / "evidence.md").read_text(encoding="utf-8") in told
    words, countdown = found["words"], found["countdown"]
    assert words["level"] == 2
    assert words["by_chance"] is None
    assert 0 <= countdown["by_chance"] < 0.3
    names = [row["strategy"] for row in countdown["rows"]]
    assert names == ["cot", "program", "guided", "self_consistency:n=3,stop=certain"]
    assert "guided" not in {row["strategy"] for row in words["rows"]}, "word problems have no moves"
    assert [row["answers"] for row in words["rows"] if row["strategy"].startswith("self")] == [6], "two seeds of three problems"
    assert all(row["correct"] == row["answers"] for row in countdown["rows"]), "the teacher is right"

    def calls() -> Any:
        with sqlite3.connect(tmp_path / "evidence.db") as made:
            return made.execute("SELECT count(*) FROM calls").fetchone()

    before = calls()
    assert asked(tmp_path, *line, "--go").splitlines() == told.splitlines()
    assert calls() == before
    assert "about" in asked(tmp_path, *line)


def test_what_helps_is_clearly_better_and_costs_little(example: Any) -> None:
    row = {"points": 0.25, "times_tokens": 2.0, "p_holm": 0.01}
    assert example.helps(row)
    assert example.helps({**row, "p_holm": 0.0})
    for changed in ({"points": 0.19}, {"times_tokens": 3.1}, {"p_holm": 0.06}, {"p_holm": None}):
        assert not example.helps({**row, **changed})
