"""tot over scripted replies: hand-worked searches node for node, call counts by formula, and the defects of the published codes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import reasoner
from reasoner.clients.scripted import ScriptedClient
from reasoner.runs.results import Result
from reasoner.types import Request

Replies = dict[tuple[str, Any], str]
"""(role without `tot/`, state the question is about) -> reply; None is the start."""


def script(replies: Replies, default: str = "") -> Callable[[Request], str]:
    def reply(request: Request) -> str:
        assert request.about is not None
        return replies.get((request.about.template.removeprefix("tot/"), request.about.state), default)

    return reply


def run(tmp_path: Path, params: str, replies: Replies | Callable[[Request], str], *, line: str = "2 9 20", default: str = "") -> Result:
    client = ScriptedClient(script(replies, default) if isinstance(replies, dict) else replies)
    return reasoner.solve(
        "number_path", line, strategy=f"tot:{params}" if params else "tot", model=client, db=tmp_path / "t.db", mode="fresh"
    )


def nodes(outcome: Result) -> list[tuple[str, Any, Any, float | None, str]]:
    """Role, state of the nearest step above, own state, score and status, in the order of the graph's paths by depth."""
    dag = outcome.trajectory
    assert dag is not None
    found: list[tuple[str, Any, Any, float | None, str]] = []
    for thought in dag.thoughts():
        if thought is dag.root:
            continue
        above = dag.parents(thought)[0]
        while above.role not in {"tot/step", "problem"}:
            above = dag.parents(above)[0]
        mark = dag.mark_of(thought)
        found.append((thought.role.removeprefix("tot/"), dag.mark_of(above).state, mark.state, mark.score, mark.status))
    return found


def calls(outcome: Result) -> Counter[str]:
    assert outcome.trajectory is not None
    return Counter(t.role.removeprefix("tot/") for t in outcome.trajectory.thoughts() if t.finish_reason)


GOOD: Replies = {
    ("propose", None): "1: 9 -> 10 (9 + 1 = 10)\n2: 9 -> 18 (9 * 2 = 18)",
    ("value", "10"): "Value: sure",
    ("value", "18"): "Value: impossible",
    ("propose", "10"): "1: 10 -> 11 (10 + 1 = 11)\n2: 10 -> 20 (10 * 2 = 20) (goal)",
    ("value", "11"): "Value: likely",
    ("value", "20"): "Value: sure",
    ("answer", "20"): "Answer: 9 -> 10 -> 20",
}


def test_breadth_first_node_for_node(tmp_path: Path) -> None:
    outcome = run(tmp_path, "depth=2,breadth=1,value_samples=1", GOOD)
    assert sorted(nodes(outcome), key=str) == sorted(
        [
            ("propose", None, {"candidates": 2}, None, "kept"),
            ("step", None, "10", 20.0, "kept"),
            ("value", "10", {"value": 20.0}, None, "open"),
            ("step", None, "18", 0.001, "pruned"),
            ("value", "18", {"value": 0.001}, None, "open"),
            ("propose", "10", {"candidates": 2}, None, "kept"),
            ("step", "10", "11", 1.0, "pruned"),
            ("value", "11", {"value": 1.0}, None, "open"),
            ("step", "10", "20", 20.0, "kept"),
            ("value", "20", {"value": 20.0}, None, "open"),
            ("answer", "20", "20", None, "final"),
        ],
        key=str,
    )
    assert (outcome.correct, outcome.text, outcome.spent.calls) == (True, "Answer: 9 -> 10 -> 20", 7)


def test_depth_first_goes_back_from_a_dead_end_node_for_node(tmp_path: Path) -> None:
    replies = GOOD | {
        ("value", "18"): "Value: sure",  # tried second: 10 was proposed first
        ("value", "11"): "Value: impossible",
        ("value", "20"): "Value: impossible",  # so 10 is a dead end, wrongly
        ("propose", "18"): "1: 18 -> 19 (18 + 1 = 19) (goal)",
        ("value", "19"): "Value: likely",
        ("answer", "19"): "Answer: 9 -> 18 -> 19",
    }
    outcome = run(tmp_path, "search=dfs,depth=2,value_samples=1,prune_below=0.01", replies)
    assert [node[2:] for node in nodes(outcome) if node[0] == "step"] == [
        ("10", 20.0, "pruned"),
        ("18", 20.0, "kept"),
        ("11", 0.001, "pruned"),
        ("20", 0.001, "pruned"),
        ("19", 1.0, "kept"),
    ]
    assert outcome.text == "Answer: 9 -> 18 -> 19"
    assert calls(outcome) == {"propose": 3, "value": 5, "answer": 1}


