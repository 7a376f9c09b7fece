"""Game of 24: right, wrong and oddly written answers; all 1,820 hands against an oracle that splits sets instead of merging."""

from __future__ import annotations

import itertools
from fractions import Fraction
from functools import cache

import pytest

from reasoner.errors import BadInstance
from solvers._rational import n_ways, rational
from solvers.game24 import Game24, Game24Solver, _pools

SOLVER = Game24Solver()
INSTANCE = Game24(a=4, b=9, c=10, d=13)
HANDS = list(itertools.combinations_with_replacement(range(1, 14), 4))
Hand = tuple[int, ...]


def hand(numbers: Hand) -> Game24:
    a, b, c, d = numbers
    return Game24(a=a, b=b, c=c, d=d)


def splits(numbers: Hand) -> set[tuple[Hand, Hand]]:
    """Return every way to deal the numbers into two non-empty parts."""
    found = set()
    for size in range(1, len(numbers)):
        for chosen in itertools.combinations(range(len(numbers)), size):
            part = tuple(numbers[i] for i in chosen)
            rest = tuple(n for i, n in enumerate(numbers) if i not in chosen)
            found.add((part, rest))
    return found


@cache
def worth(numbers: Hand) -> frozenset[Fraction]:
    """Return every value of an expression over the numbers: one operation joins two parts, both of them worked out first."""
    if len(numbers) == 1:
        return frozenset([Fraction(numbers[0])])
    found: set[Fraction] = set()
    for part, rest in splits(numbers):
        for x, y in itertools.product(worth(part), worth(rest)):
            found |= {x + y, x - y, x * y} | ({x / y} if y else set())
    return frozenset(found)


def makes_24(numbers: Hand) -> bool:
    for part, rest in splits(numbers):
        others = worth(rest)
        for x in worth(part):
            wanted = {24 - x, x - 24} | ({24 / x, x / 24} if x else set())
            if wanted & others:
                return True
    return False


def test_all_hands_are_solved_exactly() -> None:
    paths = {numbers: SOLVER.solve(hand(numbers)) for numbers in HANDS}
    solvable = {numbers for numbers, path in paths.items() if path is not None}
    assert (len(HANDS), len(solvable), len(HANDS) - len(solvable)) == (1820, 1362, 458)
    assert solvable == {numbers for numbers in HANDS if makes_24(numbers)}
    for numbers in solvable:
        verdict = SOLVER.verify(hand(numbers), SOLVER.answer(hand(numbers), paths[numbers] or []))
        assert verdict.correct, (numbers, verdict)


def test_levels_are_fifths_of_the_solvable_hands_by_the_number_of_ways() -> None:
    _pools.cache_clear()
    n_ways.cache_clear()
    pools = _pools()
    assert [len(pool) for pool in pools] == [272, 272, 273, 272, 273]
    dealt = [each.numbers() for pool in pools for each in pool]
    assert sorted(dealt) == sorted(numbers for numbers in HANDS if SOLVER.solve(hand(numbers)))
    ways = [[n_ways(tuple(map(rational, each.numbers())), (24, 1)) for each in pool] for pool in pools]
    assert all(min(easier) >= max(harder) for easier, harder in itertools.pairwise(ways))


def test_ways_are_the_winning_sequences_of_moves() -> None:
    def count(instance: Game24, state: tuple[Fraction, ...]) -> int:
        if len(state) == 1:
            return int(state[0] == 24)
        return sum(count(instance, move.state) for move in SOLVER.moves(instance, state))

    for numbers in [(4, 9, 10, 13), (3, 3, 8, 8), (1, 1, 1, 1), (1, 2, 3, 4), (6, 6, 6, 6), (2, 2, 2, 12)]:
        assert n_ways(tuple(map(rational, numbers)), (24, 1)) == count(hand(numbers), SOLVER.start(hand(numbers)))


