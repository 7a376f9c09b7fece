"""Graders beyond the matrix: votes elect the right answer however it is spelt, options are refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import reasoner
from reasoner import registry
from reasoner.errors import BadConfig
from reasoner.grading import grader, grader_names
from reasoner.types import Completion, Request

VOTES: dict[str, tuple[dict[str, Any], list[str], str]] = {
    "number": ({"answer": "1800"}, ["\\boxed{1,800}", "Answer: 1800.00", "Answer: 17", "Answer: 17", "#### 1800"], "1800"),
    "number, units": ({"answer": "35 hours"}, ["Answer: 35 hrs", "Answer: 35", "Answer: 3.5 hours", "Answer: 3.5 h", "Answer: 70/2 hours"], "35"),
    "exact": ({"answer": "C++", "grader": "exact"}, ["Answer: C++", "Answer: **c++**", "Answer: C", "Answer: C.", 'Answer: "C++".'], "c++"),
    "squad": ({"answer": "The Beatles"}, ["Answer: Beatles!", "The answer is the Beatles.", "Answer: Byrds", "Answer: the Byrds", "**Answer:** The Beatles"], "beatles"),
    "choice": ({"answer": "fig", "choices": ["fog", "fig"], "order": [0, 1]}, ["Answer: B", "So the answer is (b).", "Answer: A", "Answer: fog", "Answer: fig"], "B"),
    "math": ({"answer": "[1,2)"}, ["Answer: [1, 2)", "Answer: $x \\in [1,2)$", "Answer: (1,2)", "Answer: $(1, 2)$", "\\boxed{\\left[1,2\\right)}"], "[1,2)"),
    "math, by value": ({"answer": "x^2 - 4"}, ["Answer: x^2-4", "Answer: (x-2)(x+2)", "Answer: x^2+4", "Answer: x^2 + 4", "Answer: -4 + x^2"], "x^2-4"),
    "f1": ({"answer": "a blue house", "grader": "f1:0.6"}, ["Answer: blue house", "Answer: the blue house", "Answer: red", "Answer: a red", "Answer: Blue house."], "blue house"),
    "any:number": ({"answer": "1800", "grader": "any:number"}, ["Answer: 1.8 thousand", "Answer: 1,800", "Answer: 17", "Answer: 17.0", "Answer: ١٨٠٠"], "1800"),
    "number, tolerance": ({"answer": "100", "grader": "number:1%"}, ["Answer: 100", "Answer: 100.0", "Answer: 17", "Answer: 17", "Answer: 200/2"], "100"),
    "any": ({"answer": "NYC", "aliases": ["New York City"], "grader": "any"}, ["Answer: NYC", "Answer: nyc.", "Answer: Rome", "Answer: the Rome", "Answer: The NYC"], "nyc"),
}  # fmt: skip


class Replies:
    """A model that gives one reply after another."""

    name = fingerprint = "replies"
    paid = False
    concurrency = 1

    def __init__(self, replies: list[str]) -> None:
        self._replies = list(replies)

    async def complete(self, request: Request) -> Completion:
        return Completion(self._replies.pop(0))

    async def aclose(self) -> None:
        pass


@pytest.mark.parametrize("kind", VOTES)
def test_self_consistency_elects_the_right_answer_over_mixed_spellings(kind: str, tmp_path: Path) -> None:
    """Three spellings of the right answer against two of a wrong one, which as spellings would tie or lose."""
    row, replies, group = VOTES[kind]
    line = json.dumps({"question": "What is it?", **row})
    result = reasoner.solve("question", line, strategy="self_consistency:n=5", model=Replies(replies), db=tmp_path / "t.db")
    assert result.correct, result.verdict
    vote = next(thought for thought in result.trajectory.thoughts() if thought.role == "self_consistency/vote")
    votes = result.trajectory.mark_of(vote).state["votes"]
    assert sorted(votes.values()) == [2, 3], votes
    assert votes[group] == 3
    assert f"3 of 5: {group}" in vote.text


@pytest.mark.parametrize(
    "spec", [*(name for name in grader_names() if name not in {"f1", "python", "rules", "choice"}), "f1:0.5", "number:0.1", "any:math"]
)
def test_two_different_wrong_answers_stay_two(spec: str) -> None:
    made = {
        grader(spec).canonical(text, ["18 hours"]) for text in ("17 hours", "16 hours", "-17 hours", "1.7 hours", "17 days", "seventeen")
    }
    assert len(made) == 6


@pytest.mark.parametrize(
    ("spec", "given", "gold", "correct"),
    [
        ("number:0.01", "3.14", "3.1416", True), ("number:0.001", "3.14", "3.1416", False), ("number:1%", "101", "100", True), ("number:1%", "102", "100", False), ("f1:0.5", "blue house in Rome", "a blue house", True),
        ("f1:0.9", "blue house in Rome", "a blue house", False), ("any:number", "18.0", "18", True), ("number", "25%", "0.25", True), ("number", "0.25", "25%", False), ("number", "x = 5", "y = 5", False),
    ],
)  # fmt: skip
def test_arguments(spec: str, given: str, gold: str, correct: bool) -> None:
    assert grader(spec).judge(given, [gold]).correct is correct


@pytest.mark.parametrize(
    "spec",
    [
        "",
        "exakt",
        "exact:1",
        "number:x",
        "number:-1",
        "number:1e99",
        "f1",
        "f1:0",
        "f1:2",
        "any:python:a.py:f",
        "any:any",
        "python:none.py:f",
        "python:x",
        "rules:1",
    ],
)
def test_graders_that_cannot_be(spec: str) -> None:
    with pytest.raises(BadConfig):
        grader(spec)


def test_a_verdict_says_who_compared_and_what_found_the_answer(tmp_path: Path) -> None:
    result = reasoner.solve(
        "question", '{"question": "?", "answer": "18"}', strategy="direct", model=Replies(["So \\boxed{18}\nbye"]), db=tmp_path / "t.db"
    )
    assert result.verdict is not None
    assert (result.verdict.grader, result.verdict.reader) == ("number", "boxed")
    solver = registry.solver("question")
    verdict = solver.verify(solver.parse('{"question": "?", "answer": "red house"}'), "Answer: red barn")
    assert verdict.metrics == {"em": 0.0, "f1": 0.5}
