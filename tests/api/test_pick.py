"""`reasoner.pick`: what is raced, on which problems, what the test is made on, and what is asked again (nothing)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import reasoner
from reasoner import registry
from reasoner.api.pick import contenders_for, keeps_forms
from reasoner.api.settings import settings_of
from reasoner.clients.scripted import ScriptedClient
from reasoner.errors import BadConfig
from reasoner.runs.events import Note
from reasoner.runs.problems import draw, instance_of
from reasoner.runs.strategy_spec import parse_strategies
from reasoner.types import Completion, Request, Usage

TOKENS = {"direct": 40, "cot": 90, "draft": 60, "iot": 5000}


def answering(rights: dict[str, int]) -> ScriptedClient:
    """A model that is right under a strategy on so many of ten problems, the same ones whatever it is asked first."""
    solver = registry.solver("number_path")

    def reply(request: Request) -> Completion:
        assert request.about is not None
        name = request.about.template.partition("/")[0]
        right = int(request.about.problem.id, 16) % 10 < rights[name]
        text = solver.right_answer(instance_of(solver, request.about.problem)) if right else "Answer: 1 -> 2"
        return Completion(text or "", usage=Usage(TOKENS[name] - 10, 10))

    client = ScriptedClient(reply, name="m")
    client.fingerprint = "same"
    return client


def race(tmp_path: Path, rights: dict[str, int], **more: Any) -> tuple[reasoner.Picked, ScriptedClient]:
    tmp_path.mkdir(exist_ok=True)
    client = answering({name.partition(":")[0]: right for name, right in rights.items()})
    told: dict[str, Any] = {"strategy": list(rights), "tokens_per_answer": 200, "n": 20, "n_test": 12, "db": tmp_path / "t.db"} | more
    return reasoner.pick("number_path", model=client, **told), client


def test_the_best_is_found_and_tested_on_other_problems(tmp_path: Path) -> None:
    made, client = race(tmp_path, {"direct": 1, "cot": 4, "draft:form=words": 9})
    assert made.chosen == "draft:form=words"
    assert made.contenders[0].strategy == made.chosen
    asked = [request.about for request in client.requests if request.about is not None]
    raced = {problem.id for problem in draw("number_path", n=32, seed=0)[:20]}
    tested = {about.problem.id for about in asked} - raced
    assert len(tested) == 12
    assert {trial.n_problems for trial in made.test.rows if trial.solver} == {12}
    assert [(test.strategy, test.against) for test in made.test.tests][:1] == [(made.chosen, "cot")]
    again, silent = race(tmp_path, {"direct": 1, "cot": 4, "draft:form=words": 9})
    assert (again.as_dict(), silent.requests) == (made.as_dict(), [])
    json.dumps(made.as_dict(), allow_nan=False)


def test_halves_go_on_to_more_problems(tmp_path: Path) -> None:
    notes: list[str] = []
    made, _ = race(
        tmp_path, {"direct": 1, "cot": 4, "draft:form=words": 9}, progress=lambda event: notes.append(event.text) if isinstance(event, Note) else None
    )  # fmt: skip
    assert {each.strategy: each.row.n for each in made.contenders} == {"draft:form=words": 20, "cot": 20, "direct": 10}
    assert len(made.runs) == 2
    assert [note.partition(":")[0] for note in notes] == ["round 1 of 2", "round 2 of 2", "test"]


def test_what_takes_too_many_tokens_is_not_picked(tmp_path: Path) -> None:
    made, _ = race(tmp_path, {"cot": 5, "iot": 10}, tokens_per_answer=300)
    assert made.chosen == "cot"
    assert made.test.tests == ()
    with pytest.raises(BadConfig, match=r"cot, the cheapest, takes 90.*") as refused:
        race(tmp_path / "none", {"cot": 5, "iot": 10}, tokens_per_answer=50)
    assert "`tokens_per_answer=100`" in str(refused.value)


def test_replies_are_bounded_by_what_an_answer_may_take(tmp_path: Path) -> None:
    _, client = race(tmp_path, {"cot": 5}, n=2, n_test=1, tokens_per_answer=123)
    assert {request.sampling.max_tokens for request in client.requests} == {123}
    _, client = race(tmp_path / "own", {"cot": 5}, n=2, n_test=1, max_tokens=77)
    assert {request.sampling.max_tokens for request in client.requests} == {77}


def test_wrong_use_is_named(tmp_path: Path) -> None:
    for wrong, named in (({"tokens_per_answer": 0}, "tokens_per_answer"), ({"n": 0}, "`n=0`"), ({"n_test": 0}, "n_test")):
        with pytest.raises(BadConfig, match=named):
            race(tmp_path, {"cot": 5}, **wrong)
    with pytest.raises(BadConfig, match="upper bound"):
        race(tmp_path, {"best_of_n:select=verifier": 1})


@pytest.mark.parametrize("solver", ["number_path", "words", "sql", "countdown"])
@pytest.mark.parametrize("model", ["local", "openai:m", "teacher"])
def test_what_is_raced_can_be_run(solver: str, model: str) -> None:
    found = contenders_for(solver, model, draw(solver, n=1, seed=0)[0], held=model != "openai:m")
    assert {"direct", "cot", "refine"} <= set(found)
    assert len({spec.label for spec in parse_strategies(found)}) == len(found)
    moves = isinstance(registry.solver(solver), reasoner.Searchable)
    assert ("guided" in found) == (moves and model != "openai:m")
    assert any(name.startswith("ats") for name in found)
    if model == "openai:m":
        assert "draft" not in found


@pytest.mark.parametrize(("model", "kept"), [("local", True), ("teacher", True), ("openai:m", False), ("anthropic:m", False)])
async def test_the_client_says_whether_replies_keep_to_a_form(monkeypatch: pytest.MonkeyPatch, model: str, kept: bool) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "x")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "x")
    assert await keeps_forms(model, settings_of({})) == kept
