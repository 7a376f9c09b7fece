"""countdown: the verifier against Python's own grammar, the search against brute force, near misses, hostile texts, and what may be seen."""

from __future__ import annotations

import ast
import itertools
import random
import re
from pathlib import Path

import pytest
from hostile_texts import hostile_texts

import reasoner
from reasoner.drawing import Chain
from reasoner.errors import BadInstance
from solvers.countdown import Countdown, CountdownSolver

SOLVER = CountdownSolver()
PUZZLE = Countdown(numbers=(3, 7, 25, 50), target=82)


class Broken(Exception):
    """A rule is broken."""


def value(node: ast.AST, used: list[int]) -> int:
    """Work an expression out by Python's grammar, with every result whole and not below zero."""
    if isinstance(node, ast.Constant) and type(node.value) is int:
        used.append(node.value)
        return node.value
    if not isinstance(node, ast.BinOp):
        raise Broken
    left, right = value(node.left, used), value(node.right, used)
    if isinstance(node.op, ast.Div):
        if right == 0 or left % right:
            raise Broken
        return left // right
    made = left + right if isinstance(node.op, ast.Add) else left - right if isinstance(node.op, ast.Sub) else left * right
    if made < 0 or not isinstance(node.op, ast.Add | ast.Sub | ast.Mult):
        raise Broken
    return made


def right(puzzle: Countdown, text: str) -> bool:
    """Judge an expression the other way."""
    expression, _, said = text.partition("=")
    used: list[int] = []
    try:
        made = value(ast.parse(expression.strip(), mode="eval").body, used)
        return made == puzzle.target and sorted(used) == sorted(puzzle.numbers) and (not said or int(said) == puzzle.target)
    except (Broken, SyntaxError, ValueError):
        return False


