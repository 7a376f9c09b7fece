"""`reasoner runs`: what was right of what was judged, and a dash where nothing was."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from forks import Forks


@pytest.mark.parametrize(
    ("command", "correct", "shown"),
    [
        (("ask", "Which town?", "--model", "scripted:s.jsonl"), None, "–"),
        (("bench", "game24", "-n", "2", "--strategy", "direct", "--model", "teacher"), 2, "2/2"),
    ],
)
def test_a_run_that_judged_nothing_has_no_share(
    tmp_path: Path, forks: Forks, command: tuple[str, ...], correct: int | None, shown: str
) -> None:
    (tmp_path / "s.jsonl").write_text('"Rome."\n')
    assert forks.run([*command, "--db", "t.db"], cwd=tmp_path).code == 0
    (row,) = json.loads(forks.run(["runs", "--db", "t.db", "--json"], cwd=tmp_path).out)
    assert row["correct"] == correct
    assert row["judged"] == (correct or 0)
    listed = forks.run(["runs", "--db", "t.db"], cwd=tmp_path).out.splitlines()[-1]
    assert listed.split()[-2] == shown
