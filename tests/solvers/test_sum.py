"""Sum: how sums may be written, and what is said of wrong ones, digit by digit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasoner.errors import BadInstance
from solvers.sum import MIXED, Sum, SumSolver, error_pattern

SOLVER = SumSolver()
INSTANCE = Sum(a=8_302_080, b=3_529_456)
ADDEND = st.integers(0, 999_999_999)


@pytest.mark.parametrize(
    "text",
    [
        "Answer: 11831536",
        "Answer: 11,831,536",
        "Answer: 11 831 536",
        "Answer: 11.831.536.",
        "Answer: 11'831'536",
        "Answer: 11_831_536",
        "Answer: 011831536",
        "**Answer:** $11831536$",
        "Answer: 8302080 + 3529456 = 11831536",
        "Answer: 3,529,456 + 8,302,080 = 11,831,536",
    ],
)
def test_right_sums(text: str) -> None:
    assert SOLVER.verify(INSTANCE, text).correct


@pytest.mark.parametrize(
    ("total", "reason"),
    [
        ("11821536", "digit 5 from the right is 2, not 3: the carry out of digit 4 was missed; 1 of 8 digits are wrong"),
        ("12831536", "digit 7 from the right is 2, not 1: one was carried that is not there; 1 of 8 digits are wrong"),
        ("11831936", "digit 3 from the right is 9, not 5; 1 of 8 digits are wrong"),
        ("1831536", "7 digits, not 8 (1 too few); digit 8 from the right is missing, it is 1: the carry out of digit 7 was missed"),
        ("118315360", "9 digits, not 8 (1 too many); digit 1 from the right is 0, not 6"),
        ("211831536", "9 digits, not 8 (1 too many); digit 9 from the right is 2, and the sum has only 8 digits"),
        ("8302080 + 3529455 = 11831535", "the numbers added are 8302080 and 3529455, not 8302080 and 3529456"),
    ],
)
def test_wrong_sums_name_the_digit(total: str, reason: str) -> None:
    verdict = SOLVER.verify(INSTANCE, f"Answer: {total}")
    assert (verdict.correct, verdict.score, verdict.unparsed) == (False, 0.0, False)
    assert verdict.reason == reason


@pytest.mark.parametrize(
    "total",
    [
        "1183,1536",
        "11,8315",
        "11,83",
        "11,83,15,36",
        "11 831,536",
        "11831536.0",
        "about 11831536",
        "1 + 2 + 3 = 6",
        "-5",
        "",
        "11831536 11831536",
    ],
)
def test_unread_sums(total: str) -> None:
    assert SOLVER.verify(INSTANCE, f"Answer: {total}").unparsed


@given(ADDEND, ADDEND, st.integers(0, 2_000_000_000))
def test_a_pattern_is_found_exactly_for_wrong_sums(a: int, b: int, total: int) -> None:
    assert (error_pattern(a, b, str(total)) is None) == (a + b == total)
    assert error_pattern(a, b, str(a + b)) is None


@given(ADDEND, ADDEND)
def test_columns_add_up(a: int, b: int) -> None:
    instance = Sum(a=a, b=b)
    path = SOLVER.solve(instance)
    assert path is not None
    assert len(path) == max(len(str(a)), len(str(b)))
    assert SOLVER.answer(instance, path) == f"Answer: {path[-1].state.written}"
    assert int(path[-1].state.written) == a + b
    assert sum(len(SOLVER.moves(instance, move.state)) for move in path) == len(path) - 1  # one legal addition per column


@given(ADDEND, ADDEND, st.sampled_from([",", " ", ".", "'", "_"]))
def test_separators_from_the_right_change_nothing(a: int, b: int, separator: str) -> None:
    written = f"{a + b:,}".replace(",", separator)
    assert SOLVER.verify(Sum(a=a, b=b), f"Answer: {written}").correct


def test_levels_have_their_digits() -> None:
    import random

    for level in SOLVER.levels:
        lengths = {len(str(n)) for k in range(60) for n in SOLVER.generate(random.Random(k), level).numbers()}
        assert lengths == ({7, 8, 9} if level == MIXED else {level})


def test_a_carry_goes_along_to_the_left() -> None:
    path = SOLVER.solve(Sum(a=95, b=7))
    assert path is not None
    assert [move.operation for move in path] == ["5 + 7 = 12", "9 + 0 + 1 = 10"]
    assert [SOLVER.show(Sum(a=95, b=7), move.state) for move in path] == ["digits 2 carry 1", "sum 102"]
    assert SOLVER.canonical(Sum(a=1, b=2)) == SOLVER.canonical(Sum(a=2, b=1))


@pytest.mark.parametrize("line", ["12", "1 2 3", "-1 2", "1.5 2", "1,000 2", "1 1000000000"])
def test_bad_lines(line: str) -> None:
    with pytest.raises(BadInstance):
        SOLVER.parse(line)
