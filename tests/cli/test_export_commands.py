"""`reasoner export`, `import`, `trace` as a person types them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import reasoner
from reasoner.cli.app import app


@pytest.fixture
def db(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    sampling = reasoner.Sampling(max_tokens=4000)
    reasoner.bench(["number_path"], strategy="cot,ats", model="teacher", n=4, db=tmp_path / "trajectories.db", sampling=sampling)
    return tmp_path / "trajectories.db"


def call(*args: str) -> Result:
    return CliRunner().invoke(app, args)


def test_export_with_everything(db: Path) -> None:
    done = call(
        "export",
        "dpo",
        "o.jsonl",
        "--split",
        "train=0.5,test=0.5",
        "--ratings",
        "--context",
        "--card",
        "--thinking",
        "tags",
        "--labels-from",
        "tree",
        "--json",
    )
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert said["rows"] == sum(said["counts"]["split"].values()) > 0
    assert set(said["files"]) <= {"o.train.jsonl", "o.test.jsonl"}
    assert Path("README.md").is_file()
    row = json.loads(Path("o.train.jsonl").read_text().splitlines()[0])
    assert set(row) == {
        "prompt",
        "chosen",
        "rejected",
        "chosen_rating",
        "rejected_rating",
        "chosen_reason",
        "rejected_reason",
        "context",
        "lineage",
    }


def test_a_dry_run_shows_and_writes_nothing(db: Path) -> None:
    before = sorted(p.name for p in Path().iterdir())
    done = call("export", "sft", "o.jsonl", "--dry-run")
    assert done.exit_code == 0, done.output
    assert "8 rows from 8 trajectories (dry run, nothing was written)" in done.stderr
    assert "8 rows were written by the exact solver (teacher), not by a model" in done.stderr
    assert "messages" in done.stdout
    assert sorted(p.name for p in Path().iterdir()) == before
    assert len(json.loads(call("export", "sft", "o.jsonl", "--dry-run", "--json").stdout)["preview"]) == 5


def test_nothing_to_export_says_why(db: Path) -> None:
    done = call("export", "sft", "o.jsonl", "--model", "nobody")
    assert done.exit_code == 2
    assert "no row to export (0 trajectories looked at); o.jsonl was not written" in done.stderr


@pytest.mark.parametrize("wrong", [("--secrets", "sell"), ("--split", "a=2"), ("--verdict", "x"), ("--records", "pair"), ("--since", "x")])
def test_wrong_options_are_named(db: Path, wrong: tuple[str, str]) -> None:
    done = call("export", "sft", "o.jsonl", *wrong)
    assert done.exit_code == 2
    assert done.stderr.startswith("error: ")
    assert not Path("o.jsonl").exists()


def test_there_and_back_and_whence(db: Path) -> None:
    assert call("export", "openai-sft", "o.jsonl").exit_code == 0
    done = call("import", "o.jsonl", "--db", "other.db")
    assert "o.jsonl: 8 trajectories from 8 rows" in done.stderr
    again = call("import", "o.jsonl", "--db", "other.db", "--json")
    assert json.loads(again.stdout)["skipped"] == {"it is in the store already": 8}
    Path("again").mkdir()
    assert call("export", "openai-sft", "again/o.jsonl", "--db", "other.db").exit_code == 0
    assert Path("again/o.jsonl").read_bytes() == Path("o.jsonl").read_bytes()
    for store in ("trajectories.db", "other.db"):
        done = call("trace", "o.jsonl:3", "--db", store)
        assert done.exit_code == 0, done.output
        assert "number_path" in done.stdout
        assert "call 1 done" in done.stdout
    (found,) = json.loads(call("trace", "o.jsonl:3", "--json").stdout)
    assert found["call_rows"][0]["key"] == found["lineage"]["calls"][0]
    assert call("trace", "o.jsonl:99").exit_code == 2
    reasoner.solve("number_path", "1 4 8", strategy="direct", model="teacher", db="empty.db")
    missing = call("trace", "o.jsonl:1", "--db", "empty.db")
    assert missing.exit_code == 2
    assert "name the one it was exported from" in missing.stderr
