"""Drop Water: right, wrong and oddly written answers; distances against a search over all amounts with its own rules."""

from __future__ import annotations

import pytest

from reasoner.errors import BadInstance
from solvers.drop_water import CAPACITIES, DropWater, DropWaterSolver, _pool

SOLVER = DropWaterSolver()
INSTANCE = DropWater(a=5, b=7, goal=4, max_moves=4)
ANSWER = "0/5 0/7 -> 0/5 7/7 -> 5/5 2/7 -> 0/5 2/7 -> 2/5 0/7 -> 2/5 7/7 -> 5/5 4/7"


def fewest_moves(a_max: int, b_max: int) -> dict[int, int]:
    """Relax over all pairs of amounts until nothing changes (no queue, rules written out as differences)."""
    steps = {(0, 0): 0}
    changed = True
    while changed:
        changed = False
        for (a, b), n in list(steps.items()):
            total = a + b
            reached = [(a_max, b), (a, b_max), (0, b), (a, 0)]
            reached.append((0, total) if total <= b_max else (total - b_max, b_max))
            reached.append((total, 0) if total <= a_max else (a_max, total - a_max))
            for state in reached:
                if steps.get(state, 10**9) > n + 1:
                    steps[state] = n + 1
                    changed = True
    volumes = {v for state in steps for v in state}
    return {v: min(n for state, n in steps.items() if v in state) for v in volumes}


@pytest.mark.parametrize(
    "text",
    [
        "Answer: 0/5 0/7 -> 5/5 0/7 -> 0/5 5/7 -> 5/5 5/7 -> 3/5 7/7",
        "Answer: 0/5, 0/7 → 5/5, 0/7 → 0/5, 5/7 → 5/5, 5/7 → 3/5, 7/7.",
        "Answer: (0/5, 0/7) => (5/5, 0/7) => (0/5, 5/7) => (5/5, 5/7) => (3/5, 7/7)",
        "Answer: 0/5 0/7 -> (fill A) 5/5 0/7 -> (pour A into B) 0/5 5/7 -> 5/5 5/7 (fill A) -> 3/5 7/7 (goal)",
        "**Answer:** `0 / 5 0 / 7 -> 5/5 0/7 -> 0/5 5/7 -> 5/5 5/7 -> 3/5 7/7`",
        "Answer: [0/5; 0/7] -> [5/5; 0/7] -> [0/5; 5/7] -> [5/5; 5/7] -> [3/5; 7/7]",
    ],
)
def test_right_answers(text: str) -> None:
    instance = DropWater(a=5, b=7, goal=3, max_moves=4)
    verdict = SOLVER.verify(instance, text)
    assert verdict.correct, verdict


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (ANSWER, "the number of moves is 6, at most 4 allowed"),
        ("0/5 0/8 -> 0/5 8/8", "state 0: the capacities are 5 and 8, not 5 and 7"),
        ("0/5 0/7 -> 0/5 7/8", "state 1: the capacities are 5 and 8"),
        ("0/7 0/5 -> 7/7 0/5", "the capacities are 7 and 5"),
        ("0/5 0/7 -> 6/5 0/7", "holds more than fits"),
        ("5/5 0/7 -> 0/5 5/7", "start with 5 and 0 litres"),
        ("0/5 0/7 -> 4/5 0/7", "move 1: no move leads from 0/5 0/7 to 4/5 0/7"),
        ("0/5 0/7 -> 5/5 7/7", "move 1: no move"),
        ("0/5 0/7 -> 0/5 0/7 -> 0/5 7/7", "move 1: no move"),
        ("0/5 0/7 -> 0/5 7/7 -> 4/5 3/7", "move 2: no move"),
        ("0/5 0/7 -> 0/5 7/7 -> 5/5 2/7", "at the end no jug holds 4"),
    ],
)
def test_wrong_answers(text: str, reason: str) -> None:
    verdict = SOLVER.verify(INSTANCE, f"Answer: {text}")
    assert (verdict.correct, verdict.score, verdict.unparsed) == (False, 0.0, False)
    assert reason in verdict.reason


def test_more_moves_are_allowed_when_the_instance_allows_them() -> None:
    assert SOLVER.verify(DropWater(a=5, b=7, goal=4, max_moves=6), f"Answer: {ANSWER}").correct


@pytest.mark.parametrize("text", ["0/5 0/7", "0 0 -> 5 0", "0/5 -> 5/5", "0/5 0/7 -> done", "0/5 0/7 4 litres -> 4/5 0/7", "4"])
def test_unread_answers(text: str) -> None:
    verdict = SOLVER.verify(INSTANCE, f"Answer: {text}")
    assert (verdict.correct, verdict.unparsed) == (False, True)


def test_levels_are_exact_distances() -> None:
    expected: dict[int, set[tuple[int, int, int]]] = {}
    for a in CAPACITIES:
        for b in CAPACITIES:
            if a < b:
                for volume, n in fewest_moves(a, b).items():
                    expected.setdefault(n, set()).add((a, b, volume))
    assert not {3, 5, 7} & set(expected)  # only even distances occur beyond a single filling
    for level in SOLVER.levels:
        assert {(each.a, each.b, each.goal) for each in _pool(level)} == expected[level]
        assert len(_pool(level)) == len(expected[level])
        assert {each.max_moves for each in _pool(level)} == {level}


@pytest.mark.parametrize(("a", "b"), [(1, 2), (2, 4), (3, 5), (4, 6), (5, 8), (6, 9)])
def test_solve_is_shortest_and_none_when_there_is_no_way(a: int, b: int) -> None:
    fewest = fewest_moves(a, b)
    for goal in range(1, b + 1):
        instance = DropWater(a=a, b=b, goal=goal, max_moves=8)
        path = SOLVER.solve(instance)
        assert (None if path is None else len(path)) == (fewest.get(goal) if fewest.get(goal, 99) <= 8 else None)
        assert path is None or SOLVER.verify(instance, SOLVER.answer(instance, path)).correct


def test_no_moves_are_left_after_the_last() -> None:
    instance = DropWater(a=5, b=7, goal=4, max_moves=1)
    (move, *_) = SOLVER.moves(instance, SOLVER.start(instance))
    assert SOLVER.moves(instance, move.state) == []
    assert SOLVER.solve(instance) is None


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("7 5 2 2", "not smaller"),
        ("5 5 2 2", "not smaller"),
        ("5 7 8 2", "fits in neither"),
        ("5 7 0 2", "goal = 0"),
        ("5 7 2 21", "max_moves = 21"),
        ("5 1001 2 2", "b = 1001"),
        ("5 7 2", "4 whole numbers"),
    ],
)
def test_bad_lines(line: str, why: str) -> None:
    with pytest.raises(BadInstance) as caught:
        SOLVER.parse(line)
    assert why in caught.value.message


@pytest.mark.parametrize("line", ["2 3 1 2", "3 4 3 1"])
def test_the_format_example_is_never_the_answer(line: str) -> None:
    instance = SOLVER.parse(line)
    assert not SOLVER.verify(instance, "Answer: " + SOLVER.statement_variables(instance)["example"]).correct
