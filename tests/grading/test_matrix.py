"""docs/reference/grading.md is true, cell by cell: what each grader accepts of how people write an answer."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest
from spellings import CHOICE_SPELLINGS, SPELLINGS, TEXT_GRADERS, cells, choice_cell, shown

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "grading.md"


def expected() -> dict[tuple[str, str], list[str]]:
    """Read the tables of the page: (gold, answer) -> cells, gold and answer as the page writes them."""
    found: dict[tuple[str, str], list[str]] = {}
    gold = ""
    for line in PAGE.read_text(encoding="utf-8").partition("## What each grader accepts")[2].splitlines():
        if head := re.fullmatch(r"\| gold (`` .+ ``) \| exact \|.*", line):
            gold = head[1]
        elif line.startswith("| choices"):
            gold = "choices"
        elif row := re.fullmatch(r"\| (`` .+ ``) \| ([yes?| -]+) \|", line):
            found[gold, row[1]] = [cell.strip() for cell in row[2].split("|")]
    return found


TABLE = expected()
ROWS = [(gold, answer) for gold, answers in SPELLINGS.items() for answer in answers]


def test_the_page_holds_three_hundred_spellings() -> None:
    assert len(ROWS) + len(CHOICE_SPELLINGS) >= 300
    assert len(TABLE) == len(ROWS) + len(CHOICE_SPELLINGS)


@pytest.mark.parametrize(("gold", "answer"), ROWS)
def test_a_line_of_the_table(gold: str, answer: str) -> None:
    pytest.importorskip("math_verify", reason="the extra tasks is not installed")
    assert dict(zip(TEXT_GRADERS, cells(gold, answer), strict=True)) == dict(
        zip(TEXT_GRADERS, TABLE[shown(gold), shown(answer)], strict=True)
    )


@pytest.mark.parametrize("answer", CHOICE_SPELLINGS)
def test_a_line_of_the_choices(answer: str) -> None:
    assert [choice_cell(answer)] == TABLE["choices", shown(answer)]


def test_the_examples_of_the_page_are_true() -> None:
    made = doctest.testfile(str(PAGE), module_relative=False, encoding="utf-8")
    assert made.attempted >= 3
    assert made.failed == 0
