"""Thousands separators: exact both ways, on numbers and on everything that looks like one and is none."""

from __future__ import annotations

import pytest
from ends import ends
from hypothesis import given
from hypothesis import strategies as st

from reasoner.session.digit_grouping import group, ungroup

ANY = st.one_of(st.text(), st.text(alphabet="0123456789,./- a:x\n", max_size=60))


@given(st.integers(min_value=0, max_value=10**40))
def test_whole_numbers_are_grouped_as_python_groups_them(number: int) -> None:
    assert group(str(number)) == f"{number:,}"
    assert ungroup(f"{number:,}") == str(number)
    assert group(f"-{number} + ({number})") == f"-{number:,} + ({number:,})"


@given(st.integers(min_value=0, max_value=10**15), st.text(alphabet="0123456789", min_size=1, max_size=12))
def test_of_a_decimal_number_only_the_whole_part_is_grouped(whole: int, fraction: str) -> None:
    assert group(f"{whole}.{fraction}") == f"{whole:,}.{fraction}"
    assert ungroup(f"{whole:,}.{fraction}") == f"{whole}.{fraction}"


@given(ANY)
def test_grouping_is_undone_exactly_and_both_are_idempotent(text: str) -> None:
    assert ungroup(group(text)) == ungroup(text)
    assert group(group(text)) == group(text)
    assert ungroup(ungroup(text)) == ungroup(text)


@given(st.lists(st.integers(min_value=-(10**12), max_value=10**12), min_size=1), st.sampled_from([", ", " ", " -> ", " * ", "; ", "\n"]))
def test_lists_keep_their_numbers(numbers: list[int], separator: str) -> None:
    text = separator.join(map(str, numbers))
    assert ungroup(group(text)) == text


@given(ANY)
def test_nothing_but_commas_is_added_or_taken(text: str) -> None:
    assert group(text).replace(",", "") == text.replace(",", "") == ungroup(text).replace(",", "")


@pytest.mark.parametrize(
    "text",
    [
        "007000", "0", "999", "0.12345", "3.14159", "1.2.3456", "1234.5.6", "2026-11-24", "24/11/2026", "11-24-2026 at 12:30", "2026/1/5",
        "x1234", "1234km", "a_1234", "1234,567", "5,1234", "1, 234", "1, 2, 3", "1234,5", "٣٤٥٦٧", "1٣٤٥٦",
    ],
)  # fmt: skip
def test_what_is_no_lone_whole_number_stays(text: str) -> None:
    assert group(text) == text
    assert ungroup(text) == text


@pytest.mark.parametrize(
    ("plain", "grouped"),
    [
        ("12345 + 6789", "12,345 + 6,789"),
        ("$1234.50", "$1,234.50"),
        ("(1000000)", "(1,000,000)"),
        ("1234/5678", "1,234/5,678"),
        ("in 1999.", "in 1,999."),
        ("1234, 5678", "1,234, 5,678"),
        ("-1234-5678", "-1,234-5,678"),
    ],
)
def test_examples(plain: str, grouped: str) -> None:
    assert group(plain) == grouped
    assert ungroup(grouped) == plain


def test_a_grouped_number_beside_another_comma_is_left_alone() -> None:
    assert ungroup("1,234,56") == "1,234,56"
    assert ungroup("1,2345") == "1,2345"
    assert ungroup("1234,567") == "1234,567"


def test_hostile_texts_take_linear_time() -> None:
    for text in ("9" * 500_000, "1," * 250_000, "1,234," * 80_000, "1234.5." * 70_000, "." * 500_000, "1-1-" * 120_000, "1,234" * 100_000):
        with ends(text[:20]):
            assert ungroup(group(text)) == ungroup(text)
