"""Votes that end early: always the answer of the whole vote where they say so, never more samples than one by one would have drawn."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import pytest

from reasoner.strategies._vote import Rule, ahead, certain, next_round

NOBODY = -1


def winner(votes: Sequence[tuple[int, float]]) -> int:
    """Return the answer with the highest total, of equals the one first met; counted from scratch."""
    totals: dict[int, float] = {}
    for answer, weight in votes:
        if answer != NOBODY:
            totals[answer] = totals.get(answer, 0.0) + weight
    return max(totals, key=lambda answer: totals[answer], default=NOBODY)


def totals_of(votes: Sequence[tuple[int, float]]) -> list[float]:
    totals: dict[int, float] = {}
    for answer, weight in votes:
        if answer != NOBODY:
            totals[answer] = totals.get(answer, 0.0) + weight
    return list(totals.values())


def drawn_in_rounds(votes: Sequence[tuple[int, float]], rule: Rule) -> int:
    n = 0
    while left := rule.n - n:
        more = next_round(totals_of(votes[:n]), left, rule)
        if not more:
            break
        n += more
    return n


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 6])
@pytest.mark.parametrize("weights", [(1.0,), (0.3, 1.0)])
def test_a_vote_that_stops_gives_the_answer_of_all_samples(n: int, weights: tuple[float, ...]) -> None:
    rule = Rule(n, "logprob" if len(weights) > 1 else "count", "certain")
    n_left_out = 0
    for answers in itertools.product([NOBODY, 0, 1, 2], repeat=n):
        votes = [(answer, weights[place % len(weights)]) for place, answer in enumerate(answers)]
        n_drawn = drawn_in_rounds(votes, rule)
        assert winner(votes[:n_drawn]) == winner(votes)
        one_by_one = next(k for k in range(1, n + 1) if certain(totals_of(votes[:k]), n - k))
        assert n_drawn == one_by_one if len(weights) == 1 else n_drawn <= n
        n_left_out += n - n_drawn
    assert n_left_out or n <= len(weights)


def test_certain_is_exactly_that_no_samples_could_change_it() -> None:
    for votes in itertools.product([0, 1, 2], repeat=3):
        for left in range(4):
            seen = [(answer, 1.0) for answer in votes]
            could = {winner([*seen, *((answer, 1.0) for answer in rest)]) for rest in itertools.product([NOBODY, 0, 1, 2, 3], repeat=left)}
            assert certain(totals_of(seen), left) == (len(could) == 1), (votes, left)
    assert not certain([], 1)
    assert certain([], 0)


def area(first: int, second: int, low: float) -> float:
    """Return the integral of p^first (1 - p)^second from `low` to 1, by Simpson's rule."""
    n = 2000
    step = (1.0 - low) / n
    heights = [(low + k * step) ** first * (1.0 - low - k * step) ** second for k in range(n + 1)]
    return step / 3 * (heights[0] + heights[-1] + 4 * sum(heights[1:-1:2]) + 2 * sum(heights[2:-1:2]))


def test_the_bound_is_that_of_the_beta_distribution() -> None:
    for first, second in itertools.product(range(12), repeat=2):
        assert math.isclose(ahead(first, second), area(first, second, 0.5) / area(first, second, 0.0), rel_tol=1e-9)


def test_beta_stops_where_the_lead_is_probable_enough() -> None:
    rule = Rule(40, stop="beta")
    assert next_round([], 40, rule) == 4
    assert next_round([3.0, 1.0], 36, rule) == 3  # 6:1 is the first that reaches 0.95
    assert next_round([4.0], 36, rule) == 0
    assert next_round([4.0], 36, Rule(40, stop="beta", confidence=0.99)) == 2
    assert next_round([1.0, 1.0], 1, rule) == 1