def growing(k: int, word: Callable[[str], str]) -> Callable[[Request], str]:
    """A model that proposes k new states from every state: `a`, `b` from the start, `a.a`, `a.b` from `a`."""

    def reply(request: Request) -> str:
        about = request.about
        assert about is not None
        if about.template == "tot/value":
            return word(str(about.state))
        if about.template in {"tot/propose", "tot/sample"}:
            letters = "abcdefgh"[:k] if about.template == "tot/propose" else "abcdefgh"[request.seed % k]
            return "\n".join(f"{i}: {about.state} -> {about.state or 's'}.{c} (take {c})" for i, c in enumerate(letters, start=1))
        return "Best: 1" if about.template == "tot/vote" else f"Answer: {about.state}"

    return reply


@pytest.mark.parametrize(("k", "breadth", "depth", "samples"), [(3, 1, 1, 1), (3, 2, 3, 1), (4, 4, 2, 3), (8, 5, 3, 3)])
def test_breadth_first_makes_as_many_calls_as_the_formula_says(tmp_path: Path, k: int, breadth: int, depth: int, samples: int) -> None:
    params = f"breadth={breadth},depth={depth},value_samples={samples}"
    outcome = run(tmp_path, params, growing(k, lambda _state: "Value: likely"))
    expansions = 1 + (depth - 1) * breadth
    assert calls(outcome) == {"propose": expansions, "value": samples * k * expansions, "answer": 1}
    assert outcome.spent.calls == expansions * (1 + samples * k) + 1
    statuses = Counter(node[-1] for node in nodes(outcome) if node[0] == "step")
    assert statuses == {"kept": breadth * depth, "pruned": k * expansions - breadth * depth}


@pytest.mark.parametrize(("k", "depth", "states"), [(2, 2, 100), (3, 3, 5), (3, 3, 100)])
def test_depth_first_makes_as_many_calls_as_the_formula_says(tmp_path: Path, k: int, depth: int, states: int) -> None:
    outcome = run(tmp_path, f"search=dfs,depth={depth},value_samples=2,max_states={states}", growing(k, lambda _state: "Value: likely"))
    expansions = min(states, sum(k**level for level in range(depth)))
    assert calls(outcome) == {"propose": expansions, "value": 2 * k * expansions, "answer": 1}
    assert outcome.text == "Answer: s" + ".a" * depth  # ties to the first visited


def test_votes_and_samples_are_counted_too(tmp_path: Path) -> None:
    outcome = run(tmp_path, "evaluate=vote,breadth=2,depth=3,value_samples=4", growing(3, lambda _state: ""))
    assert calls(outcome) == {"propose": 1 + 2 + 2, "vote": 3 * 4, "answer": 1}
    assert next(node for node in nodes(outcome) if node[0] == "vote")[2] == {"vote": 1}
    outcome = run(tmp_path, "generate=sample,candidates=6,depth=1,value_samples=1", growing(3, lambda _state: "sure"))
    n_states = len({node[2] for node in nodes(outcome) if node[0] == "step"})
    assert calls(outcome) == {"sample": 6, "value": n_states, "answer": 1}
    assert 1 < n_states <= 3


def test_a_duplicate_candidate_keeps_its_value_and_is_followed_once(tmp_path: Path) -> None:
    """In the published code a duplicate is worth 0."""
    replies = GOOD | {
        ("value", "18"): "Value: sure",
        ("propose", "10"): "1: 10 -> 20 (10 * 2 = 20)\n2: 10 -> 20 (twice 10)",
        ("propose", "18"): "1: 18 -> 20 (wrongly)",
        ("propose", "20"): "1: 20 -> 21 (20 + 1 = 21)",
        ("value", "21"): "Value: impossible",
        ("answer", "21"): "Answer: 9 -> 10 -> 20 -> 21",
    }
    outcome = run(tmp_path, "depth=3,value_samples=2", replies)
    twenties = [node for node in nodes(outcome) if node[0] == "step" and node[2] == "20"]
    assert [(above, score, status) for _, above, _, score, status in twenties] == [
        ("10", 20.0, "kept"),
        ("10", 20.0, "pruned"),
        ("18", 20.0, "pruned"),
    ]
    assert calls(outcome) == {"propose": 4, "value": 2 * 4, "answer": 1}  # 10, 18, 20 and 21 are valued, 20 is expanded once


def test_a_state_is_valued_anew_after_another_number_of_steps(tmp_path: Path) -> None:
    """Two steps from the goal is not one step from it: `exactly 2 steps` is part of many problems."""
    replies = {
        ("propose", None): "1: 9 -> 10 (9 + 1 = 10)",
        ("propose", "10"): "1: 10 -> 10 (wait)",
        ("value", "10"): "Value: sure",
        ("answer", "10"): "Answer: 9 -> 10",
    }
    outcome = run(tmp_path, "depth=2,value_samples=1", replies)
    assert calls(outcome) == {"propose": 2, "value": 2, "answer": 1}


