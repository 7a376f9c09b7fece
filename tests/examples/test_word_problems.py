"""The word problems are in the form of GSM8K, right by another computation than the one that wrote them, and can be asked."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from example_module import example_module

from reasoner import registry


@pytest.fixture(scope="module")
def example() -> Any:
    return example_module("word_problems")


def value(text: str) -> int:
    """Work out one step of two numbers."""
    found = re.fullmatch(r"(\d+)([-+*/])(\d+)", text)
    assert found is not None, text
    a, b = int(found[1]), int(found[3])
    if found[2] == "/":
        assert a % b == 0
        return a // b
    return {"+": a + b, "-": a - b, "*": a * b}[found[2]]


def test_every_step_is_right_and_the_last_one_is_the_answer(example: Any) -> None:
    rows = example.problems(300, seed=7)
    assert len({row["question"] for row in rows}) == 300
    assert {row["kind"] for row in rows} == set(example.KINDS)
    for row in rows:
        steps = re.findall(r"<<([^=]+)=(\d+)>>(\d+)", row["answer"])
        assert steps
        for left, right, shown in steps:
            assert value(left) == int(right) == int(shown)
        assert row["answer"].rpartition("#### ")[2].replace(",", "") == steps[-1][1]
        numbers = set(re.findall(r"\d+", row["question"]))
        assert set(re.findall(r"\d+", steps[0][0])) <= numbers | {"1"}


def test_the_files_are_asked_with_worked_examples(example: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    example.main(["--out", str(tmp_path), "-n", "12", "--ask"])
    said = capsys.readouterr().out
    assert "GSM8K, 12 problems, 40 worked examples" in said
    assert said.count("12 of 12") == 2
    train = {row.question.question for row in registry.solver(f"question:{tmp_path / 'train.jsonl'}").reading().rows}
    test = {row.question.question for row in registry.solver(f"question:{tmp_path / 'test.jsonl'}").reading().rows}
    assert not train & test
