"""Equations and merges on their own: what the puzzles' tables do not reach."""

from __future__ import annotations

import random
from fractions import Fraction

import pytest

from reasoner.errors import Unparseable
from reasoner.grading.expression import Operation, evaluate
from solvers import _merging as merging


@pytest.mark.parametrize(
    ("text", "left", "operator", "right"),
    [
        ("10 - 4 = 6", 10, "-", 4),
        ("(10 - 4 = 6)", 10, "-", 4),
        ("(10) - (4) = (6)", 10, "-", 4),
        ("5 - -6 = 11", 5, "-", -6),
        ("-5 - 6 = -11", -5, "-", 6),
        ("8/3 * 3 = 8", Fraction(8, 3), "*", 3),
        ("3 * 8/3 = 8", 3, "*", Fraction(8, 3)),
        ("8/3 / 2 = 4/3", Fraction(8, 3), "/", 2),
        ("8 / 3 = 8/3", 8, "/", 3),
        ("1/2 / (3/4) = 2/3", Fraction(1, 2), "/", Fraction(3, 4)),
    ],
)
def test_operands(text: str, left: Fraction, operator: str, right: Fraction) -> None:
    equation = merging.read_equation(text)
    assert isinstance(equation, Operation)
    assert equation[:3] == (left, operator, right)


@pytest.mark.parametrize(
    "text", ["1/2 / 3/4 = 1/24", "1/2 / 3/4 = 2/3", "1 + 2 + 3 = 6", "6 = 6", "6", "", "= 6", "1 + 2 = 3 = 3", "(1 + 2 = 3"]
)
def test_refused(text: str) -> None:
    with pytest.raises(Unparseable):
        merging.read_equation(text)


def test_operations_read_back_along_random_walks() -> None:
    rng = random.Random(5)
    for _ in range(200):
        start = state = merging.numbers(rng.randint(1, 13) for _ in range(4))
        words = []
        while len(state) > 1:
            move = rng.choice(merging.moves(state))
            equation = merging.read_equation(move.operation)
            assert isinstance(equation, Operation)
            assert merging.merge(state, equation) == move.state
            assert merging.read_numbers(merging.show_numbers(move.state)) == move.state
            words.append(move.operation)
            state = move.state
        value = evaluate(merging.expression(start, words))
        assert (value.value, sorted(value.literals)) == (state[0], sorted(start))


def test_an_operand_that_stands_once_is_not_used_twice() -> None:
    equation = merging.read_equation("3 * 3 = 9")
    assert isinstance(equation, Operation)
    assert isinstance(merging.merge(merging.numbers([3, 4, 6]), equation), merging.Untrue)
    assert merging.merge(merging.numbers([3, 3, 6]), equation) == merging.numbers([6, 9])
    with pytest.raises(Unparseable, match="3 is not among"):
        merging.expression(merging.numbers([3, 4]), ["3 * 3 = 9"])
