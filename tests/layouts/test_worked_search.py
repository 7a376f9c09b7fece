"""Worked searches of families without moves: read back by the outline's own reader, checked by exact arithmetic, shown as worked examples."""

from __future__ import annotations

import random
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import reasoner
from reasoner import registry
from reasoner.clients.scripted import ScriptedClient
from reasoner.layouts.outline import format_label, parse
from reasoner.layouts.worked_search import another, write_search

STEPS = ["4 * 10 = 40", "45.5 - 40 = 5.5"]
BFS = """\
Step 1
1: start -> 14 (4 + 10 = 14) x
2: start -> 40 (4 * 10 = 40)
Step 2
2.1: start -> 40 -> 5.5 (45.5 - 40 = 5.5)
2.2: start -> 40 -> 85.5 (45.5 + 40 = 85.5) x
Goal: 2.1
Answer: 5.50"""
DFS = """\
1: start -> 14 (4 + 10 = 14) x
Back to the start
2: start -> 40 (4 * 10 = 40)
2.1: start -> 40 -> 5.5 (45.5 - 40 = 5.5)
Goal: 2.1
Answer: 5.50"""


def test_both_orders() -> None:
    assert write_search(STEPS, "Answer: 5.50", "bfs") == BFS
    assert write_search(STEPS, "Answer: 5.50", "dfs") == DFS
    assert write_search([], "Answer: 1", "bfs") == "Answer: 1"
    assert write_search(["It is a noun.", "a -> b = c"], "Answer: x", "dfs").splitlines()[:2] == [
        "1: start -> It is a noun.", "1.1: start -> It is a noun. -> a to b = c"
    ]  # fmt: skip


@pytest.mark.parametrize("order", ["bfs", "dfs"])
@pytest.mark.parametrize("level", range(1, 9))
def test_what_is_written_is_read_back(order: str, level: int) -> None:
    solver = registry.solver("words")
    for seed in range(20):
        instance = solver.generate(random.Random(seed), level)
        text = write_search(instance.steps, solver.right_answer(instance), "bfs" if order == "bfs" else "dfs")
        found = parse(text)
        assert found.goal_index is not None
        path = found.path(found.goal_index)
        assert [found.entries[place].operation for place in path] == list(instance.steps)
        assert not [place for place in path if found.entries[place].dead]
        assert all(entry.dead for place, entry in enumerate(found.entries) if place not in path)
        assert len({format_label(entry.label) for entry in found.entries}) == len(found.entries)
        assert solver.verify(instance, text).correct


@given(st.integers(0, 999), st.sampled_from("+-*/"), st.integers(0, 999))
def test_the_step_beside_is_true_and_another(one: int, sign: str, two: int) -> None:
    value = {"+": one + two, "-": one - two, "*": one * two, "/": Fraction(one, two or 1)}[sign]
    found = another(f"{one} {sign} {two} = {value}")
    if found is None:
        return
    left, other, right, _, result = found.split()
    assert (left, right) == (str(one), str(two))
    assert other != sign
    a, b = Fraction(one), Fraction(two)
    assert Fraction(result) == (a + b if other == "+" else a - b if other == "-" else a * b if other == "*" else a / b) > 0
    assert Fraction(result) != value


@pytest.mark.parametrize("strategy", ["ats:shots=2", "ats:order=dfs,shots=2"])
def test_ats_is_shown_searches_of_words_and_the_teacher_writes_them(tmp_path: Path, strategy: str) -> None:
    made = reasoner.bench("words", n=2, strategy=strategy, model="teacher", level=3, db=tmp_path / "t.db")
    assert made.rows[0].correct == 2
    assert made.report.results[0].trajectory is not None
    steps = [thought for thought in made.report.results[0].trajectory.thoughts() if thought.role == "ats/step"]
    assert len(steps) > 3
    client = ScriptedClient(lambda _: "Answer: 1")
    reasoner.bench("words", n=2, strategy=strategy, model=client, level=3, db=tmp_path / "s.db")
    for request in client.requests:
        assert [message.role for message in request.messages] == ["system", "user", "assistant", "user", "assistant", "user"]
        shown = request.messages[2].content
        assert shown.splitlines()[-2].startswith("Goal: ")
        assert any(line.endswith(" x") for message in request.messages for line in message.content.splitlines())
