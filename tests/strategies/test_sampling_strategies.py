"""self_consistency and best_of_n over scripted replies: votes, ties, unreadable answers, scores, budgets; and what composes with what."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import reasoner
from reasoner.budget import Limits
from reasoner.clients.scripted import ScriptedClient
from reasoner.errors import BadConfig
from reasoner.prompts import Prompts
from reasoner.runs.plan import Plan
from reasoner.runs.problems import draw
from reasoner.runs.results import Result
from reasoner.runs.strategy_spec import parse_strategies
from reasoner.session import Session
from reasoner.store import Store
from reasoner.store.queries import load_trajectory
from reasoner.strategies.direct import Direct
from reasoner.types import Answer, Completion, Request, Usage

RIGHT = "1. 9 + 1 = 10\n2. 10 * 2 = 20\nAnswer: 9 -> 10 -> 20"
WRONG = "Answer: 9 -> 18 -> 19"


def run(
    tmp_path: Path, strategy: str, replies: list[Any] | Callable[[Request], str | Completion], **setup: Any
) -> tuple[Result, ScriptedClient]:
    client = ScriptedClient(replies)
    outcome = reasoner.solve("number_path", "2 9 20", strategy=strategy, model=client, db=tmp_path / "t.db", **setup)
    if not callable(replies):
        client.assert_done()
    return outcome, client


def branches(outcome: Result) -> list[tuple[str, float | None, str]]:
    dag = outcome.trajectory
    assert dag is not None
    return [(t.label, dag.mark_of(t).score, dag.mark_of(t).status) for t in dag.thoughts() if t.role.endswith("/branch")]


def statuses(outcome: Result) -> list[str]:
    assert outcome.trajectory is not None
    return [outcome.trajectory.mark_of(t).status for t in outcome.trajectory.thoughts()]


def note_of(outcome: Result, role: str) -> Any:
    dag = outcome.trajectory
    assert dag is not None
    return next(dag.mark_of(t).state for t in dag.thoughts() if t.role == role)


def test_the_answer_most_samples_give_is_given(tmp_path: Path) -> None:
    outcome, client = run(tmp_path, "self_consistency:n=4", [WRONG, RIGHT, "no idea at all\nreally", "**Answer:** 9→10→20."])
    assert (outcome.correct, outcome.spent.calls, outcome.text) == (True, 4, RIGHT)
    assert branches(outcome) == [("1", None, "pruned"), ("2", None, "kept"), ("3", None, "pruned"), ("4", None, "kept")]
    assert note_of(outcome, "self_consistency/vote") == {"votes": {"9 -> 10 -> 20": 2, "9 -> 18 -> 19": 1}, "n": 4, "unparsed": 1}
    assert statuses(outcome).count("final") == 1
    assert {r.sampling.temperature for r in client.requests} == {0.7}
    assert len({r.seed for r in client.requests}) == 4


def test_a_vote_is_no_any_of_k(tmp_path: Path) -> None:
    """The published ATS code counts k samples as solved when any is right."""
    outcome, _ = run(tmp_path, "self_consistency:n=3", [RIGHT, WRONG, WRONG])
    assert not outcome.correct
    assert outcome.text == WRONG


def test_of_equally_frequent_answers_the_first_sampled_is_given(tmp_path: Path) -> None:
    assert run(tmp_path, "self_consistency:n=2", [WRONG, RIGHT])[0].text == WRONG


def test_samples_without_an_answer_are_counted_and_judged(tmp_path: Path) -> None:
    outcome, _ = run(tmp_path, "self_consistency:n=2", ["one\ntwo", "three\nfour"])
    assert note_of(outcome, "self_consistency/vote") == {"votes": {}, "n": 2, "unparsed": 2}
    assert outcome.verdict is not None
    assert (outcome.text, outcome.verdict.unparsed) == ("one\ntwo", True)


def test_when_the_budget_ends_the_samples_that_were_paid_for_vote(tmp_path: Path) -> None:
    outcome, _ = run(tmp_path, "self_consistency:n=5", [WRONG, RIGHT, RIGHT], limits=Limits(calls=3))
    assert (outcome.status, outcome.correct, outcome.spent.calls) == ("exhausted", True, 3)


def rated(request: Request) -> str:
    assert request.about is not None
    if request.about.template == "best_of_n/rate":
        return "Checked.\nRating: 9" if "9 -> 10 -> 20" in request.about.params["answer"] else "Rating: none"
    return RIGHT if request.seed % 2 else WRONG


def test_best_of_n_by_rating(tmp_path: Path) -> None:
    outcome, client = run(tmp_path, "best_of_n:n=6", rated)
    assert (outcome.correct, outcome.spent.calls) == (True, 12)
    scores = [score for _, score, _ in branches(outcome)]
    assert set(scores) == {9.0, None}, "an answer without a readable rating stays, below all that have one"
    assert [status for _, _, status in branches(outcome)].count("kept") == 1
    assert statuses(outcome).count("final") == 1
    ratings = [r for r in client.requests if r.about and r.about.template == "best_of_n/rate"]
    assert {r.sampling.temperature for r in ratings} == {0.0}
    assert all("Add" not in r.messages[-1].content and "add 1" in r.messages[-1].content for r in ratings)  # the statement is shown


def test_best_of_n_by_log_probability(tmp_path: Path) -> None:
    replies = [Completion(WRONG, usage=Usage(1, 1), mean_logprob=-0.9), Completion(RIGHT, usage=Usage(1, 1), mean_logprob=-0.2)]
    outcome, client = run(tmp_path, "best_of_n:n=2,select=logprob", replies)
    assert (outcome.correct, outcome.spent.calls) == (True, 2)
    assert branches(outcome) == [("1", -0.9, "pruned"), ("2", -0.2, "kept")]
    assert all(r.sampling.logprobs for r in client.requests)
    assert '"logprobs":true' in client.requests[0].canonical()


def test_log_probabilities_that_are_not_there_are_no_reason_to_choose_by_something_else(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match=r"log-probabilities.*select=rating"):
        run(tmp_path, "best_of_n:n=2,select=logprob", [RIGHT, RIGHT])


def test_the_verifier_chooses_only_where_the_label_says_so(tmp_path: Path) -> None:
    outcome, _ = run(tmp_path, "best_of_n:n=3,select=verifier", [WRONG, RIGHT, WRONG])
    assert (outcome.correct, outcome.strategy) == (True, "best_of_n:n=3,select=verifier")
    assert note_of(outcome, "oracle/verdict") == {"correct": False}
    honest, _ = run(tmp_path, "best_of_n:n=3", lambda request: "Rating: 5" if "Rating" in request.messages[-1].content else WRONG)
    assert honest.trajectory is not None
    assert not [t for t in honest.trajectory.thoughts() if t.role == "oracle/verdict"]


def test_an_inner_oracle_does_not_open_the_verifier_to_the_outer_strategy(tmp_path: Path) -> None:
    outcome, _ = run(tmp_path, "self_consistency(best_of_n:n=2,select=verifier):n=1", [WRONG, RIGHT])
    assert outcome.strategy == "self_consistency(best_of_n:n=2,select=verifier):n=1"
    assert outcome.correct


def test_a_strategy_that_does_not_declare_it_cannot_ask_the_verifier(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def cheat(_self: Direct, session: Session) -> Answer:
        reply = await session.ask("direct/answer")
        await session.oracle(reply.text, reply)
        return session.offer(reply.text, reply)

    monkeypatch.setattr(Direct, "run", cheat)
    for strategy in ("direct", "best_of_n(direct):n=1,select=verifier"):
        with pytest.raises(BadConfig, match="may not ask the verifier"):
            run(tmp_path, strategy, [RIGHT])


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("self_consistency(ats)", ["self_consistency(ats)"]),
        ("self_consistency(cot)", ["self_consistency"]),
        ("self_consistency(cot),cot,", ["self_consistency", "cot"]),
        ("best_of_n(cot:shots=1,format=irac):n=4,cot", ["best_of_n(cot:format=irac,shots=1):n=4", "cot"]),
        ("best_of_n( cot:shots=1 ) : n=4, select=logprob", ["best_of_n(cot:shots=1):n=4,select=logprob"]),
        ("iot(self_consistency(ats:order=dfs):n=3),direct", ["iot(self_consistency(ats:order=dfs):n=3)", "direct"]),
        ("iot,iot(cot)", ["iot", "iot(cot)"]),
    ],
)
def test_composed_strategies_are_written_as_they_are_read(text: str, labels: list[str]) -> None:
    specs = parse_strategies(text)
    assert [spec.label for spec in specs] == labels
    again = parse_strategies(",".join(spec.label for spec in specs))
    assert again == specs


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cot(ats)", "cot takes no other strategy"),
        ("self_consistency(ats", "do not match"),
        ("self_consistency)ats(", "do not match"),
        ("self_consistency()", "names 0 strategies"),
        ("self_consistency(ats,cot)", "names 2 strategies"),
        ("self_consistency(ats)n=3", "follows the parentheses"),
        ("(cot)", "names no strategy"),
        ("self_consistency(ats:order=best)", "ats: order='best'"),
        ("self_consistency(cot),self_consistency", "named twice"),
        ("self_consistency(" * 5 + "cot" + ")" * 5, "nested more than"),
        ("self_consistency:inner=ats", "inner"),
    ],
)
def test_what_does_not_compose_is_refused(text: str, message: str) -> None:
    with pytest.raises(BadConfig, match=message.replace("(", r"\(")):
        parse_strategies(text)


def test_the_manifest_covers_inner_parameters_and_prompts(tmp_path: Path) -> None:
    problems = draw("number_path", n=1, seed=0)

    def manifest(text: str, prompts: Path | None = None) -> Any:
        return Plan(problems, parse_strategies(text)).manifest([], Prompts(prompts))

    whole = manifest("self_consistency(ats)")
    assert set(whole["prompts"]) == {"self_consistency", "ats", "number_path"}
    assert whole["strategies"] != manifest("self_consistency(ats:order=dfs)")["strategies"]
    (tmp_path / "ats").mkdir()
    (tmp_path / "ats" / "bfs.jinja").write_text(
        '+++\nversion = 2\nvariables = ["statement"]\n+++\n{% block user %}{{ statement }}{% endblock %}'
    )
    assert manifest("self_consistency(ats)", tmp_path)["prompts"] != whole["prompts"]


def test_branches_share_totals_and_have_their_own_roots_and_draws(tmp_path: Path) -> None:
    outcome, client = run(tmp_path, "self_consistency(ats):n=2", ["1: 9 -> 10\nGoal: 1\n" + RIGHT, "1: 9 -> 10\nGoal: 1\n" + RIGHT])
    assert outcome.spent.calls == len(client.requests) == 2
    assert outcome.spent.completion_tokens == sum(len(text.split()) for text in ["1: 9 -> 10\nGoal: 1\n" + RIGHT] * 2)
    dag = outcome.trajectory
    assert dag is not None
    roots = [t for t in dag.thoughts() if t.role == "self_consistency/branch"]
    assert [[child.role for child in dag.children(root)] for root in roots] == [["ats/bfs"], ["ats/bfs"]]
    assert all(dag.parents(root) == [dag.root] for root in roots)
    with Store.open(tmp_path / "t.db") as store:
        assert load_trajectory(store, outcome.trajectory_id).hash() == outcome.dag_hash


def test_specs_tell_upper_bounds_apart() -> None:
    bounds = ["tot:oracle=true", "best_of_n:select=verifier", "self_consistency(best_of_n:select=verifier)"]
    assert all(spec.oracle for spec in parse_strategies(",".join(bounds)))
    assert not any(spec.oracle for spec in parse_strategies("tot,best_of_n,self_consistency,iot(cot),ats"))


def test_a_huge_answer_is_shown_for_rating_without_its_middle(tmp_path: Path) -> None:
    outcome, client = run(
        tmp_path, "best_of_n:n=1", lambda request: "Rating: 5" if "Rating" in request.messages[-1].content else "é" * 2_000_000
    )
    assert outcome.status == "closed"
    assert len(client.requests[-1].messages[-1].content) < 25_000
