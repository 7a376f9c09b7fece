"""`reasoner annotate`: written, shown, chosen by, removed; and what is refused in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from forks import Forks

from reasoner.cli.completing import labels


def trajectory(folder: Path, forks: Forks) -> str:
    made = forks.run(["solve", "game24", "4 9 10 13", "--model", "teacher", "--strategy", "cot", "--db", "t.db", "--json"], cwd=folder)
    return str(json.loads(made.out)["trajectory"])


def test_a_label_and_a_note_are_written_shown_chosen_by_and_removed(tmp_path: Path, forks: Forks, monkeypatch: pytest.MonkeyPatch) -> None:
    name = trajectory(tmp_path, forks)
    done = forks.run(["annotate", name[:6], "--label", "good", "--note", "short \x1b[31m", "--db", "t.db", "--json"], cwd=tmp_path)
    said = json.loads(done.out)
    assert (said["trajectory"], said["annotation"]["label"], said["annotation"]["note"]) == (name, "good", "short [31m")
    shown = forks.run(["show", name, "--db", "t.db"], cwd=tmp_path).out
    assert "annotation good" in shown
    assert "short [31m" in shown
    assert json.loads(forks.run(["show", name, "--db", "t.db", "--json"], cwd=tmp_path).out)["annotation_label"] == "good"
    listed = forks.run(["show", "last", "--db", "t.db"], cwd=tmp_path).out
    assert "label" in listed
    assert "good" in listed
    assert forks.run(["export", "sft", "a.jsonl", "--label", "good", "--db", "t.db"], cwd=tmp_path).code == 0
    assert forks.run(["export", "sft", "b.jsonl", "--label", "bad", "--db", "t.db"], cwd=tmp_path).code == 2
    monkeypatch.setenv("REASONER_DB", str(tmp_path / "t.db"))
    assert (labels("g"), labels("x")) == (["good"], [])
    gone = forks.run(["annotate", "last", "--remove", "--db", "t.db", "--json"], cwd=tmp_path)
    assert json.loads(gone.out) == {"trajectory": name, "annotation": None}
    assert "label" not in forks.run(["show", "last", "--db", "t.db"], cwd=tmp_path).out
    assert "no annotation" in forks.run(["annotate", "last", "--remove", "--db", "t.db"], cwd=tmp_path).out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "nothing to write down"),
        (["--remove", "--label", "a"], "--remove takes no label"),
        (["--label", ""], "needs a --label or a --note"),
        (["--label", "x" * 81], "the --label has 81 characters"),
        (["--note", "x" * 4001], "the --note has 4,001 characters"),
    ],
)
def test_what_cannot_be_written_is_told_in_one_line(tmp_path: Path, forks: Forks, words: list[str], says: str) -> None:
    name = trajectory(tmp_path, forks)
    done = forks.run(["annotate", name, *words, "--db", "t.db"], cwd=tmp_path)
    assert done.code == 2
    assert says in done.err
    assert done.err.count("\n") <= 2


def test_no_database_is_made(tmp_path: Path, forks: Forks) -> None:
    assert forks.run(["annotate", "x", "--label", "a", "--db", "none.db"], cwd=tmp_path).code == 4
    assert not (tmp_path / "none.db").exists()
