"""The first minute: what `reasoner` alone says, the tour, plain output, and names that the shell completes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from forks import Forks

import reasoner
from reasoner.api.progress import right, used
from reasoner.cli import completing, welcome
from reasoner.cli.glance import glance
from reasoner.cli.tour import QUESTIONS, steps
from reasoner.store import Store
from reasoner.store.annotations import annotate
from reasoner.store.run_queries import n_runs


def test_alone_it_says_what_to_do_next(tmp_path: Path, forks: Forks) -> None:
    ended = forks.run([], cwd=tmp_path, env={"REASONER_DB": ""})
    assert ended.code == 0
    assert "reasoner tour" in ended.out
    assert "reasoner --help" in ended.out
    reasoner.solve("sum", "1 2", strategy="direct", model="teacher", db=tmp_path / "trajectories.db")
    ended = forks.run([], cwd=tmp_path, env={"REASONER_DB": ""})
    assert "trajectories.db holds 1 run." in ended.out
    assert "reasoner view" in ended.out


def test_a_file_that_is_no_database_is_no_run(tmp_path: Path) -> None:
    other = tmp_path / "x.db"
    other.write_text("not a database")
    for path in (other, tmp_path, tmp_path / "none.db", tmp_path / "none" / "x.db"):
        assert glance(n_runs, 0, db=path) == 0
    assert other.read_text() == "not a database"
    assert [path.name for path in tmp_path.iterdir()] == ["x.db"], "a look makes nothing"


def test_without_local_models_it_says_how_to_get_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("REASONER_DB", raising=False)
    monkeypatch.setattr(welcome, "has_local", lambda: False)
    welcome.welcome()
    assert "Local models are not installed" in capsys.readouterr().out


def test_the_tour_runs_every_command_it_shows(tmp_path: Path, forks: Forks) -> None:
    ended = forks.run(["tour", "--model", "teacher", "--yes"], cwd=tmp_path, env={"REASONER_DB": "mine.db"})
    assert ended.code == 0, ended.err
    shown = [line for line in ended.out.splitlines() if line.startswith("$ reasoner ")]
    n = sum(len(step.commands) for step in steps("teacher", Path("reasoner-tour")))
    assert len(shown) == n + 2, "and the two that go on from there"
    assert "5 of 5" in ended.out
    assert not (tmp_path / "mine.db").exists(), "a tour has a database of its own"
    rows = [json.loads(line) for line in (tmp_path / "reasoner-tour" / "right.jsonl").read_text().splitlines()]
    assert rows
    again = forks.run(["tour", "--model", "teacher", "--yes"], cwd=tmp_path)
    assert again.code == 0, "it can be taken again"


def test_the_tour_ends_where_a_step_cannot_be_done(tmp_path: Path, forks: Forks) -> None:
    ended = forks.run(["tour", "--model", "no-such.gguf", "--yes"], cwd=tmp_path)
    assert ended.code == 2
    assert ended.err.strip().splitlines()[-1].startswith("error: ")
    (tmp_path / "file").write_text("")
    assert forks.run(["tour", "--model", "teacher", "--yes", "--folder", "file"], cwd=tmp_path).code == 2


@pytest.mark.parametrize("name", ["questions.jsonl", "right.jsonl"])
def test_the_tour_overwrites_no_file_of_others(tmp_path: Path, forks: Forks, name: str) -> None:
    (tmp_path / name).write_text("mine")
    ended = forks.run(["tour", "--model", "teacher", "--yes", "--folder", "."], cwd=tmp_path)
    assert ended.code == 2
    assert f"{name} is there and is none of a tour" in ended.err
    assert (tmp_path / name).read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_the_questions_of_the_tour_are_judged_in_several_ways() -> None:
    assert {len(row.get("choices", ())) for row in QUESTIONS} == {0, 3}
    assert len({row["subject"] for row in QUESTIONS}) > 1


def test_plain_output_has_no_escape(tmp_path: Path, forks: Forks) -> None:
    reasoner.solve("sum", "1 2", strategy="direct", model="teacher", db=tmp_path / "t.db")
    env = {"REASONER_DB": "t.db", "FORCE_COLOR": "1", "TERM": "xterm"}
    assert "\x1b" not in forks.run(["--plain", "tree", "last"], cwd=tmp_path, env=env).out


def test_names_are_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert completing.families("game2") == ["game24"]
    assert completing.strategies("cot,at") == ["cot,ats"]
    assert "sft" in completing.formats("s")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.gguf").write_text("")
    assert completing.models("m") == ["m.gguf"]
    assert completing.models("te") == ["teacher"]
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "n.gguf").write_text("")
    for begun in ("models/", "models/n", "./models/", f"{tmp_path}/models/n"):
        assert completing.models(begun) == [f"{begun.rpartition('/')[0]}/n.gguf"]
    monkeypatch.setenv("REASONER_DB", str(tmp_path / "t.db"))
    assert completing.ids("") == ["last"]
    run = reasoner.solve("sum", "1 2", strategy="direct", model="teacher", db=tmp_path / "t.db").run_id
    assert completing.ids(run[:4]) == [run]
    (tmp_path / "t.db").write_bytes(b"no database of ours" * 100)
    assert completing.ids("l") == ["last"]


HOSTILE = [
    "\\$(touch pwned)",
    "$(touch pwned)",
    "`touch pwned`",
    "x;touch pwned",
    'x"y',
    "x'y",
    "x*",
    "x|y",
    "x>y",
    "x\\",
    "x&y",
    "--remove",
    "~root",
    "!x",
    "{a,b}",
    "#x",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_what_a_shell_would_evaluate_is_not_offered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    made = reasoner.solve("sum", "1 2", strategy="direct", model="teacher", db=tmp_path / "t.db")
    monkeypatch.setenv("REASONER_DB", str(tmp_path / "t.db"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / f"{name}.gguf").write_text("")
    with Store.open(tmp_path / "t.db") as store:
        annotate(store, made.trajectory_id, label=name)
    assert completing.labels("") == []
    assert completing.models(name[0]) == []
    with Store.open(tmp_path / "t.db") as store:
        annotate(store, made.trajectory_id, label="needs work: 2. Größe")
    assert completing.labels("n") == ["needs work: 2. Größe"]


def test_progress_says_what_was_spent_and_how_fast() -> None:
    assert (right(3, 4), right(0, 0)) == ("3/4 right", "– right")
    assert (used(15_300, 41.6, 0.0), used(900, 0.0, 0.0123)) == ("15.3k tok, 42/s", "900 tok, $0.012")
