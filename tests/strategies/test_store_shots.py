"""Worked examples from the store: verified, of earlier runs, never the problem itself, the same on every replay."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import reasoner
from reasoner.clients import open_client
from reasoner.clients.scripted import ScriptedClient
from reasoner.errors import BadConfig
from reasoner.runs.results import Result

RIGHT = {
    "2 9 20": "Answer: 9 -> 10 -> 20",
    "2 9 19": "Answer: 9 -> 18 -> 19",
    "2 4 10": "Answer: 4 -> 5 -> 10",
    "2 3 12": "Answer: 3 -> 6 -> 12",
}


def solve(db: Path, line: str, reply: str, strategy: str = "cot", **setup: Any) -> tuple[Result, ScriptedClient]:
    client = ScriptedClient(lambda _request: reply)
    return reasoner.solve("number_path", line, strategy=strategy, model=client, db=db, **setup), client


def shown(client: ScriptedClient) -> list[str]:
    return [m.content for m in client.requests[0].messages if m.role == "assistant"]


def test_they_are_verified_answers_to_the_same_prompt_on_other_problems(tmp_path: Path) -> None:
    db = tmp_path / "t.db"
    for line in ("2 9 20", "2 9 19", "2 4 10"):
        solve(db, line, f"Look.\n{RIGHT[line]}")
    solve(db, "2 3 12", "Answer: 3 -> 4 -> 12")  # wrong
    solve(db, "2 3 7", "Answer: 3 -> 6 -> 7", strategy="direct")  # another prompt
    _, client = solve(db, "2 9 20", "Answer: none", strategy="cot:shots=2,shots_from=store")
    assert shown(client) == [f"Look.\n{RIGHT[line]}" for line in ("2 9 19", "2 4 10")]
    asked = client.requests[0].messages
    assert [m.role for m in asked] == ["user", "assistant", "user", "assistant", "user"]
    assert "Reach 19 in exactly 2 steps" in asked[0].content


@pytest.mark.parametrize("layout", ["json", "answer_first", "irac"])
def test_every_layout_of_cot_can_have_them(tmp_path: Path, layout: str) -> None:
    db = tmp_path / "t.db"
    reasoner.bench("number_path", strategy=f"cot:format={layout}", model="teacher", n=3, db=db)
    _, client = solve(db, "2 9 20", "", strategy=f"cot:format={layout},shots=2,shots_from=store")
    assert len(shown(client)) == 2
    assert all(text.startswith({"json": '{"steps"', "answer_first": "Answer: ", "irac": "Issue: "}[layout]) for text in shown(client))


def test_too_few_is_said_and_nothing_is_asked(tmp_path: Path) -> None:
    solve(tmp_path / "t.db", "2 9 20", RIGHT["2 9 20"])
    with pytest.raises(BadConfig, match=r"1 worked examples were asked for and the store holds 0.*corpora"):
        solve(tmp_path / "t.db", "2 9 20", "", strategy="cot:shots=1,shots_from=store")


def test_the_run_s_own_results_and_later_ones_change_nothing(tmp_path: Path) -> None:
    db = tmp_path / "t.db"
    solve(db, "2 9 19", RIGHT["2 9 19"])
    first, _ = solve(db, "2 9 20", RIGHT["2 9 20"], strategy="cot:shots=1,shots_from=store")
    solve(db, "2 4 10", RIGHT["2 4 10"])
    solve(db, "2 9 19", RIGHT["2 9 19"], mode="recheck")  # replaying the source later does not make it a later one
    again, client = solve(db, "2 9 20", "not asked", strategy="cot:shots=1,shots_from=store", mode="recheck")
    assert client.requests == []
    assert (again.dag_hash, again.new_calls) == (first.dag_hash, 0)


def test_what_is_verified_after_a_run_began_is_no_example_for_it(tmp_path: Path) -> None:
    db = tmp_path / "t.db"
    solve(db, "2 9 19", RIGHT["2 9 19"])
    wanted: dict[str, Any] = {"strategy": "cot:shots=2,shots_from=store"}
    with pytest.raises(BadConfig, match="the store holds 1"):
        solve(db, "2 9 20", "", **wanted)
    solve(db, "2 4 10", RIGHT["2 4 10"])
    with pytest.raises(BadConfig, match=r"the store holds 1 .*mode=fresh"):
        solve(db, "2 9 20", "", **wanted)  # the same run, gone on with
    _, client = solve(db, "2 9 20", "", **wanted, mode="fresh")
    assert len(shown(client)) == 2


def test_a_bench_with_shots_from_the_store_replays_without_a_call(tmp_path: Path) -> None:
    db = tmp_path / "t.db"
    reasoner.bench("game24", strategy="ats", model="teacher", n=4, db=db)
    arguments: dict[str, Any] = {"strategy": "ats:shots=3,shots_from=store", "model": open_client("teacher"), "n": 4, "seed": 5, "db": db}
    first = reasoner.bench("game24", **arguments)
    assert [row.correct for row in first.rows] == [4]
    again = reasoner.bench("game24", **arguments, mode="recheck")
    assert [o.dag_hash for o in again.report.results] == [o.dag_hash for o in first.report.results]
    assert sum(o.new_calls for o in again.report.results) == 0
