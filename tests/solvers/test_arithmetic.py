"""Arithmetic: right, wrong and oddly written answers; the levels and the solver against trying every order and operation."""

from __future__ import annotations

import itertools
import random
from fractions import Fraction

import pytest

from reasoner.errors import BadInstance
from solvers.arithmetic import GOALS, Arithmetic, ArithmeticSolver, _pool

SOLVER = ArithmeticSolver()
INSTANCE = Arithmetic(a=3, b=4, c=6, goal=18)


def both(x: Fraction, y: Fraction) -> set[Fraction]:
    return {x + y, x - y, x * y} | ({x / y} if y else set())


def reachable(numbers: tuple[int, ...]) -> set[Fraction]:
    """Try every order, both bracketings and every operation."""
    found: set[Fraction] = set()
    for x, y, z in itertools.permutations(map(Fraction, numbers)):
        for merged in both(x, y):
            found |= both(merged, z) | both(z, merged)
    return found


def kept_by_the_published_generator(numbers: tuple[int, ...]) -> set[Fraction]:
    x, y, z = map(Fraction, numbers)
    return {value for merged in both(x, y) for value in both(merged, z) | both(z, merged)}


def test_the_levels_hold_the_known_counts() -> None:
    triples = list(itertools.combinations_with_replacement(range(1, 13), 3))
    assert len(triples) * len(GOALS) == 2184
    everything = {(*t, g) for t in triples for g in GOALS if g in reachable(t)}
    faithful = {(*t, g) for t in triples for g in GOALS if g in kept_by_the_published_generator(t)}
    assert (len(everything), len(faithful)) == (755, 476)
    assert {each.numbers() for each in _pool(1)} == everything
    assert {each.numbers() for each in _pool(2)} == faithful
    assert (len(_pool(1)), len(_pool(2))) == (755, 476)


def test_the_wide_level_holds_only_what_can_be_made() -> None:
    assert {each.a for each in _pool(3)} == set(range(1, 21))
    assert {each.goal for each in _pool(3)} == set(range(1, 51))
    for each in random.Random(0).sample(_pool(3), 300):
        assert each.goal in reachable((each.a, each.b, each.c))


def test_solve_agrees_with_trying_everything() -> None:
    for numbers in random.Random(1).sample(list(itertools.combinations_with_replacement(range(1, 14), 3)), 60):
        values = reachable(numbers)
        for goal in range(1, 30):
            instance = Arithmetic(a=numbers[0], b=numbers[1], c=numbers[2], goal=goal)
            path = SOLVER.solve(instance)
            assert (path is not None) == (goal in values)
            assert path is None or SOLVER.verify(instance, SOLVER.answer(instance, path)).correct


@pytest.mark.parametrize(
    "text",
    [
        "Answer: 3 4 6 -> (3 * 4 = 12) -> 12 6 -> (12 + 6 = 18) -> 18",
        "Answer: 3 4 6 -> (3 * 4 = 12) -> 6 12 -> (6 + 12 = 18) -> 18",
        "Answer: 4 3 6 → (4 × 3 = 12) → 12 6 → (12 + 6 = 18) → 18.",
        "Answer: 3, 4, 6 => 3*4=12 => 12, 6 => 12+6=18 => 18",
        r"**Answer:** $3\ 4\ 6 \to (3 \times 4 = 12) \to 12\ 6 \to (12 + 6 = 18) \to 18$",
        r"Answer: 3 4 6 -> (3 \* 4 = 12) -> 12 6 -> (12 + 6 = 18) -> **18**",
        "Answer: [3 4 6] -> (4 * 3 = 12) -> [6 12] -> (12 + 6 = 18) -> [18]",
        "Answer: 3 4 6 -> (3 x 4 = 12) (multiply) -> 12 6 -> (12 + 6 = 18) -> 18 (the goal)",
        "Answer: 3 4 6 -> (6 / 4 = 3/2) -> 3 3/2 -> (3 / (3/2) = 2) -> 2\nAnswer: 3 4 6 -> (3 * 4 = 12) -> 12 6 -> (12 + 6 = 18) -> 18",
    ],
)
def test_right_answers(text: str) -> None:
    verdict = SOLVER.verify(INSTANCE, text)
    assert verdict.correct, verdict


