"""A plan of many problems names them by a list of the store; what is resumed, replayed and counted is the same as where it holds them itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import reasoner
from reasoner.errors import Refused
from reasoner.files import Spool, spool
from reasoner.runs import saved_plan
from reasoner.runs.problems import draw
from reasoner.runs.results import Ids
from reasoner.store import Store
from reasoner.types import Completion, Usage

N = 30


class Answering:
    """Answers the question with the number that is in it; from the call `broken_after` on it refuses."""

    name = "answering"
    fingerprint = "answering"
    paid = False
    concurrency = 3

    def __init__(self, broken_after: int = 10**9) -> None:
        self.calls, self.broken_after = 0, broken_after

    async def complete(self, request: Any) -> Completion:
        self.calls += 1
        if self.calls > self.broken_after:
            raise Refused("401")
        return Completion("Answer: " + "".join(c for c in request.messages[-1].content if c.isdigit()), usage=Usage(5, 2))

    async def aclose(self) -> None:
        """There is nothing to close."""


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "q.jsonl"
    path.write_text("".join(json.dumps({"question": f"Say {k}.", "answer": str(k)}) + "\n" for k in range(N)))
    return path


@pytest.fixture(params=["inside", "list"])
def form(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(saved_plan, "MAX_INSIDE", 1000 if request.param == "inside" else 3)
    return str(request.param)


def plan_of(db: Path) -> Any:
    with Store.read(db) as store:
        return json.loads(store.tuples("SELECT plan FROM runs")[0][0])


def test_a_run_goes_on_without_the_file_its_problems_came_from(tmp_path: Path, rows: Path, form: str) -> None:
    db = tmp_path / "t.db"
    with pytest.raises(Refused):
        reasoner.bench(f"question:{rows}", strategy="direct", model=Answering(10), n=None, db=db)
    assert isinstance(plan_of(db)["problems"], dict) == (form == "list")
    rows.unlink()
    client = Answering()
    report = reasoner.resume("last", models=[client], db=db)
    assert report.resumed
    assert client.calls == N - 10
    assert [result.correct for result in report.results] == [True] * N
    assert sum(result.new_calls for result in report.results) == N - 10
    assert reasoner.replay("last", db=db).exact


def test_both_forms_are_the_same_run(tmp_path: Path, rows: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    db = tmp_path / "t.db"
    ids = []
    for limit in (1000, 3):
        monkeypatch.setattr(saved_plan, "MAX_INSIDE", limit)
        made = reasoner.bench(f"question:{rows}", strategy="direct", model=Answering(), n=None, db=db)
        ids.append(made.report.run_id)
    assert ids[0] == ids[1]
    assert made.report.resumed
    assert isinstance(plan_of(db)["problems"], list)  # an old plan stays as it is


def test_results_beyond_memory_come_back_in_the_plan_s_order(tmp_path: Path, rows: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reasoner.runs.runner.KEPT_RESULTS", 4)
    made = reasoner.bench(f"question:{rows}", strategy="direct,cot", model=Answering(), n=None, db=tmp_path / "t.db")
    problems = [problem.id for problem in draw(f"question:{rows}", n=None, seed=0)]
    results = list(made.report.results)
    assert [result.problem.id for result in results] == problems * 2
    assert [result.strategy for result in results] == ["direct"] * N + ["cot"] * N
    assert [result.new_calls for result in made.report.results[N - 2 : N + 2]] == [1] * 4
    assert [(row.strategy, row.n, row.correct) for row in made.rows] == [("direct", N, N), ("cot", N, N)]


def test_a_large_file_is_drawn_as_a_small_one_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "q.jsonl"
    kinds = [
        {"question": f"Which, {k % 40}?", "choices": ["a", f"b{k % 7}", "c"], "answer": "c"} if k % 3 else {"question": f"Say {k % 50}.", "answer": str(k % 50)}
        for k in range(200)
    ]  # fmt: skip
    path.write_text("".join(json.dumps(row) + "\n" for row in kinds))
    drawn = {(n, level): draw(f"question:{path}", n=n, seed=5, level=level) for n in (None, 9) for level in (1, 2, 3)}
    monkeypatch.setattr(spool, "IN_MEMORY", 5)
    monkeypatch.setattr("reasoner.files.streams.STREAMED_BYTES", 0)
    for (n, level), problems in drawn.items():
        again = draw(f"question:{path}", n=n, seed=5, level=level)
        assert isinstance(again, Spool)
        assert list(again) == list(problems)
    generated = draw("game24", n=12, seed=1)
    assert isinstance(generated, Spool)
    assert list(generated)[:5] == list(draw("game24", n=5, seed=1))


def test_ids_are_a_sequence() -> None:
    names = [f"{k:016x}" for k in range(5)]
    made = Ids(iter(names))
    assert (len(made), made[1], made[-1], made[1:3], list(made)) == (5, names[1], names[-1], names[1:3], names)
    assert list(Ids([])) == []
    with pytest.raises(IndexError):
        made[5]


async def test_a_resumed_run_begins_with_what_is_left_and_reads_the_rest_back_after_it(
    tmp_path: Path, rows: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from reasoner.runs.events import TrajectoryClosed

    monkeypatch.setattr("reasoner.runs.unfinished.LOOKED_UP", 7)
    monkeypatch.setattr(saved_plan, "MAX_INSIDE", 3)
    db = tmp_path / "t.db"
    with pytest.raises(Refused):
        await reasoner.abench(f"question:{rows}", strategy="direct", model=Answering(20), n=None, db=db)
    closed: list[int] = []

    def watch(event: object) -> None:
        if isinstance(event, TrajectoryClosed):
            closed.append(event.result.new_calls)

    report = await reasoner.aresume("last", models=[Answering()], db=db, progress=watch)
    # Six are worked on at a time: when the first is read back, all that were left have begun.
    assert closed[: N - 20 - 6] == [1] * (N - 20 - 6)
    assert (sum(closed), len(closed)) == (N - 20, N)
    assert [result.correct for result in report.results] == [True] * N
