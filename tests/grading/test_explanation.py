"""A reason behind a number: cut off where it is plain words, and the answer refused where it may say another number."""

from __future__ import annotations

import pytest
from golds import flips

from reasoner.grading import grader, suited
from reasoner.grading.explanation import without_reason


@pytest.mark.parametrize(
    "given",
    [
        "18, because there are so many apples", "18 because there are so many apples left on the tree", "18; since they're all sold.", "18 apples (because that's what is left).", "18. Because Tom sold them.",
        "$18 — because it is the sum", "18, as there is nobody else", "18, due to the rule of the sum", "18.0, given that all of them came", "**18**, because that is the sum", "36/2, because we share",
        "18, because there are ...",
    ],
)  # fmt: skip
def test_a_reason_in_plain_words_does_not_count(given: str) -> None:
    assert grader("number").judge(given, ["18"]).correct is True
    assert grader("any:number").judge(given, ["17", "18"]).correct is True
    assert grader("number").same(given, "18", ["18"])
    assert grader("number").judge(given, ["17"]).correct is False


@pytest.mark.parametrize(
    "given",
    [
        "18 or 20", "18, not 20", "18, 000", "18, 19", "18, 000, because there are so many", "18, the sum", "18, which is wrong", "18, because 20 were sold", "18, because of two dozen", "18, because it isn't right",
        "18, because it is not right", "18, because the total is in thousands", "18, since percent", "about 18, because I guess", "18 or 19, because I guess", "not 18, because I guess", "18, because it is km", "18, because x",
        "18, because there are ½ more", "18, because of twenty-one", "18, because ²", "18, because 五", "18, because of the apples?", "18, because + it is", "18, because it is \\frac{1}{2}", "18, because it is less",
        "18, because pairs", "18, because of the other hundreds", "18, because\N{ARABIC-INDIC DIGIT FIVE}", "18, because they're either this or that", "18, because of kilometers", "1, 8, because there are so many",
        "-18, because there are so many", "180, because there are so many", "1.8, because there are so many", "because 18", "18" + ", because it is" + " so" * 1000,
    ],
)  # fmt: skip
def test_a_reason_that_may_change_the_number_is_no_reason(given: str) -> None:
    assert grader("number").judge(given, ["18"]).correct is False
    assert grader("number").canonical(given, ["18"]) != "18"


def test_only_numbers_lose_their_reason() -> None:
    for spec in ("exact", "squad"):
        assert grader(spec).judge("18, because there are so many", ["18"]).correct is False
    assert grader("number").check(["18, because there are so many"])
    assert suited(["18, because there are so many"]) != "number"


def test_no_flip_is_accepted_with_a_reason() -> None:
    for case in flips(20261130, 1300):
        given = f"{case.given}, because there are so many"
        assert grader("number").judge(given, [case.gold]).correct is not True, case
        assert without_reason(given) == case.given
