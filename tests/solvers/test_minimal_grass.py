"""Minimal Grass: right, wrong and oddly written answers; the minimum against trying all factorisations."""

from __future__ import annotations

import itertools
import random

import pytest

from reasoner.errors import BadInstance
from reasoner.types import digest
from solvers.minimal_grass import MinimalGrass, MinimalGrassSolver, minimum, trivial_split_share

SOLVER = MinimalGrassSolver()
INSTANCE = MinimalGrass(p=12, q=7, r=6)  # 3 * 25 = 75 is the minimum; 4 * 19 = 76 and 6 * 14 = 84 come close
WIDE = MinimalGrass(p=12, q=12, r=12)  # (2 * 6) three times gives 6 * 18 = 108, as does 3 * 36


def smallest(numbers: tuple[int, ...]) -> int:
    """Try every factorisation of every number."""
    factors = [[(x, n // x) for x in range(1, n + 1) if n % x == 0] for n in numbers]
    return min(sum(x for x, _ in chosen) * sum(y for _, y in chosen) for chosen in itertools.product(*factors))


def test_the_instances_of_this_file_are_as_described() -> None:
    assert smallest(INSTANCE.numbers()) == 75
    assert smallest(WIDE.numbers()) == 108


@pytest.mark.parametrize(
    "text",
    [
        "Answer: 12 = 1 * 12, 7 = 1 * 7, 6 = 1 * 6 -> 3 * 25 = 75",
        "Answer: 12 = 12 * 1, 7 = 7 * 1, 6 = 6 * 1 -> 25 * 3 = 75",
        "Answer: 12=1×12; 7=1×7; 6=1×6 → 3×25=75.",
        "**Answer:** 12 = 1 x 12, 7 = 1 x 7, 6 = 1 x 6 => 3 x 25 = 75",
        r"Answer: $12 = 1 \times 12, 7 = 1 \times 7, 6 = 1 \times 6 \to 3 \times 25 = 75$",
        "Answer: 1 * 12 = 12, 1 * 7 = 7, 1 * 6 = 6 -> 3 * 25 = 75",
        "Answer: 12 = 1 * 12 -> 7 = 1 * 7 -> 6 = 1 * 6 -> X * Y = 3 * 25 = 75",
        "Answer: 12 = (1 * 12), 7 = (1 * 7) (a prime), 6 = (1 * 6) -> (3 * 25) = 75",
        "Answer: 12 = 1 * 12, 7 = 1 * 7, 6 = 1 * 6 -> 25 * 3 = 75",
    ],
)
def test_right_answers(text: str) -> None:
    verdict = SOLVER.verify(INSTANCE, text)
    assert verdict.correct, verdict


def test_any_minimal_factorisation_counts() -> None:
    for text in ("12 = 2 * 6, 12 = 2 * 6, 12 = 2 * 6 -> 6 * 18 = 108", "12 = 1 * 12, 12 = 1 * 12, 12 = 1 * 12 -> 3 * 36 = 108"):
        assert SOLVER.verify(WIDE, f"Answer: {text}").correct


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("75", "75 is the minimum, but the factorisations are not shown"),
        ("ans = 75", "75 is the minimum, but the factorisations are not shown"),
        ("84", "84 is a value, but the factorisations are not shown"),
        ("12 = 3 * 4, 7 = 1 * 7, 6 = 2 * 3 -> 6 * 14 = 84", "84 is not the smallest product, 75 is possible"),
        ("12 = 1 * 12, 7 = 1 * 7, 6 = 1 * 6 -> 3 * 25 = 74", "3 * 25 is 75, not 74"),
        ("12 = 1 * 12, 7 = 1 * 7, 6 = 2 * 3 -> 3 * 25 = 75", "the sums are 4 and 22, the product is written as 3 * 25"),
        ("12 = 3 * 5, 7 = 1 * 7, 6 = 1 * 6 -> 3 * 25 = 75", "12 is not 3 * 5"),
        ("7 = 1 * 7, 12 = 1 * 12, 6 = 1 * 6 -> 3 * 25 = 75", "factorisation 1 is of 7, not of 12"),
        ("12 = 1 * 12, 7 = 1 * 7 -> 3 * 25 = 75", "3 equations were written"),
        ("12 = 1 * 12, 7 = 1 * 7, 6 = 1 * 6 -> 75", "the sums are 3 and 25"),
        ("12 = 1 * 12, 7 = 1 * 7, 6 = 1 * 6 -> 3 * 25 = 75 -> 75", "5 equations were written"),
        ("3 * 25 = 75", "1 equations were written"),
        ("12, 7, 6, 75", "12 is not 12"),
    ],
)
def test_wrong_answers(text: str, reason: str) -> None:
    verdict = SOLVER.verify(INSTANCE, f"Answer: {text}")
    assert (verdict.correct, verdict.score, verdict.unparsed) == (False, 0.0, False)
    assert reason in verdict.reason


@pytest.mark.parametrize(
    "text",
    [
        "the minimum is 75",
        "12 = 1 * 12, 7 = 1 * 7, 6 = 1 * 6 -> 3 * 25",
        "12 = 1 * 12, 7 = prime, 6 = 1 * 6 -> 3 * 25 = 75",
        "12 = 1 * 12, 7 = 1 * 7, 6 = 1 * 6 -> 3 * 25 = 75 grams",
        "12 = 2 * 2 * 3, 7 = 1 * 7, 6 = 1 * 6 -> 3 * 25 = 75",
    ],
)
def test_unread_answers(text: str) -> None:
    verdict = SOLVER.verify(INSTANCE, f"Answer: {text}")
    assert (verdict.correct, verdict.unparsed) == (False, True), verdict


def test_the_minimum_agrees_with_trying_everything() -> None:
    rng = random.Random(3)
    for _ in range(150):
        numbers = tuple(sorted(rng.randint(1, 100) for _ in range(3)))
        assert minimum(numbers) == smallest(numbers)


def test_solve_gives_a_minimal_path_for_the_hardest_instances() -> None:
    for line in ("840 840 840", "720 840 960", "1000 999 998", "1 1 1"):
        instance = SOLVER.parse(line)
        path = SOLVER.solve(instance)
        assert path is not None
        assert SOLVER.verify(instance, SOLVER.answer(instance, path)).correct
        assert path[-1].state.x * path[-1].state.y == smallest(instance.numbers())


def test_the_share_of_the_trivial_split() -> None:
    trivial, other = MinimalGrass(p=2, q=3, r=5), MinimalGrass(p=36, q=36, r=2)
    assert smallest(trivial.numbers()) == 30
    assert smallest(other.numbers()) < 3 * 74
    assert trivial_split_share([trivial]) == 1.0
    assert trivial_split_share([other]) == 0.0
    assert trivial_split_share([trivial, other, other, other]) == 0.25


def test_the_documented_share_of_level_1_over_all_its_instances() -> None:
    everything = list(itertools.product(range(2, 17), repeat=3))
    hits = sum(smallest(numbers) == 3 * sum(numbers) for numbers in everything)
    assert (hits, len(everything)) == (2205, 3375)
    assert trivial_split_share([MinimalGrass(p=p, q=q, r=r) for p, q, r in everything]) == 2205 / 3375


@pytest.mark.parametrize(("level", "share"), [(1, 0.657), (2, 0.5515), (3, 0.539)])
def test_the_documented_shares_of_drawn_instances(level: int, share: float) -> None:
    rngs = (random.Random(int(digest("0", "minimal_grass", str(level), str(index)), 16)) for index in range(2000))
    assert trivial_split_share([SOLVER.generate(rng, level) for rng in rngs]) == share


@pytest.mark.parametrize("line", ["12 7", "12 7 0", "12 7 1001", "12 -7 6", "12 7 6.0"])
def test_bad_lines(line: str) -> None:
    with pytest.raises(BadInstance, match="minimal_grass: cannot use the instance"):
        SOLVER.parse(line)


@pytest.mark.parametrize("line", ["4 9 8", "3 4 2", "12 7 6"])
def test_the_format_example_is_never_the_answer(line: str) -> None:
    instance = SOLVER.parse(line)
    assert not SOLVER.verify(instance, "Answer: " + SOLVER.statement_variables(instance)["example"]).correct
