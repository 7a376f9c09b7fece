"""beam and mcts over scripted replies: what is proposed, how it is scored, which path goes on, what is asked of which model, what a replay makes."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import reasoner
from reasoner.budget import Limits
from reasoner.clients import ClientOptions
from reasoner.clients.scripted import ScriptedClient
from reasoner.errors import BadConfig, ReasonerError
from reasoner.runs.plan import Plan
from reasoner.runs.pool import ModelPool
from reasoner.runs.problems import problem_from_line
from reasoner.runs.results import Result
from reasoner.runs.scorers import open_scorers
from reasoner.runs.strategy_spec import parse_strategies
from reasoner.strategies._stepwise import STEP, judgement, step_of
from reasoner.types import Client, Completion, Request

RIGHT = "Answer: 9 -> 10 -> 20"
WRONG = "Answer: 9 -> 18 -> 19"
TEN, EIGHTEEN = "9 + 1 = 10, says one.", "9 * 2 = 18, says one."
JUDGES = {"value", "reward"}


class Policy:
    """Proposes the steps of a list in turn, and judges a path by what its last step is said to be worth."""

    def __init__(self, steps: Mapping[str, list[str]], worth: Mapping[str, float], *, answer: str = RIGHT, logprobs: bool = True) -> None:
        self.steps = {key: list(found) for key, found in steps.items()}
        self.worth = worth
        self.answer = answer
        self.logprobs = logprobs
        self.asked: list[str] = []

    def __call__(self, request: Request) -> Completion:
        assert request.about is not None
        part, taken = request.about.template.partition("/")[2], request.about.params["steps"]
        last = taken[-1] if taken else ""
        self.asked.append(f"{part} {last}")
        if part == "step":
            found = self.steps[last]
            step = found.pop(0) if len(found) > 1 else found[0]
            return Completion(step, mean_logprob=math.log(self.worth[step]) if request.sampling.logprobs and self.logprobs else None)
        if part in JUDGES:
            worth = self.worth[last]
            words = {"value": ("no", "yes"), "reward": ("-", "+")}[part]
            probability = abs(2 * worth - 1)
            return Completion(words[worth > 0.5], mean_logprob=math.log(probability) if self.logprobs and probability else None)
        return Completion(self.answer)


def run(tmp_path: Path, strategy: str, policy: Callable[[Request], Any], **setup: Any) -> tuple[Result, ScriptedClient]:
    tmp_path.mkdir(exist_ok=True)
    client = ScriptedClient(policy)
    client.fingerprint = "same"
    return reasoner.solve("number_path", "2 9 20", strategy=strategy, model=client, db=tmp_path / "t.db", **setup), client


def two_ways(**more: Any) -> Policy:
    steps = {"": [TEN, EIGHTEEN, TEN], TEN: ["10 * 2 = 20."], EIGHTEEN: [WRONG], "10 * 2 = 20.": [RIGHT]}
    worth = {TEN: 0.9, EIGHTEEN: 0.3, "10 * 2 = 20.": 0.8, RIGHT: 0.95, WRONG: 0.1}
    return Policy(steps, worth, **more)


def marks(outcome: Result, role: str) -> list[tuple[str, str, float]]:
    dag = outcome.trajectory
    assert dag is not None
    return [(t.text, dag.mark_of(t).status, round(dag.mark_of(t).score or 0.0, 6)) for t in dag.thoughts() if t.role == role]


def test_beam_goes_on_with_what_scores_highest_and_follows_what_is_said_twice_once(tmp_path: Path) -> None:
    policy = two_ways()
    outcome, client = run(tmp_path, "beam:width=1,expand=3", policy)
    assert outcome.correct
    assert outcome.spent.calls == len(client.requests) == 3 + 2 + 3 + 1 + 3 + 1 + 1
    assert marks(outcome, "beam/step")[:3] == [(TEN, "kept", 0.9), (EIGHTEEN, "pruned", 0.3), (TEN, "pruned", 0.0)]
    assert not [each for each in policy.asked if each == f"step {EIGHTEEN}"]
    assert policy.asked[-1] == f"answer {RIGHT}"
    shown = client.requests[-1].messages[-1].content
    assert f"{TEN}\n10 * 2 = 20.\n{RIGHT}" in shown


def test_a_beam_of_two_carries_the_worse_path_and_chooses_the_better_one(tmp_path: Path) -> None:
    policy = two_ways()
    outcome, _ = run(tmp_path, "beam:width=2,expand=1", policy)
    assert [each for each in policy.asked if each.startswith("step")] == ["step "] * 2 + [
        f"step {TEN}",
        f"step {EIGHTEEN}",
        "step 10 * 2 = 20.",
    ]
    assert outcome.correct


def test_diverse_subtrees_do_not_compete(tmp_path: Path) -> None:
    """Both first steps of the second subtree are worse than all of the first; one of them goes on all the same."""
    steps = {"": ["a", "b", "c", "d"], "b": [RIGHT], "c": [WRONG], "a": [WRONG]}
    worth = {"a": 0.8, "b": 0.9, "c": 0.2, "d": 0.1, RIGHT: 0.7, WRONG: 0.6}
    for strategy, went in (("beam:width=2,expand=2,diverse=true", {"b", "c"}), ("beam:width=2,expand=2", {"a", "b"})):
        policy = Policy(steps, worth)
        run(tmp_path / strategy[-4:], strategy, policy)
        assert {each[5:] for each in policy.asked if each.startswith("step") and each != "step "} == went


@pytest.mark.parametrize(("score", "n_calls"), [("logprob", 2 + 2 + 2 + 1), ("self", 2 + 2 + 2 + 1 + 2 + 1 + 1), ("check", 4 + 2 + 3 + 1)])
def test_what_scoring_costs(tmp_path: Path, score: str, n_calls: int) -> None:
    outcome, _ = run(tmp_path, f"beam:width=1,expand=2,score={score}", two_ways())
    assert outcome.correct
    assert outcome.spent.calls == n_calls


def test_a_path_is_as_likely_as_its_steps_are_in_the_mean(tmp_path: Path) -> None:
    outcome, _ = run(tmp_path, "beam:width=1,expand=2,score=logprob", two_ways())
    scores = {text: score for text, _, score in marks(outcome, "beam/step") if score}
    assert scores["10 * 2 = 20."] == pytest.approx(math.sqrt(0.9 * 0.8), abs=1e-6)
    assert scores[RIGHT] == pytest.approx((0.9 * 0.8 * 0.95) ** (1 / 3), abs=1e-6)
    with pytest.raises(BadConfig, match="score=logprob needs log-probabilities"):
        raise_of(run(tmp_path / "n", "beam:score=logprob", two_ways(logprobs=False))[0])


def raise_of(outcome: Result) -> None:
    if outcome.status == "failed":
        raise BadConfig(outcome.error or "")


def test_a_judgement_without_log_probabilities_is_yes_or_no(tmp_path: Path) -> None:
    outcome, _ = run(tmp_path, "beam:width=1,expand=2", two_ways(logprobs=False))
    assert [score for _, _, score in marks(outcome, "beam/step")][:2] == [1.0, 0.0]


def test_the_visible_check_scores_what_follows_from_a_path_and_no_verdict_is_asked(tmp_path: Path) -> None:
    steps = {"": [TEN, EIGHTEEN], TEN: ["and so on"], EIGHTEEN: ["and on"], "and on": ["more"], "and so on": ["more"]}

    def policy(request: Request) -> str:
        assert request.about is not None
        taken = request.about.params["steps"]
        if request.about.template.endswith("step"):
            found = steps[taken[-1] if taken else ""]
            return found.pop(0) if len(found) > 1 else found[0]
        return WRONG if EIGHTEEN in taken else "I do not know\nat all."

    outcome, _ = run(tmp_path, "beam:width=1,expand=2,depth=2,score=check", policy)
    assert [mark[1:] for mark in marks(outcome, "beam/step")[:2]] == [("pruned", 0.0), ("kept", 1.0)]
    assert (outcome.answer, outcome.correct) == ("9 -> 18 -> 19", False)
    assert outcome.trajectory is not None
    assert not [t for t in outcome.trajectory.thoughts() if t.role.startswith("oracle")]


def test_a_step_is_one_line_and_a_judgement_one_word(tmp_path: Path) -> None:
    _, client = run(tmp_path, "beam:width=1,expand=1,depth=1", two_ways())
    forms = [request.constraint for request in client.requests]
    assert all(form is not None and form.after_thought for form in forms)
    assert [bool(form and re.fullmatch(form.value, "Yes")) for form in forms] == [True, True, False]
    assert forms[0] is not None
    assert forms[0].value == STEP
    assert not re.fullmatch(STEP, "one\ntwo")
    assert not re.fullmatch(STEP, "")
    assert {request.sampling.temperature for request in client.requests[:1]} == {0.7}
    _, client = run(tmp_path / "w", "beam:width=1,expand=1,depth=1,form=words", two_ways())
    assert not [request for request in client.requests if request.constraint is not None]


def prm(policy: Any = None) -> ScriptedClient:
    made = ScriptedClient(two_ways() if policy is None else policy, name="prm-small")
    made.fingerprint = "prm"
    return made


async def scored_by(tmp_path: Path, strategy: str, scorer: Any, policy: Any = None, **setup: Any) -> tuple[Result, ScriptedClient]:
    async with ModelPool() as pool:
        pool.give("prm-small", scorer)
        client = ScriptedClient(two_ways() if policy is None else policy)
        client.fingerprint = "same"
        made = await reasoner.asolve("number_path", "2 9 20", strategy=strategy, model=client, db=tmp_path / "t.db", pool=pool, **setup)
    return made, client


@pytest.mark.parametrize(
    "strategy", ["beam:width=1,expand=2,score=prm:prm-small", "self_consistency(mcts:expand=2,score=prm:prm-small):n=2"]
)
async def test_another_model_scores_and_is_paid_from_the_same_budget(tmp_path: Path, strategy: str) -> None:
    scorer = prm()
    outcome, client = await scored_by(tmp_path, strategy, scorer)
    assert outcome.correct
    assert scorer.requests
    assert all(request.constraint is not None and request.sampling.logprobs for request in scorer.requests)
    assert not [r for r in client.requests if r.about is not None and r.about.template.endswith(("value", "reward"))]
    assert outcome.spent.calls == outcome.new_calls == len(client.requests) + len(scorer.requests)
    assert reasoner.replay(db=tmp_path / "t.db").exact
    again, silent = await scored_by(tmp_path, strategy, prm([]), [], mode="recheck")
    assert (again.dag_hash, again.new_calls, silent.requests) == (outcome.dag_hash, 0, [])


async def test_another_scorer_is_another_run(tmp_path: Path) -> None:
    first, _ = await scored_by(tmp_path, "beam:width=1,expand=2,score=prm:prm-small", prm())
    other = prm()
    other.fingerprint = "another"
    second, _ = await scored_by(tmp_path, "beam:width=1,expand=2,score=prm:prm-small", other)
    assert first.run_id != second.run_id


async def test_a_run_with_a_scorer_is_resumed_and_forked(tmp_path: Path) -> None:
    strategy, problem = "beam:width=1,expand=2,score=prm:prm-small", problem_from_line("number_path", "2 9 20")
    scorer, policy = prm(), ScriptedClient(two_ways())
    policy.fingerprint = "same"
    async with ModelPool() as pool:
        pool.give("prm-small", scorer)
        told: dict[str, Any] = {"db": tmp_path / "t.db", "pool": pool}
        first = await reasoner.arun([problem], strategy, policy, run_limits=Limits(calls=5), **told)
        assert first.cut_short == 1
        n_before = len(policy.requests) + len(scorer.requests)
        rest = await reasoner.aresume(models=[policy], run_limits=Limits(calls=100), **told)
        assert rest.results[0].correct
        assert len(policy.requests) + len(scorer.requests) == rest.results[0].spent.calls == 2 + 2 + 2 + 1 + 2 + 1 + 1
        assert n_before == 5
        dag = rest.results[0].trajectory
        assert dag is not None
        at = next(thought for thought in dag.thoughts() if thought.text == "10 * 2 = 20.")
        forked = await reasoner.afork(rest.run_id, at=at.id, model=policy, **told)
        assert forked.correct
        assert forked.spent.taken_calls == 4, "two steps and what they are worth were asked before"
        other = prm()
        other.fingerprint = "another"
        pool.give("prm-small", other)
        with pytest.raises(BadConfig, match="scorers"):
            await reasoner.aresume(rest.run_id, models=[policy], **told)


@pytest.mark.parametrize("limit", [1, 4, 6])
async def test_a_budget_holds_over_both_models_also_when_a_run_goes_on(tmp_path: Path, limit: int) -> None:
    scorer = prm()
    outcome, client = await scored_by(tmp_path, "beam:width=1,expand=2,score=prm:prm-small", scorer, limits=Limits(calls=limit))
    assert outcome.status == "exhausted"
    assert len(client.requests) + len(scorer.requests) == outcome.spent.calls == limit
    again, _ = await scored_by(
        tmp_path, "beam:width=1,expand=2,score=prm:prm-small", prm([]), [], limits=Limits(calls=limit), mode="recheck"
    )  # fmt: skip
    assert (again.dag_hash, again.text) == (outcome.dag_hash, outcome.text)


def test_an_adapter_is_told_from_a_model_and_loaded_over_the_runs_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[tuple[str, ClientOptions]] = []

    def opened(name: str, options: ClientOptions) -> Client:
        made.append((name, options))
        return prm()

    monkeypatch.setattr("reasoner.clients.llamacpp.gguf_header.read_header", lambda path: SimpleNamespace(kind=path.stem))
    own = ClientOptions(adapter=Path("own.gguf"), n_ctx=512)
    policy = ScriptedClient([], name="policy")
    for file in ("adapter.gguf", "model.gguf"):
        plan = Plan([], parse_strategies(f"beam:score=prm:{file}"))
        assert list(open_scorers(plan, ["policy"], [policy], own, opened)) == [("policy", file)]
    assert made == [
        ("policy", own.model_copy(update={"adapter": Path("adapter.gguf")})), ("model.gguf", own.model_copy(update={"adapter": None}))
    ]  # fmt: skip
    with pytest.raises(BadConfig, match="give its name instead"):
        open_scorers(Plan([], parse_strategies("beam:score=prm:adapter.gguf")), [policy], [policy], own, opened)
    with pytest.raises(BadConfig, match="two models are called policy"):
        open_scorers(Plan([], parse_strategies("beam:score=prm:adapter.gguf")), ["a", "b"], [policy, policy], own, opened)


def test_a_scorer_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ReasonerError, match=r"none\.gguf"):
        run(tmp_path, f"beam:score=prm:{tmp_path}/none.gguf", two_ways())


def test_uct_comes_back_to_what_was_left(tmp_path: Path) -> None:
    """The first step looks better until what follows it is seen to be worth nothing."""
    steps = {"": ["a", "b"], "a": ["a1", "a2"], "b": [RIGHT, "b2"], "a1": ["x"], "a2": ["y"]}
    worth = {"a": 0.7, "b": 0.6, "a1": 0.05, "a2": 0.1, RIGHT: 0.9, "b2": 0.3, "x": 0.1, "y": 0.1}
    policy = Policy(steps, worth)
    outcome, _ = run(tmp_path, "mcts:simulations=3,expand=2,exploration=0.1", policy)
    assert [each for each in policy.asked if each.startswith("step")] == ["step "] * 2 + ["step a"] * 2 + ["step b"] * 2
    assert outcome.correct
    assert outcome.spent.calls == 3 * 2 + 6 + 1
    assert [mark[:2] for mark in marks(outcome, "mcts/step")] == [
        ("a", "pruned"), ("b", "kept"), ("a1", "pruned"), ("a2", "pruned"), (RIGHT, "kept"), ("b2", "pruned")
    ]  # fmt: skip


def test_uct_is_what_the_formula_says(tmp_path: Path) -> None:
    """After two expansions: a has 0.9 + 0.8 + 0.1 over 3 visits, b 0.45 over 1, and the start 4."""
    for exploration, chosen in ((0.05, "a1"), (1.0, "b")):
        assert (1.8 / 3 + exploration * math.sqrt(math.log(4) / 3) > 0.45 + exploration * math.sqrt(math.log(4))) == (chosen == "a1")
        policy = Policy({"": ["a", "b"], "a": ["a1", "a2"], "b": ["c"], "a1": ["c"]}, {"a": 0.9, "b": 0.45, "a1": 0.8, "a2": 0.1, "c": 0.2})
        run(tmp_path / chosen, f"mcts:simulations=3,expand=2,exploration={exploration}", policy)
        assert policy.asked.count(f"step {chosen}") == 2


def test_a_tree_in_which_every_path_has_ended_is_not_expanded_further(tmp_path: Path) -> None:
    policy = Policy({"": [RIGHT, WRONG]}, {RIGHT: 0.9, WRONG: 0.2})
    outcome, _ = run(tmp_path, "mcts:simulations=50,expand=2", policy)
    assert outcome.spent.calls == 2 + 2 + 1
    deep = Policy({"": ["a"], "a": ["b"], "b": ["c"]}, dict.fromkeys("abc", 0.5))
    outcome, _ = run(tmp_path / "d", "mcts:simulations=50,expand=1,depth=2", deep)
    assert outcome.spent.calls == 2 + 2 + 1


@pytest.mark.parametrize("strategy", ["beam", "mcts"])
def test_without_any_step_the_answer_is_asked_for_from_the_start(tmp_path: Path, strategy: str) -> None:
    outcome, _ = run(tmp_path, strategy, lambda request: RIGHT if request.about and request.about.template.endswith("answer") else " \n ")
    assert outcome.correct
    assert {status for _, status, _ in marks(outcome, f"{strategy}/step")} == {"pruned"}


def test_what_is_read_out_of_replies() -> None:
    assert judgement("**Yes**, all of it") is True
    assert judgement("No") is False
    assert judgement("- 3") is False
    assert judgement("nothing") is None
    assert judgement("") is None
    assert step_of("x" * 10_000) == "x" * 399 + "…"
    for wrong in ("beam:score=prm:", "mcts:score=guess"):
        with pytest.raises(BadConfig):
            parse_strategies(wrong)