@pytest.mark.parametrize(
    "text",
    [
        "Answer: (10 - 4) * (13 - 9) = 24",
        "Answer: (10 - 4) * (13 - 9)",
        "(10-4)*(13-9)=24",
        "Answer: (10 − 4) × (13 − 9) = 24.",
        r"Answer: $(10 - 4) \times (13 - 9) = 24$",
        r"Answer: \boxed{(10 - 4) \cdot (13 - 9) = 24}",
        r"Answer: \((10 - 4) \* (13 - 9) = 24\)",
        "**Answer:** **(10 - 4) * (13 - 9)** = **24**.",
        "Answer: [10 - 4] x [13 - 9] = 24",
        "Answer: `(4 - 10) * (9 - 13) = 24`",
        "Answer: (10 - 4) * (13 - 9) = 6 * 4 = 24",
        "Answer: (10 - 4) * (13 - 9) (each used once)",
        "Answer: 10 - 4 = 6 -> 13 - 9 = 4 -> 6 * 4 = 24",
        "Answer: 10 - 4 = 6, 13 - 9 = 4, 6 * 4 = 24",
        "Answer: (10 - 4 = 6) → (13 - 9 = 4) → (6 × 4 = 24)",
        "Answer: 10 - 4 = 6 (left: 6 9 13) -> 13 - 9 = 4 (left: 4 6) -> 6 * 4 = 24 (left: 24)",
        "Answer: 4 9 10 13 -> (10 - 4 = 6) -> 6 9 13 -> (13 - 9 = 4) -> 4 6 -> (6 * 4 = 24) -> 24",
    ],
)
def test_right_answers(text: str) -> None:
    verdict = SOLVER.verify(INSTANCE, text)
    assert verdict.correct, verdict


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ((3, 3, 8, 8), "8 / (3 - 8 / 3) = 24"),
        ((3, 3, 8, 8), r"\frac{8}{3 - \frac{8}{3}} = 24"),
        ((3, 3, 8, 8), "8 / 3 = 8/3 -> 3 - 8/3 = 1/3 -> 8 / (1/3) = 24"),
        ((3, 3, 8, 8), "8 / 3 = 8/3 -> 3 - (8/3) = 1/3 -> 8 / (1/3) = 24"),
        ((1, 5, 5, 5), "5 * (5 - 1 / 5)"),
        ((1, 5, 5, 5), "1 / 5 = 0.2 -> 5 - 0.2 = 4.8 -> 5 * 4.8 = 24"),
        ((4, 4, 10, 10), "(10 * 10 - 4) / 4 = 24"),
        ((1, 2, 3, 4), "1 - 2 = -1 -> 3 - (-1) = 4\nAnswer: 1 * 2 * 3 * 4"),
        ((2, 3, 5, 12), "12 / (3 - 5 / 2)"),
    ],
)
def test_right_answers_with_fractions(numbers: Hand, text: str) -> None:
    verdict = SOLVER.verify(hand(numbers), f"Answer: {text}")
    assert verdict.correct, verdict


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("(10 - 4) * (13 - 9) = 25", "'25' is 25, not 24"),
        ("(10 - 4) * (13 - 9) = 5 * 4 = 24", "'5 * 4' is 20, not 24"),
        ("10 + 13 + 9 - 4 = 24", "'10 + 13 + 9 - 4' is 28, not 24"),
        ("10 + 4 + 10 = 24", "the expression uses 4 10 10, not 4 9 10 13"),
        ("24", "the expression uses 24, not 4 9 10 13"),
        ("24 = 24", "the expression uses 24"),
        ("(10 - 4) * (13 - 9) * 1", "uses 1 4 9 10 13"),
        ("4 * 9 / (13 - 13)", "divides by zero"),
        ("4 / (13 - 9 - 4) + 10", "divides by zero"),
        ("10 - 4 = 7 -> 13 - 9 = 4 -> 7 * 4 = 28", "part 1: 10 - 4 is 6, not 7"),
        ("10 - 4 = 6 -> 13 - 4 = 9 -> 6 * 9 = 54", "part 2: 13 and 4 are not both among the numbers left: 6 9 13"),
        ("10 - 4 = 6 -> 13 - 9 = 4 -> 6 + 4 = 10", "10 is left at the end, not 24"),
        ("10 - 4 = 6 -> 13 - 9 = 4", "4 6 is left at the end, not 24"),
        ("6 * 4 = 24 -> 24 = 24", "part 1: 6 and 4 are not both among the numbers left: 4 9 10 13"),
        ("10 - 4 = 6 -> 6 9 12 -> 13 - 9 = 4 -> 6 * 4 = 24", "part 2: '6 9 12' is written, 6 9 13 is left"),
        ("10 / 0 = 24 -> 24 + 4 = 28", "divides by zero"),
    ],
)
def test_wrong_answers(text: str, reason: str) -> None:
    verdict = SOLVER.verify(INSTANCE, f"Answer: {text}")
    assert (verdict.correct, verdict.score, verdict.unparsed) == (False, 0.0, False)
    assert reason in verdict.reason


@pytest.mark.parametrize(
    "text",
    [
        "it is impossible",
        "(10 - 4) * (13 - 9",
        "(10 - 4)(13 - 9) = 24",
        "10^4 - 13 - 9",
        "(10 - 4) * (13 - 9) = twenty-four",
        "(10 - 4) * (13 - 9) = ",
        "= 24",
        "use 10 - 4 = 6 -> 13 - 9 = 4 -> 6 * 4 = 24",
        "10 - 4 + 13 = 19 -> 19 - 9 = 10",
        "the result (10 - 4) * (13 - 9)",
    ],
)
def test_unread_answers(text: str) -> None:
    verdict = SOLVER.verify(INSTANCE, f"Answer: {text}")
    assert (verdict.correct, verdict.unparsed) == (False, True), verdict


def test_an_unsolvable_hand_can_be_read_and_has_no_solution() -> None:
    instance = SOLVER.parse("1 1 1 1")
    assert SOLVER.solve(instance) is None
    assert SOLVER.format(instance) == "1 1 1 1"


@pytest.mark.parametrize("line", ["4 9 10", "4 9 10 14", "0 9 10 13", "4 9 10 -1", "4 9 10 13 24"])
def test_bad_lines(line: str) -> None:
    with pytest.raises(BadInstance, match="game24: cannot use the instance"):
        SOLVER.parse(line)


def test_moves_read_as_merges() -> None:
    instance = hand((1, 1, 3, 8))
    shown = [move.operation for move in SOLVER.moves(instance, (Fraction(0), Fraction(8, 3)))]
    assert shown == ["0 + (8/3) = 8/3", "(8/3) - 0 = 8/3", "0 - (8/3) = -8/3", "0 * (8/3) = 0", "0 / (8/3) = 0"]
    pairs = [move.operation for move in SOLVER.moves(instance, (Fraction(4), Fraction(4)))]
    assert pairs == ["4 + 4 = 8", "4 - 4 = 0", "4 * 4 = 16", "4 / 4 = 1"]


@pytest.mark.parametrize("line", ["2 6 5 2", "1 7 9 3", "4 9 10 13"])
def test_the_format_example_is_never_the_answer(line: str) -> None:
    instance = SOLVER.parse(line)
    assert not SOLVER.verify(instance, "Answer: " + SOLVER.statement_variables(instance)["example"]).correct