@pytest.mark.parametrize(
    "text",
    [
        "3 4 8 -> (8 / 3 = 8/3) -> 4 8/3 -> (4 * (8/3) = 32/3) -> 32/3",
        "3 4 8 -> (8 / 3 = 8/3) -> 8/3 4 -> (8/3 * 4 = 32/3) -> 32/3",
        "3 4 8 -> (4 / 8 = 0.5) -> 3 0.5 -> (3 - 0.5 = 2.5) -> 2.5",
        "3 4 8 -> (3 - 4 = -1) -> -1 8 -> (-1 - 8 = -9) -> -9",
        "3 4 8 -> (4 - 8 = -4) -> -4 3 -> (3 - (-4) = 7) -> 7",
        "3 4 8 -> (4 - 8 = -4) -> -4 3 -> (3 - -4 = 7) -> 7",
        "3 4 8 -> (8 / 3 = 8/3) -> 8/3 4 -> (8/3 / 4 = 2/3) -> 2/3",
    ],
)
def test_fractions_and_negative_numbers_are_read_exactly(text: str) -> None:
    verdict = SOLVER.verify(Arithmetic(a=3, b=4, c=8, goal=1), f"Answer: {text}")
    assert not verdict.unparsed
    assert verdict.reason == f"the result is {Fraction(text.rpartition('-> ')[2])}, not 1"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("3 4 7 -> (3 * 4 = 12) -> 12 7 -> (12 + 7 = 19) -> 19", "starts from '3 4 7', not from 3 4 6"),
        ("3 4 6 -> (3 * 4 = 13) -> 13 6 -> (13 + 6 = 19) -> 19", "step 1: 3 * 4 is 12, not 13"),
        ("3 4 6 -> (3 * 3 = 9) -> 9 6 -> (9 + 6 = 15) -> 15", "step 1: 3 and 3 are not both among the numbers left: 3 4 6"),
        ("3 4 6 -> (3 * 4 = 12) -> 12 5 -> (12 + 6 = 18) -> 18", "after step 1: '12 5' is written, 6 12 is left"),
        ("3 4 6 -> (3 * 4 = 12) -> 12 6 -> (12 + 6 = 18) -> 19", "after step 2: '19' is written, 18 is left"),
        ("3 4 6 -> (3 * 4 = 12) -> 12 6 -> (12 - 6 = 6) -> 6", "the result is 6, not 18"),
        ("3 4 6 -> (3 / 4 = 0.76) -> 0.76 6 -> (6 + 0.76 = 6.76) -> 6.76", "step 1: 3 / 4 is 3/4, not 19/25"),
        ("3 4 6 -> (3 / 0 = 3) -> 3 6 -> (3 * 6 = 18) -> 18", "divides by zero"),
        ("3 4 6 -> (3 * 4 = 12) -> 12 6 -> (12 * 1 = 18) -> 18", "step 2: 12 * 1 is 12, not 18"),
    ],
)
def test_wrong_answers(text: str, reason: str) -> None:
    verdict = SOLVER.verify(INSTANCE, f"Answer: {text}")
    assert (verdict.correct, verdict.score, verdict.unparsed) == (False, 0.0, False)
    assert reason in verdict.reason


@pytest.mark.parametrize(
    "text",
    [
        "18",
        "3 * 4 + 6 = 18",
        "3 * 4 = 12 -> 12 + 6 = 18",
        "3 4 6 -> (3 * 4 + 6 = 18) -> 18",
        "3 4 6 -> (3 * 4 + 6 = 18) -> 18 -> (18 = 18) -> 18",
        "3 4 6 -> 12 6 -> 18",
        "3 4 6 -> (3 * 4 = 12) -> 12 6 -> (12 + 6 = 18)",
        "3 4 6 -> (3 * 4 = 12) -> 12 six -> (12 + 6 = 18) -> 18",
        "3 4 6 -> (3 * 4 = 12) -> 12 6 -> (12 + 6 = 18) -> 18 -> 18",
        "3 4 6 -> (3 ^ 4 = 81) -> 81 6 -> (81 / 6 = 18) -> 18",
        "3 4 6 -> (3 * 4 = 12) -> 12 6 -> (12 + 6 = ) -> 18",
        "3 4 6 -> (3 * 4 = 12) -> 12 1/0 -> (12 + 6 = 18) -> 18",
        "3 4 6 -> (3 * 4 = 12) -> 12 " + "6" * 50 + " -> (12 + 6 = 18) -> 18",
    ],
)
def test_unread_answers(text: str) -> None:
    verdict = SOLVER.verify(INSTANCE, f"Answer: {text}")
    assert (verdict.correct, verdict.unparsed) == (False, True), verdict


@pytest.mark.parametrize("line", ["3 4 6", "3 4 6 0", "0 4 6 18", "-3 4 6 18", "3 4 6 10001", "3 4 6 1/2"])
def test_bad_lines(line: str) -> None:
    with pytest.raises(BadInstance, match="arithmetic: cannot use the instance"):
        SOLVER.parse(line)


def test_the_order_of_the_numbers_makes_no_other_problem() -> None:
    assert SOLVER.canonical(SOLVER.parse("6 3 4 18")) == SOLVER.canonical(INSTANCE)
    assert SOLVER.canonical(SOLVER.parse("3 4 6 12")) != SOLVER.canonical(INSTANCE)
    assert SOLVER.format(SOLVER.parse("6 3 4 18")) == "6 3 4 18"


@pytest.mark.parametrize("goal", [20, 50])
def test_the_format_example_is_never_the_answer(goal: int) -> None:
    instance = Arithmetic(a=8, b=5, c=2, goal=goal)
    assert not SOLVER.verify(instance, "Answer: " + SOLVER.statement_variables(instance)["example"]).correct
