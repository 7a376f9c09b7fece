"""`reasoner runs`: what was right of what was judged, and a dash where nothing was."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from forks import Forks

import reasoner
from reasoner.cli.bench import Watch


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


def test_an_interrupted_run_says_what_it_holds_and_not_what_this_process_came_to(tmp_path: Path) -> None:
    made = reasoner.bench("game24", n=3, strategy="direct", model="teacher", db=tmp_path / "t.db")
    watch = Watch()
    watch.run_id, watch.total, watch.done = made.report.run_id, 5, 1
    assert watch.interrupted(tmp_path / "t.db").startswith(
        f"interrupted: 3 of 5 trajectories are done and kept in run {made.report.run_id}"
    )
    assert (
        Watch().interrupted(tmp_path / "none.db")
        == "interrupted: 0 of 0 trajectories are done and kept in run (none); the same command resumes there"
    )