def reachable(numbers: tuple[int, ...]) -> set[int]:
    """Return every number that can be made, by cutting the numbers in two in all ways."""
    if len(numbers) == 1:
        return {numbers[0]}
    found: set[int] = set()
    places = range(len(numbers))
    for size in range(1, len(numbers) // 2 + 1):
        for chosen in itertools.combinations(places, size):
            for a in reachable(tuple(numbers[k] for k in chosen)):
                for b in reachable(tuple(numbers[k] for k in places if k not in chosen)):
                    found |= {a + b, abs(a - b), a * b}
                    found |= {x // y for x, y in ((a, b), (b, a)) if y and x % y == 0}
    return found


def test_the_search_finds_exactly_what_brute_force_finds() -> None:
    rng = random.Random(1)
    for _ in range(12):
        numbers = tuple(rng.randint(1, 12) for _ in range(4))
        can = reachable(numbers)
        for target in range(1, 60):
            path = SOLVER.solve(Countdown(numbers=numbers, target=target))
            assert (path is not None) == (target in can), (numbers, target)


def test_every_level_has_its_numbers_and_targets() -> None:
    for level, n in ((1, 4), (2, 4), (3, 5), (4, 6)):
        for seed in range(10):
            made = SOLVER.generate(random.Random(seed), level)
            assert len(made.numbers) == n
            assert 10 <= made.target <= 100
            answer = SOLVER.right_answer(made)
            assert answer is not None
            assert right(made, answer.removeprefix("Answer: "))


@pytest.mark.parametrize(
    "text",
    [
        "7 + 3 * (50 - 25) = 82", "7 + 3 * (50 - 25)", "(50 − 25) × 3 + 7", "[50 - 25] x 3 + 7 = 82", "50 - 25 = 25; 25 * 3 = 75; 75 + 7 = 82",
        "3 7 25 50 -> (50 - 25 = 25) -> 3 7 25 -> (3 * 25 = 75) -> 7 75 -> (7 + 75 = 82) -> 82", "$7 + 3 \\times (50 - 25)$",
    ],
)  # fmt: skip
def test_right_answers(text: str) -> None:
    assert SOLVER.verify(PUZZLE, f"Answer: {text}").correct
    assert SOLVER.visible_check(PUZZLE, f"Answer: {text}").passed


@pytest.mark.parametrize(
    ("text", "reason", "passes"),
    [
        ("50 + 25 + 7", "uses 50 25 7", False),
        ("50 + 25 + 7 + 3", "make 85, not 82", True),
        ("7 + 3 * (50 - 25) = 83", "is said to be 83", True),
        ("50 / 3 * 7 + 25", "50 / 3 is no whole number", False),
        ("(25 - 50) * 3 + 7", "25 - 50 is below zero", False),
        ("3 / (25 - 25) + 7 + 50", "divides by zero", False),
        ("50 - 25 = 26; 26 * 3 = 78; 78 + 7 = 85", "does not hold", False),
        ("50 - 25 = 25; 25 * 7 = 175", "left at the end", False),
        ("50 - 24 = 26; 26 * 3 = 78; 78 + 7 = 85", "not both left", False),
        ("7 + 3 * (50 - 25", "is not closed", False),
        ("7 + * 3", "a number is missing", False),
        ("-7 + 3 * 25 + 50", "-7 is below zero", False),
        ("7 3 25 50", "an operator is missing", False),
        ("82", "uses 82", False),
        ("2 ** 3", "power operator", False),
    ],
)
def test_wrong_answers_are_told_and_the_visible_check_sees_the_rules_alone(text: str, reason: str, passes: bool) -> None:
    verdict = SOLVER.verify(PUZZLE, f"Answer: {text}")
    assert not verdict.correct
    assert reason in verdict.reason
    assert SOLVER.visible_check(PUZZLE, f"Answer: {text}").passed is passes


def changed(text: str, rng: random.Random) -> str:
    """Change a number, a sign, or a bracket of an expression."""
    places = [*re.finditer(r"\d+|[-+*/()]", text.partition(" = ")[0])]
    at = rng.choice(places)
    if at[0].isdigit():
        other = str(int(at[0]) + rng.choice((-1, 1, 2, 10)))
    elif at[0] in "()":
        other = ""
    else:
        other = rng.choice([sign for sign in "+-*/" if sign != at[0]])
    return text[: at.start()] + other + text[at.end() :]


def test_five_thousand_answers_changed_in_one_place_are_judged_as_python_works_them_out() -> None:
    rng = random.Random(7)
    n_wrong = 0
    while n_wrong < 5000:
        puzzle = SOLVER.generate(rng, rng.randint(1, 3))
        answer = (SOLVER.right_answer(puzzle) or "").removeprefix("Answer: ")
        for _ in range(25):
            given = changed(answer, rng)
            verdict = SOLVER.verify(puzzle, f"Answer: {given}")
            assert verdict.correct == right(puzzle, given), (puzzle, given, verdict)
            n_wrong += not verdict.correct


def test_ten_thousand_hostile_answers() -> None:
    rng = random.Random(8)
    puzzles = [SOLVER.generate(rng, rng.randint(1, 4)) for _ in range(40)]
    golds = [(SOLVER.right_answer(puzzle) or "").removeprefix("Answer: ") for puzzle in puzzles]
    for number, text in enumerate(hostile_texts(rng, golds, 10_000)):
        puzzle = puzzles[number % len(puzzles)]
        verdict = SOLVER.verify(puzzle, text)
        assert verdict.reason.isprintable()
        SOLVER.visible_check(puzzle, text)
        SOLVER.drawing(puzzle, text)
        if verdict.correct:
            assert re.search(r"\d.*[-+*/].*\d", text), text


def test_what_is_left_is_drawn() -> None:
    drawn = SOLVER.drawing(PUZZLE, "Answer: 7 + 3 * (50 - 25) = 82")
    assert isinstance(drawn, Chain)
    assert [(stop.text, stop.by, stop.marked) for stop in drawn.stops] == [
        ("3 7 25 50", "", False), ("3 7 25", "50 - 25", False), ("7 75", "3 * 25", False), ("82", "7 + 75", True),
    ]  # fmt: skip
    assert SOLVER.drawing(PUZZLE, "Answer: 1 + 1") is None
    assert SOLVER.drawing(PUZZLE, "no idea") is None


@pytest.mark.parametrize("line", ["82 from 3 7 25", "82 from 1 2 3 4 5 6 7", "0 from 1 2 3 4", "99999 from 1 2 3 4", "82 of 1 2 3 4"])
def test_bad_lines_are_refused(line: str) -> None:
    with pytest.raises(BadInstance, match="TARGET from"):
        SOLVER.parse(line)


@pytest.mark.parametrize("strategy", ["tot:breadth=2,value_samples=1", "ats", "repair(tot:breadth=2,value_samples=1)", "draft", "program"])
def test_it_is_solved_by_the_strategies_that_search(tmp_path: Path, strategy: str) -> None:
    assert reasoner.solve("countdown", "82 from 3 7 25 50", strategy=strategy, model="teacher", db=tmp_path / "t.db").correct