def test_depth_first_search_never_ends_without_an_answer(tmp_path: Path) -> None:
    """In a published code the search returned None whenever no path ended at the goal."""
    replies = (
        GOOD | {("value", state): "Value: impossible" for state in ("10", "11", "18", "20")} | {("answer", None): "Answer: 9 -> 10 -> 20"}
    )
    outcome = run(tmp_path, "search=dfs,value_samples=1,prune_below=0.01", replies)
    assert (outcome.status, outcome.correct, calls(outcome)["answer"]) == ("closed", True, 1)
    nothing = run(tmp_path, "search=dfs", {}, default="I cannot tell.")
    assert (nothing.status, nothing.text) == ("closed", "I cannot tell.")


def test_replies_without_a_readable_step_stay_in_the_graph(tmp_path: Path) -> None:
    outcome = run(tmp_path, "value_samples=1", {("propose", None): "Hm.", ("answer", None): "Answer: 9 -> 10 -> 20"})
    assert nodes(outcome) == [("propose", None, {"candidates": 0}, None, "pruned"), ("answer", None, None, None, "final")]
    assert outcome.correct


def test_a_state_out_of_which_no_step_is_known_can_still_be_the_best_leaf(tmp_path: Path) -> None:
    """A model that does not say (goal) must not lose the end of its way to a beam that merely goes on."""
    replies = GOOD | {
        ("value", "18"): "Value: likely",
        ("propose", "10"): "1: 10 -> 20 (10 * 2 = 20)",
        ("propose", "18"): "1: 18 -> 19 (18 + 1 = 19)",
        ("propose", "20"): "There is nothing left to do.",
        ("propose", "19"): "1: 19 -> 38 (19 * 2 = 38)",
        ("value", "19"): "Value: likely",
        ("value", "38"): "Value: likely",
    }
    outcome = run(tmp_path, "depth=3,value_samples=1", replies)
    assert (outcome.correct, calls(outcome)) == (True, {"propose": 5, "value": 5, "answer": 1})


def test_an_evaluation_that_cannot_be_read_counts_zero_and_drops_nothing(tmp_path: Path) -> None:
    replies = GOOD | {("value", "10"): "good!", ("value", "18"): "bad!", ("value", "20"): "?", ("value", "11"): "?"}
    outcome = run(tmp_path, "depth=2,breadth=5,value_samples=3", replies)
    assert [node[3] for node in nodes(outcome) if node[0] == "step"] == [0.0] * 4
    assert Counter(str(node[2]) for node in nodes(outcome) if node[0] == "value") == {"{'value': None}": 12}
    assert outcome.text == "Answer: 9 -> 10 -> 20"  # of equal values, what the model calls the goal


def wrongly_sure() -> Replies:
    """The model prefers the wrong leaf: 19 is sure, 20 likely."""
    return GOOD | {
        ("value", "18"): "Value: sure",
        ("propose", "18"): "1: 18 -> 19 (18 + 1 = 19)",
        ("value", "19"): "Value: sure",
        ("value", "20"): "Value: likely",
        ("answer", "19"): "Answer: 9 -> 18 -> 19",
        ("answer", "11"): "Answer: 9 -> 10 -> 11",
    }


def test_the_selector_is_honest_and_the_oracle_says_so(tmp_path: Path) -> None:
    """The published baseline counts a search as solved when any of its beams is right."""
    honest = run(tmp_path, "depth=2,value_samples=1", wrongly_sure())
    assert (honest.correct, honest.text, calls(honest)["answer"]) == (False, "Answer: 9 -> 18 -> 19", 1)
    assert not [node for node in nodes(honest) if node[0].startswith("oracle")]
    oracle = run(tmp_path, "depth=2,value_samples=1,oracle=true", wrongly_sure())
    assert (oracle.correct, oracle.strategy) == (True, "tot:depth=2,value_samples=1,oracle=True")
    assert calls(oracle)["answer"] == 3
    asked = [node for node in nodes(oracle) if node[0].startswith("oracle")]
    assert [(state["correct"], score) for _, _, state, score, _ in asked] == [(False, 0.0), (True, 1.0), (False, 0.0)]
    assert [node[-1] for node in nodes(oracle) if node[0] == "answer"] == ["pruned", "final", "pruned"]


def test_a_threshold_ends_branches(tmp_path: Path) -> None:
    outcome = run(
        tmp_path, "depth=3,value_samples=1,prune_below=1.5", growing(3, lambda state: "sure" if state.endswith("b") else "likely")
    )
    assert calls(outcome) == {"propose": 3, "value": 9, "answer": 1}


def test_the_best_step_so_far_is_offered_when_the_budget_ends(tmp_path: Path) -> None:
    from reasoner.budget import Limits

    client = ScriptedClient(script(GOOD))
    outcome = reasoner.solve(
        "number_path", "2 9 20", strategy="tot:depth=2,value_samples=1", model=client, db=tmp_path / "t.db", limits=Limits(calls=3)
    )
    assert (outcome.status, outcome.text, outcome.spent.calls) == ("exhausted", "9 -> 10 (9 + 1 = 10)", 3)
