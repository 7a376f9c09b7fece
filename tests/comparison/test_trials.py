"""What is read from a run: the same problems for everybody, in the plan's order, and the same whether it was just made or is old."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import reasoner
from reasoner import registry
from reasoner.clients.scripted import ScriptedClient
from reasoner.comparison.trials import read_trials
from reasoner.errors import BadConfig, Refused, UnknownName
from reasoner.runs.problems import draw, instance_of
from reasoner.store import Store
from reasoner.types import Completion, Problem, Request, Usage


def test_a_comparison_has_a_row_for_each_family_and_one_over_all(tmp_path: Path) -> None:
    made = reasoner.compare("number_path", strategy="cot,ats", model="teacher", n=3, db=tmp_path / "t.db")
    assert isinstance(made, reasoner.Comparison)
    assert [(r.solver, r.strategy, r.accuracy) for r in made.rows] == [
        ("number_path", "cot", 1.0), ("number_path", "ats", 1.0), (None, "cot", 1.0), (None, "ats", 1.0),
    ]  # fmt: skip


def test_an_old_run_gives_the_comparison_it_gave_when_it_was_made(tmp_path: Path) -> None:
    db = tmp_path / "t.db"
    arguments: dict[str, Any] = {
        "strategy": "ats:order=dfs,cot,direct",
        "model": "teacher",
        "n": 4,
        "samples": 2,
        "level": [1, 2],
        "db": db,
    }
    made = reasoner.compare(["number_path", "game24"], baseline="cot", **arguments)
    assert reasoner.compare_run(db=db, baseline="cot") == made
    assert reasoner.compare_run(made.run[:6], db=db, baseline="cot") == made
    assert reasoner.compare(["number_path", "game24"], baseline="cot", **arguments) == made, "read back, not run again"
    assert list(dict.fromkeys(r.strategy for r in made.rows)) == ["ats:order=dfs", "cot", "direct"]
    assert made.solvers == ["game24", "number_path"], "in one order, whatever order the calls came back in"
    assert {(r.level, r.n_problems, r.n_answers) for r in made.levels} == {(1, 4, 8), (2, 4, 8)}


def test_all_strategies_and_models_get_the_same_problems_and_samples(tmp_path: Path) -> None:
    models = [ScriptedClient(lambda _r: "Answer: no", name=name) for name in ("one", "two")]
    made = reasoner.compare("game24", strategy="direct,cot", model=models, n=3, samples=2, level=[1, 3], db=tmp_path / "t.db")
    with Store.open(tmp_path / "t.db") as store:
        trials = read_trials(store, made.run).trials
    places = {(s, m): sorted(t.place for t in trials if (t.strategy, t.model) == (s, m)) for s in ("direct", "cot") for m in ("one", "two")}
    assert len(places["cot", "one"]) == 12
    assert all(found == places["cot", "one"] for found in places.values())
    assert [r.model for r in made.rows] == ["one", "one", "two", "two"] * 2
    assert all(test.p == 1.0 for test in made.tests)


def test_one_right_sample_of_four_is_a_quarter(tmp_path: Path) -> None:
    """From the model's answers to the table: any-of-k never becomes accuracy."""
    solver = registry.solver("game24")
    asked: Counter[str] = Counter()

    def reply(request: Request) -> str:
        assert request.about is not None
        problem = request.about.problem
        asked[problem.id] += 1
        return str(solver.right_answer(instance_of(solver, problem))) if asked[problem.id] == 3 else "Answer: none"

    made = reasoner.compare("game24", strategy="cot", model=ScriptedClient(reply), n=4, samples=4, db=tmp_path / "t.db")
    told = made.rows[0].as_dict()
    assert (told["accuracy"], told["pass_at"]["4"], told["pass_at"]["1"]) == (0.25, 1.0, 0.25)


