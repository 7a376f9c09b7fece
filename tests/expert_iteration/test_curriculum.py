"""The curriculum and the selection, each against what it promises."""

from __future__ import annotations

import pytest

from reasoner.cli.improve import read_ladders
from reasoner.errors import BadConfig
from reasoner.expert_iteration.curriculum import Rate, mastered, open_levels, shares
from reasoner.expert_iteration.selection import Tried, select


def test_a_level_opens_by_the_one_below_and_closes_when_mastered() -> None:
    ladder = (1, 2, 3, 4)
    assert open_levels(ladder, {}) == (1,)
    assert open_levels(ladder, {1: Rate(39, 100)}) == (1,)
    assert open_levels(ladder, {1: Rate(40, 100)}) == (1, 2)
    assert open_levels(ladder, {1: Rate(96, 100), 2: Rate(50, 100)}) == (2, 3)
    assert open_levels((1, 2), {1: Rate(10, 10), 2: Rate(10, 10)}) == (2,), "the highest stays"
    assert mastered((1, 2), {1: Rate(10, 10), 2: Rate(10, 10)})
    assert not mastered((1, 2), {1: Rate(10, 10)})


def test_most_problems_are_of_the_level_where_half_are_right() -> None:
    found = shares((1, 2, 3), {1: Rate(90, 100), 2: Rate(50, 100)}, 100)
    assert sum(found.values()) == 100
    assert found[2] > found[3] > found[1] > 0
    assert shares((1,), {1: Rate(0, 50)}, 7) == {1: 7}
    for n in range(1, 40):
        assert sum(shares((1, 2, 3), {1: Rate(45, 100), 2: Rate(41, 100)}, n).values()) == n


def test_of_a_problem_the_shortest_is_learned_and_what_differs_from_it() -> None:
    tried = [
        Tried("p", "long", "so we add two and two and we get Answer: 4", 12),
        Tried("p", "short", "two and two Answer: 4", 5),
        Tried("p", "alike", "two and two is Answer: 4", 6),
        Tried("p", "same", "two and two Answer: 4", 5),
        Tried("q", "only", "Answer: 9", 2),
    ]
    assert select(tried, keep=1) == ["same", "only"], "equal texts count once, by the first trajectory"
    assert select(tried, keep=2) == ["same", "long", "only"]
    assert select(tried, keep=9) == ["same", "long", "alike", "only"]
    assert select(reversed(tried), keep=2) == ["only", "same", "long"]
    assert select([], keep=2) == []


def test_levels_are_read_as_ranges_and_lists() -> None:
    assert read_ladders(["words=1-3", "question:a=b.jsonl=1,4-5"]) == {"words": (1, 2, 3), "question:a=b.jsonl": (1, 4, 5)}
    for text in ("words", "words=", "words=a", "words=3-1", "=x", "words=1-99999"):
        with pytest.raises(BadConfig, match="--levels"):
            read_ladders([text])
