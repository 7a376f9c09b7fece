"""Number Path: right, wrong and oddly written answers; the exact solver against trying every sequence of steps."""

from __future__ import annotations

import itertools

import pytest

from reasoner.errors import BadInstance
from solvers.number_path import NumberPath, NumberPathSolver, _pool, max_target

SOLVER = NumberPathSolver()
INSTANCE = NumberPath(steps=4, start=9, target=41)


def ends(start: int, steps: int) -> set[int]:
    """Try every sequence of the two operations."""
    found = set()
    for doubles in itertools.product([True, False], repeat=steps):
        value = start
        for double in doubles:
            value = value * 2 if double else value + 1
        found.add(value)
    return found


@pytest.mark.parametrize(
    "text",
    [
        "Answer: 9 -> 10 -> 20 -> 40 -> 41",
        "9 -> 10 -> 20 -> 40 -> 41",
        "Answer: 9->10->20->40->41.",
        "answer: 9 → 10 → 20 → 40 → 41",
        "**Answer:** 9 => 10 => 20 => 40 => 41",
        "Answer: **9 --> 10 --> 20 --> 40 --> 41**",
        r"Answer: $9 \rightarrow 10 \to 20 \Rightarrow 40 \implies 41$.",
        r"Answer: \boxed{9 \to 10 \to 20 \to 40 \to 41}",
        "Answer: 9 -> 10 (9 + 1 = 10) -> 20 (double) -> 40 (x2) -> 41 (add one)",
        "Answer: 9 -> (+1) 10 -> (*2) 20 -> (*2) 40 -> (+1) 41",
        "Answer: [9 -> 10 -> 20 -> 40 -> 41]",
        "Answer: (9) -> (10) -> (20) -> (40) -> (41)",
        "Answer: `9 ⟶ 10 ⇒ 20 ➜ 40 → 41`",
        "Answer:\n9 -> 10 -> 20 -> 40 -> 41\n",
        "Answer: 9 -> 18\nNo, that fails.\nAnswer: 9 -> 10 -> 20 -> 40 -> 41",
    ],
)
def test_right_answers(text: str) -> None:
    verdict = SOLVER.verify(INSTANCE, text)
    assert verdict.correct, verdict
    assert verdict.score == 1.0


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Answer: 9 -> 10 -> 20 -> 21 -> 41", "step 4: 21 -> 41 is neither doubling (42) nor adding one (22)"),
        ("Answer: 10 -> 20 -> 40 -> 41", "starts at 10, not at 9"),
        ("Answer: 9 -> 10 -> 20 -> 40", "the number of steps is 3, not 4"),
        ("Answer: 9 -> 10 -> 20 -> 40 -> 41 -> 42", "the number of steps is 5, not 4"),
        ("Answer: 9 -> 10 -> 20 -> 40 -> 80", "ends at 80, not at 41"),
        ("Answer: 9 -> 10 -> 20 -> 40 -> 41\nAnswer: 9 -> 18", "the number of steps is 1"),
    ],
)
def test_wrong_answers(text: str, reason: str) -> None:
    verdict = SOLVER.verify(INSTANCE, text)
    assert (verdict.correct, verdict.score, verdict.unparsed) == (False, 0.0, False)
    assert reason in verdict.reason


@pytest.mark.parametrize(
    "text",
    [
        "The path is 9 -> 10 -> 20 -> 40 -> 41\nand that is it.",
        "Answer: 41",
        "Answer: the path 9 -> 10 -> 20 -> 40 -> 41",
        "Answer: 9 -> 10 -> 20 -> 40 -> 41 which is right",
        "Answer: 9 10 20 40 41",
        "Answer: 9 -> ten -> 20 -> 40 -> 41",
        "Answer: 9 -> 10 -> 20 -> -> 40 -> 41",
        "Answer: 9.0 -> 10 -> 20 -> 40 -> 41",
        "Answer: 9 -> 10 -> 20 -> 40 -> 41 41",
        "Answer: 9 -> 10 -> 20 -> 40 -> " + "0" * 20 + "41",
    ],
)
def test_unread_answers(text: str) -> None:
    verdict = SOLVER.verify(INSTANCE, text)
    assert (verdict.correct, verdict.score, verdict.unparsed) == (False, 0.0, True)


@pytest.mark.parametrize("steps", range(1, 9))
def test_a_level_holds_what_can_be_reached(steps: int) -> None:
    expected = {(start, end) for start in range(1, 21) for end in ends(start, steps) if end <= max_target(steps)}
    assert {(each.start, each.target) for each in _pool(steps)} == expected
    assert len(_pool(steps)) == len(expected)


def test_the_published_levels_have_the_published_range() -> None:
    assert (max_target(3), max_target(4), max_target(5), max_target(8)) == (100, 100, 200, 1600)
    assert [len(_pool(n)) for n in (3, 4)] == [148, 264]


@pytest.mark.parametrize("start", range(1, 8))
def test_solve_agrees_with_trying_everything(start: int) -> None:
    for steps in range(1, 6):
        reached = ends(start, steps)
        for target in range(start + 1, 60):
            instance = NumberPath(steps=steps, start=start, target=target)
            path = SOLVER.solve(instance)
            assert (path is not None) == (target in reached)
            assert path is None or (len(path) == steps and SOLVER.verify(instance, SOLVER.answer(instance, path)).correct)


def test_the_largest_instances_are_solved() -> None:
    path = SOLVER.solve(SOLVER.parse("20 1 10000"))
    assert path is not None
    assert path[-1].state.value == 10_000


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("4 9", "3 whole numbers"),
        ("4 9 4.5", "3 whole numbers"),
        ("4 9 9", "not above the start"),
        ("0 9 41", "steps = 0"),
        ("21 9 41", "steps = 21"),
        ("4 -9 41", "start = -9"),
        ("4 9 10001", "target = 10001"),
    ],
)
def test_bad_lines(line: str, why: str) -> None:
    with pytest.raises(BadInstance) as caught:
        SOLVER.parse(line)
    assert why in caught.value.message
    assert repr(line) in caught.value.message


def test_the_format_example_is_never_the_answer() -> None:
    assert SOLVER.statement_variables(INSTANCE)["example"] == "2 -> 4 -> 5"
    assert SOLVER.statement_variables(SOLVER.parse("2 2 5"))["example"] != "2 -> 4 -> 5"