def test_an_interrupted_run_is_compared_on_what_all_have_finished(tmp_path: Path) -> None:
    def reply(request: Request) -> str:
        if len(client.requests) > 6:
            raise Refused("gone")
        return "Answer: none"

    client = ScriptedClient(reply)
    db = tmp_path / "t.db"
    with pytest.raises(Refused):
        reasoner.compare("number_path", strategy="direct,cot", model=client, n=4, db=db)
    made = reasoner.compare_run(db=db)
    finished = {r.strategy: r.n_answers for r in made.rows if r.solver}
    assert finished["direct"] == finished["cot"]
    assert finished["cot"] >= 1
    assert made.open + made.left_out + 2 * finished["cot"] == 8
    assert made.open >= 1
    more = ScriptedClient(lambda _request: "Answer: none")
    more.fingerprint = client.fingerprint
    whole = reasoner.compare("number_path", strategy="direct,cot", model=more, n=4, db=db)
    assert len(more.requests) == made.open
    assert (whole.open, whole.left_out, whole.rows[0].n_answers) == (0, 0, 4)


def test_a_run_with_nothing_to_compare_says_so(tmp_path: Path) -> None:
    def reply(_request: Request) -> str:
        raise Refused("gone")

    db = tmp_path / "t.db"
    with pytest.raises(Refused):
        reasoner.compare("number_path", strategy="direct,cot", model=ScriptedClient(reply), n=2, db=db)
    with pytest.raises(BadConfig, match="no problem that every strategy"):
        reasoner.compare_run(db=db)
    with pytest.raises(UnknownName):
        reasoner.compare_run("feed", db=db)
    with Store.open(db) as store:
        (found,) = store.rows("SELECT id FROM trajectories LIMIT 1")
    with pytest.raises(BadConfig, match="is a trajectory"):
        reasoner.compare_run(found["id"], db=db)


def test_cached_tokens_and_cost_are_what_was_recorded(tmp_path: Path) -> None:
    def client(cost: float | None) -> ScriptedClient:
        answer = Completion("Answer: no", usage=Usage(10, 2, 7, cost))
        return ScriptedClient(lambda _r: answer, name=f"costs {cost}", paid=True)

    models = [client(0.5), client(None)]
    made = reasoner.compare("number_path", strategy="cot", model=models, n=3, db=tmp_path / "t.db")
    told = [r.as_dict() for r in made.rows if r.solver]
    assert [(t["cached_tokens"], t["prompt_tokens"], t["completion_tokens"], t["calls"]) for t in told] == [(21, 30, 6, 3)] * 2
    assert [t["cost"] for t in told] == [1.5, None]


def test_the_level_is_that_of_this_run_not_of_the_row_an_earlier_one_made(tmp_path: Path) -> None:
    db = tmp_path / "t.db"
    (problem,) = draw("game24", n=1, seed=0, level=3)
    reasoner.solve("game24", problem.line, strategy="cot", model="teacher", db=db)
    made = reasoner.compare("game24", strategy="cot", model="teacher", n=2, level=3, db=db)
    assert [(r.level, r.n_answers) for r in made.levels] == [(3, 2)]


def test_a_problem_two_levels_hold_is_tried_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def overlapping(solver: str, *, n: int, seed: int, level: int | None) -> list[Problem]:
        """Level 2 begins with what level 1 begins with."""
        return [replace(problem, level=level) for problem in draw(solver, n=n, seed=seed, level=1)]

    monkeypatch.setattr("reasoner.api.compare.draw", overlapping)
    made = reasoner.compare("number_path", strategy="cot", model="teacher", n=5, level=[1, 2, 1], db=tmp_path / "t.db")
    assert [(r.level, r.n_problems, r.n_answers) for r in made.levels] == [(1, 5, 5), (2, 5, 5)]


def test_bad_comparisons_are_refused_before_anything_is_run(tmp_path: Path) -> None:
    client = ScriptedClient(lambda _r: "Answer: no")
    db = tmp_path / "t.db"
    with pytest.raises(BadConfig, match="named twice"):
        reasoner.compare("game24", strategy="cot", model=[client, client], db=db)
    with pytest.raises(BadConfig, match="none of the strategies"):
        reasoner.compare("game24", strategy="cot,ats", model=client, baseline="direct", db=db)
    with pytest.raises(UnknownName):
        reasoner.compare("game24", strategy="cot,ats", model=client, baseline="atz", db=db)
    assert not client.requests
    assert not db.exists()
    made = reasoner.compare("game24", strategy="cot,ats", model=client, baseline="ats:order=bfs", n=1, db=db)
    assert made.baseline == "ats"
