"""Answers judged by hand before any grader saw them: for each gold what is right and what is not, as data in `judged/`.

`number`, `math`, `choice` and `text` (exact, squad, f1, any, tolerances) hold pairs, `read` texts with the answer that is in them.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from reasoner.grading import grader, read
from reasoner.grading.dress import undressed

FOLDER = Path(__file__).parent / "judged"


def cases(name: str) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = tomllib.loads((FOLDER / f"{name}.toml").read_text(encoding="utf-8"))["case"]
    return made


CASES = [(name, case) for name in ("number", "math", "choice", "text") for case in cases(name)]


@pytest.mark.parametrize(("name", "case"), CASES, ids=[f"{name}: {case['gold']}" for name, case in CASES])
def test_pairs_are_judged_as_they_were_by_hand(name: str, case: dict[str, Any]) -> None:
    if name == "math":
        pytest.importorskip("math_verify", reason="the extra tasks is not installed")
    spec, choices = case.get("grader", name), case.get("choices", ())
    golds = [case["gold"] if choices else undressed(case["gold"])]
    said = {given: grader(spec).judge(undressed(given), golds, choices=choices) for given in [*case["right"], *case["wrong"]]}
    assert [given for given in case["right"] if said[given].correct is not True] == []
    assert [given for given in case["wrong"] if said[given].correct is not False] == []


@pytest.mark.parametrize("name", ["number", "math", "choice"])
def test_right_answers_are_one_in_a_vote(name: str) -> None:
    """However a right answer is spelt, it is grouped with the gold; no wrong one is."""
    if name == "math":
        pytest.importorskip("math_verify", reason="the extra tasks is not installed")
    for case in cases(name):
        choices = case.get("choices", ())
        gold = case["gold"] if choices else undressed(case["gold"])
        joined = [given for given in case["wrong"] if grader(name).same(gold, undressed(given), [gold], choices=choices)]
        assert not joined, (gold, joined)
        apart = [given for given in case["right"] if not grader(name).same(gold, undressed(given), [gold], choices=choices)]
        assert not apart, (gold, apart)


@pytest.mark.parametrize("case", cases("read"), ids=lambda case: repr(case["text"]))
def test_answers_are_found(case: dict[str, Any]) -> None:
    found = read("auto", case["text"])
    assert (None if found is None else found.text) == case.get("found")
