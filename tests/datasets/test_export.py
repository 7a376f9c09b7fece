"""Export of verified trajectories: what trainers accept, where rows come from, what is left out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import reasoner
from reasoner import registry
from reasoner.datasets.export import export
from reasoner.datasets.select import Filters
from reasoner.datasets.write import write_jsonl
from reasoner.errors import DataError, UnknownName
from reasoner.store import Store
from reasoner.store.queries import calls
from solvers.game24 import Game24Solver


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    db = tmp_path / "t.db"
    reasoner.bench(["number_path", "game24"], strategy="cot,ats", model="teacher", n=4, db=db, sampling=reasoner.Sampling(max_tokens=4000))
    reasoner.solve("game24", "1 1 1 1", strategy="cot", model="teacher", db=db)  # unsolvable: nothing to export
    opened = Store.open(db)
    yield opened
    opened.close()


def test_trl_and_datasets_accept_it(store: Store, tmp_path: Path) -> None:
    import datasets
    from trl.data_utils import is_conversational

    tally = export(store, "sft", tmp_path / "out.jsonl")
    assert (tally.seen, tally.taken, tally.left_out) == (16, 16, {})
    loaded = datasets.load_dataset("json", data_files=str(tmp_path / "out.jsonl"), split="train", cache_dir=str(tmp_path / "cache"))
    assert len(loaded) == 16
    assert all(is_conversational(row) for row in loaded)
    assert {row["messages"][-1]["role"] for row in loaded} == {"assistant"}


def test_every_line_is_what_was_asked_and_answered_and_says_where_from(store: Store, tmp_path: Path) -> None:
    export(store, "sft", tmp_path / "out.jsonl")
    lines = (tmp_path / "out.jsonl").read_text(encoding="ascii").splitlines()
    assert len(lines) == 16
    for line in lines:
        row = json.loads(line)
        lineage = row["lineage"]
        (call,) = calls(store, lineage["trajectory"])
        assert lineage["calls"] == [call["key"]]
        assert row["messages"][-1]["content"] == call["reply"]
        assert [m["role"] for m in row["messages"]] == (["system"] if lineage["strategy"] == "ats" else []) + ["user", "assistant"]
        assert lineage["model"] == "teacher"


def test_filters(store: Store, tmp_path: Path) -> None:
    assert export(store, "sft", tmp_path / "a", Filters(solver="game24", strategy="cot")).taken == 4
    assert export(store, "sft", tmp_path / "b", Filters(model="nobody")).taken == 0
    assert not (tmp_path / "b").exists()


def test_an_answer_that_no_longer_verifies_is_left_out(store: Store, tmp_path: Path) -> None:
    store.write_now(
        lambda c: c.execute(
            "UPDATE trajectories SET answer = 'Answer: 1 -> 2' WHERE id = (SELECT min(trajectory_id) FROM verdicts WHERE correct)"
        )
    )
    tally = export(store, "sft", tmp_path / "out.jsonl")
    assert (tally.taken, tally.left_out) == (15, {"it no longer verifies": 1})


def test_an_answer_that_is_not_judged_any_more_is_told_as_that(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    verify = Game24Solver.verify
    monkeypatch.setattr(Game24Solver, "verify", lambda *of: replace(verify(*of), correct=None))
    tally = export(store, "sft", tmp_path / "out.jsonl")
    assert (tally.taken, tally.left_out) == (8, {"its verifier gives no verdict now": 8})


def test_the_same_conversation_is_taken_once(store: Store, tmp_path: Path) -> None:
    reasoner.solve("game24", "4 9 10 13", strategy="cot", model="teacher", db=store.path)
    reasoner.solve("game24", "4 9 10 13", strategy="cot", model="teacher", db=store.path, mode="fresh")
    tally = export(store, "sft", tmp_path / "out.jsonl")
    assert tally.left_out == {"the same conversation was taken already": 1}


def test_unknown_format(store: Store, tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="sft"):
        export(store, "stf", tmp_path / "out.jsonl")


def test_writing_is_all_or_nothing(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    path.write_text("before")

    def rows() -> object:
        yield {"a": "\u2028"}
        raise ValueError("in the middle")

    with pytest.raises(ValueError, match="middle"):
        write_jsonl(path, rows())  # type: ignore[arg-type]
    assert [p.name for p in tmp_path.iterdir()] == ["out.jsonl"]
    assert path.read_text() == "before"
    assert write_jsonl(path, [{"a": "\u2028"}]) == 1
    assert path.read_bytes() == b'{"a": "\\u2028"}\n'
    with pytest.raises(DataError, match="no/where"):
        write_jsonl(tmp_path / "no" / "where", [{}])


def test_what_cannot_be_judged_is_left_out_and_counted(store: Store, tmp_path: Path) -> None:
    from reasoner.datasets.options import Options

    store.write_now(
        lambda c: c.execute(
            "UPDATE problems SET instance = '{}' WHERE line <> '1 1 1 1' AND id = (SELECT min(id) FROM problems WHERE solver = 'game24' AND line <> '1 1 1 1')"
        )
    )
    store.write_now(lambda c: c.execute("UPDATE problems SET solver = 'gone' WHERE solver = 'number_path'"))
    tally = export(store, "sft", tmp_path / "out.jsonl")
    assert tally.left_out == {"its solver is not installed": 8, "its problem cannot be read by the solver": 2}
    assert tally.taken == 6
    steps = export(store, "prm", tmp_path / "steps.jsonl", options=Options(trust_verdicts=True, labels_from="tree"))
    assert steps.left_out["its problem cannot be read by the solver"] == 2


def test_stored_verdicts_are_taken_only_when_asked_to(store: Store, tmp_path: Path) -> None:
    from reasoner.datasets.options import Options

    store.write_now(lambda c: c.execute("UPDATE trajectories SET answer = 'Answer: 1 -> 2'"))
    assert export(store, "sft", tmp_path / "out.jsonl").taken == 0
    assert not (tmp_path / "out.jsonl").exists()
    tally = export(store, "sft", tmp_path / "out.jsonl", options=Options(trust_verdicts=True))
    assert tally.taken == 16, "each reply is judged in place of the changed answer"


def test_a_call_that_holds_no_answer_is_not_exported(store: Store, tmp_path: Path) -> None:
    store.write_now(lambda c: c.execute("UPDATE trajectories SET answer_thought = NULL"))
    tally = export(store, "sft", tmp_path / "out.jsonl")
    assert (tally.taken, tally.left_out) == (0, {"no call of its own holds the answer": 16})


def test_an_answer_is_verified_once_and_for_its_own_problem_only(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    db = tmp_path / "v.db"
    for line in ("4 9 41", "4 9 40"):
        reasoner.solve("number_path", line, strategy="cot", model="teacher", samples=3, db=db)
    said: list[tuple[str, str]] = []
    cls = type(registry.solver("number_path"))
    true = cls.verify

    def verify(self: Any, instance: Any, text: str) -> Any:
        said.append((instance.line(), text))
        return true(self, instance, text)

    with Store.open(db) as opened:
        answer = "Answer: 9 -> 10 -> 20 -> 40 -> 41"
        opened.write_now(lambda c: c.execute("UPDATE trajectories SET answer = ?", (answer,)))
        opened.write_now(lambda c: c.execute("UPDATE messages SET content = ? WHERE role = 'assistant'", (answer,)))
        monkeypatch.setattr(cls, "verify", verify)
        tally = export(opened, "sft", tmp_path / "out.jsonl")
    assert (tally.seen, tally.taken) == (6, 1)
    assert tally.left_out == {"it no longer verifies": 3, "the same conversation was taken already": 2}
    assert sorted(said) == [("4 9 40", answer), ("4 9 41", answer)]
    assert json.loads((tmp_path / "out.jsonl").read_text())["lineage"]["instance"] == "4 9 41"
