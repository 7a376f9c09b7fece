"""iot over scripted replies: both modes node for node, call counts, replies that are no JSON, and faults in the first round."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import reasoner
from reasoner.budget import Limits
from reasoner.calling.retry import RetryPolicy
from reasoner.clients.scripted import Reply, ScriptedClient
from reasoner.errors import ContextTooLong, ServerFailed
from reasoner.runs.results import Result

ANSWER = "Answer: 9 -> 10 -> 20"


def guide(thought: str, *, stop: bool = False) -> str:
    return json.dumps({"thought": thought, "stop": stop})


def respond(response: str, *, done: bool = False) -> str:
    return json.dumps({"response": response, "done": done})


def run(tmp_path: Path, strategy: str, *replies: Reply, **setup: Any) -> tuple[Result, ScriptedClient]:
    client = ScriptedClient(list(replies))
    outcome = reasoner.solve("number_path", "2 9 20", strategy=strategy, model=client, db=tmp_path / "t.db", **setup)
    client.assert_done()
    return outcome, client


def chain(outcome: Result) -> list[tuple[str, Any, str]]:
    dag = outcome.trajectory
    assert dag is not None
    return [(t.role, dag.mark_of(t).state, dag.mark_of(t).status) for t in dag.thoughts() if t is not dag.root]


def test_autonomous_node_for_node(tmp_path: Path) -> None:
    outcome, client = run(
        tmp_path, "iot", guide("Try 9 * 2."), respond("9 * 2 = 18, too big?"), guide("Then 9 + 1."), respond(ANSWER, done=True)
    )
    assert chain(outcome) == [
        ("iot/guide", {"structured": True, "thought": "Try 9 * 2.", "stop": False}, "kept"),
        ("iot/respond", {"structured": True, "response": "9 * 2 = 18, too big?", "done": False}, "kept"),
        ("iot/guide", {"structured": True, "thought": "Then 9 + 1.", "stop": False}, "kept"),
        ("iot/respond", {"structured": True, "response": ANSWER, "done": True}, "final"),
    ]
    assert (outcome.correct, outcome.text, outcome.spent.calls) == (True, ANSWER, 4)
    dag = outcome.trajectory
    assert dag is not None
    assert [len(dag.children(t)) for t in dag.thoughts()] == [1, 1, 1, 1, 0]  # one chain
    second, last = client.requests[2].messages[-1].content, client.requests[3].messages[-1].content
    assert "Guide: Try 9 * 2." in second
    assert "Responder: 9 * 2 = 18, too big?" in second
    assert "round 2 of at most 5" in second
    assert "The guide says: Then 9 + 1." in last
    assert [r.constraint is not None for r in client.requests] == [True] * 4


def test_when_the_guide_stops_the_responder_still_answers_that_round(tmp_path: Path) -> None:
    outcome, _ = run(tmp_path, "iot", guide("g"), respond("r"), guide("That is it.", stop=True), respond(ANSWER))
    assert (outcome.correct, outcome.spent.calls) == (True, 4)


@pytest.mark.parametrize("rounds", [1, 3])
def test_at_the_last_round_the_last_response_counts_without_a_further_call(tmp_path: Path, rounds: int) -> None:
    replies = [guide("g"), respond("r")] * (rounds - 1) + [guide("g"), respond(ANSWER)]
    outcome, _ = run(tmp_path, f"iot:max_rounds={rounds}", *replies)
    assert (outcome.correct, outcome.spent.calls) == (True, 2 * rounds)


@pytest.mark.parametrize("rounds", [1, 2, 5])
def test_guided_ignores_flags_and_asks_once_more(tmp_path: Path, rounds: int) -> None:
    final = json.dumps({"explanation": "9 + 1 = 10, 10 * 2 = 20", "response": ANSWER})
    outcome, client = run(
        tmp_path, f"iot:mode=guided,max_rounds={rounds}", *[guide("g", stop=True), respond("r", done=True)] * rounds, final
    )
    assert (outcome.correct, outcome.spent.calls) == (True, 2 * rounds + 1)
    assert [role for role, _, _ in chain(outcome)] == ["iot/guide", "iot/think"] * rounds + ["iot/final"]
    assert [status for _, _, status in chain(outcome)] == ["kept"] * (2 * rounds) + ["final"]
    assert client.requests[-1].messages[-1].content.count("Responder: r") == rounds


def test_only_the_last_response_is_shown_in_the_ablation(tmp_path: Path) -> None:
    replies = [
        guide("first thought"),
        respond("first response"),
        guide("second thought"),
        respond("second response"),
        guide("g"),
        respond(ANSWER, done=True),
    ]
    _, client = run(tmp_path, "iot:transcript=last", *replies)
    shown = client.requests[-1].messages[-1].content
    assert "second response" in shown
    assert not any(part in shown for part in ("first thought", "first response", "second thought"))
    whole, sent = run(tmp_path, "iot", *replies)
    assert all(part in sent.requests[-1].messages[-1].content for part in ("first thought", "first response", "second thought"))
    assert whole.correct


@pytest.mark.parametrize(
    ("first", "second", "structured"),
    [
        ("```json\n" + guide("g") + "\n```", "Here you are: " + respond(ANSWER, done=True) + " Bye.", [True, True]),
        ("Just think of 10.", "So:\n" + ANSWER, [False, False]),
        ('{"thought": ["a", 1]}', '{"response": "' + ANSWER, [True, True]),
        ("", ANSWER, [False, False]),
        ('{"stop": true}', '{"done": true}\n' + ANSWER, [False, False]),
    ],
)
def test_replies_that_are_no_json_are_recovered_or_counted(tmp_path: Path, first: str, second: str, structured: list[bool]) -> None:
    outcome, _ = run(tmp_path, "iot:max_rounds=1,output=prompt", first, second)
    assert (outcome.status, outcome.correct) == ("closed", True)
    assert [state["structured"] for _, state, _ in chain(outcome)] == structured


def test_no_schema_is_sent_where_the_server_takes_none(tmp_path: Path) -> None:
    _, client = run(tmp_path, "iot:output=prompt", guide("g"), respond(ANSWER, done=True))
    assert [r.constraint for r in client.requests] == [None, None]


QUICK = RetryPolicy(first_wait_s=0.0, max_wait_s=0.0)


def test_a_failure_in_round_one_reaches_the_retry_layer(tmp_path: Path) -> None:
    """In the published code an error becomes None, so that it is never asked again, and the answer is unbound."""
    outcome, client = run(tmp_path, "iot", ServerFailed("down"), guide("g"), ServerFailed("down"), respond(ANSWER, done=True), retry=QUICK)
    assert (outcome.correct, outcome.spent.calls, len(client.requests)) == (True, 2, 4)


@pytest.mark.parametrize("replies", [[ContextTooLong("odd")], [guide("g"), ContextTooLong("odd")]])
def test_a_failure_for_good_in_round_one_ends_as_failed_with_its_reason(tmp_path: Path, replies: list[Reply]) -> None:
    outcome, _ = run(tmp_path, "iot", *replies, retry=QUICK)
    assert (outcome.status, outcome.error_kind, outcome.text) == ("failed", "ContextTooLong", None)


def test_a_failure_later_keeps_the_last_response(tmp_path: Path) -> None:
    outcome, _ = run(tmp_path, "iot", guide("g"), respond(ANSWER), ContextTooLong("odd"), retry=QUICK)
    assert (outcome.status, outcome.text, outcome.correct) == ("failed", ANSWER, True)


def test_long_replies_fit_into_the_transcript(tmp_path: Path) -> None:
    outcome, client = run(tmp_path, "iot:max_rounds=3", *["g" * 10**6, "é" * 10**6] * 3)
    assert outcome.status == "closed"
    assert max(len(r.messages[-1].content) for r in client.requests) < 250_000
    assert "[…]" in client.requests[-1].messages[-1].content


def test_over_an_inner_strategy(tmp_path: Path) -> None:
    cot = "1. 9 + 1 = 10\n2. 10 * 2 = 20\n" + ANSWER
    outcome, client = run(tmp_path, "iot(cot)", guide("Begin with 9 + 1."), "Answer: 9 -> 18", guide("Done.", stop=True), cot)
    assert (outcome.strategy, outcome.correct, outcome.spent.calls) == ("iot(cot)", True, 4)
    assert [role for role, _, _ in chain(outcome)] == [
        "iot/guide", "iot/branch", "cot/answer", "cot/step", "iot/guide", "iot/branch", "cot/answer", "cot/step", "cot/step", "cot/step",
    ]  # fmt: skip
    assert [status for _, _, status in chain(outcome)].count("final") == 1
    asked = client.requests[3].messages[-1].content
    assert "Attempt: Answer: 9 -> 18" in asked
    assert "Take this into account: Done." in asked
    assert "Work it out step by step" in asked


def test_when_the_budget_ends_inside_the_inner_strategy_its_best_answer_is_kept(tmp_path: Path) -> None:
    outcome, _ = run(tmp_path, "iot(self_consistency:n=3)", guide("g"), "Answer: 9 -> 18 -> 19", ANSWER, limits=Limits(calls=3))
    assert (outcome.status, outcome.text, outcome.spent.calls) == ("exhausted", "Answer: 9 -> 18 -> 19", 3)
