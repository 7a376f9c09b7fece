"""reasoning-gym as solvers: sound judging, no scorer of theirs ever called, and nothing evaluated."""

from __future__ import annotations

import builtins
import inspect
import json
import random
import sys
from pathlib import Path
from typing import Any

import pytest

from reasoner import registry
from reasoner.errors import BadConfig, BadInstance, MissingDependency
from solvers import _gym_sets as sets
from solvers.gym import GymSolver, GymTask

SOLVER = GymSolver()
PUZZLE = GymTask(dataset="puzzle24", question="Make 24 using 3, 3, 8, 8.", answer="8/(3-8/3)", numbers=(3, 3, 8, 8), target=24)
COUNT = GymTask(dataset="countdown", question="Make 263.", answer="54 + 56 + 99 - 33 + 87", numbers=(99, 56, 54, 87, 33), target=263)
GRID = GymTask(dataset="rotate_matrix", question="Rotate.", answer="3 1\n4 2")
WORD = GymTask(dataset="syllogism", question="Does it follow?", answer="Yes")
DECIMAL = GymTask(dataset="decimal_chain_sum", question="1.25 + 1.25", answer="2.50")


@pytest.mark.parametrize(
    ("task", "text"),
    [
        (PUZZLE, "Answer: 8 / (3 - 8 / 3)"),
        (PUZZLE, "Answer: 8 ÷ (3 − 8/3) = 24"),
        (COUNT, "Answer: 54 + 56 + 99 - 33 + 87"),
        (GRID, "Answer:\n3 1\n4 2"),
        (GRID, "It turns.\n**Answer:**\n```\n3  1\n4 2\n```"),
        (WORD, "Answer: yes."),
        (DECIMAL, "Answer: 2.5"),
        (DECIMAL, "Answer: 2.500"),
    ],
)
def test_right_answers(task: GymTask, text: str) -> None:
    assert SOLVER.verify(task, text).correct


@pytest.mark.parametrize(
    ("task", "text", "reason"),
    [
        (PUZZLE, "Answer: 6 * 4 * 1 * 1", "the expression uses 6 4 1 1, not 3 3 8 8"),  # their scorer gives this full marks
        (PUZZLE, "Answer: 8 * 3 * (8 - 3)", "is worth 120"),
        (PUZZLE, "Answer: 8 / (3 - 8 / 3) = 25", "'25' is not 24"),
        (COUNT, "Answer: 99 + 56", "uses 99 56"),
        (GRID, "Answer:\n3 1\n4 2\n5 5", "is not the answer"),
        (WORD, "Answer: Yes and no", "is not the answer"),  # theirs gives credit for parts
        (DECIMAL, "Answer: 2.51", "is not the answer"),
    ],
)
def test_wrong_answers(task: GymTask, text: str, reason: str) -> None:
    verdict = SOLVER.verify(task, text)
    assert (verdict.correct, verdict.score) == (False, 0.0)
    assert reason in verdict.reason


def test_a_hostile_answer_does_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    marker = tmp_path / "made-by-the-answer"
    real = builtins.__import__

    def watched(name: str, *args: Any, **kwargs: Any) -> Any:
        assert not name.startswith("reasoning_gym"), "the verifier has no business with the package"
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", watched)
    for text in (
        f"__import__('os').mkdir({str(marker)!r})",
        f"(__import__('os').mkdir({str(marker)!r}), 24)[1]",
        f"open({str(marker)!r}, 'w')",
    ):
        for task in (PUZZLE, COUNT, GRID, WORD, DECIMAL):
            assert not SOLVER.verify(task, f"Answer: {text}").correct
    assert not marker.exists()


def test_the_hostile_answer_would_run_in_their_scorer(tmp_path: Path) -> None:
    """What the routing protects from; should this ever fail, their scorer has changed and the list can be looked at again."""
    gym = pytest.importorskip("reasoning_gym")
    data = gym.create_dataset("puzzle24", size=1, seed=1)
    marker = tmp_path / "made-by-the-answer"
    data.score_answer(f"__import__('os').mkdir({str(marker)!r})", data[0])
    assert marker.exists()


QUICK = [
    "basic_arithmetic",
    "chain_sum",
    "leg_counting",
    "rotate_matrix",
    "syllogism",
    "mini_sudoku",
    "word_sorting",
    "number_sorting",
    "spell_backward",
]


@pytest.mark.parametrize("dataset", [*QUICK, "puzzle24"])
def test_drawn_tasks_verify_with_their_own_answer_and_without_their_scorer(dataset: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("reasoning_gym")
    from reasoning_gym.factory import DATASETS

    def refuse(*args: Any) -> float:
        raise AssertionError("their scorer was called")

    monkeypatch.setattr(DATASETS[dataset][0], "score_answer", refuse)
    solver = registry.solver(f"gym:{dataset}")
    assert solver.title == f"gym:{dataset}"
    tasks = [solver.generate(random.Random(seed), 1) for seed in range(3)]
    assert tasks == [solver.generate(random.Random(seed), 1) for seed in range(3)]
    assert len({task.question for task in tasks}) > 1
    for task in tasks:
        assert solver.verify(task, solver.right_answer(task)).correct
        assert not solver.verify(task, "Answer: 7 zebras").correct
        assert solver.parse(solver.format(task)) == task


def test_the_lists_are_true_of_the_installed_version() -> None:
    pytest.importorskip("reasoning_gym")
    from reasoning_gym.dataset import ProceduralDataset
    from reasoning_gym.factory import DATASETS

    assert set(sets.KNOWN) | sets.EVALUATING <= set(DATASETS)
    for name in sets.PLAIN:
        assert DATASETS[name][0].score_answer is ProceduralDataset.score_answer, name
    for name in sets.EVALUATING | sets.OURS:
        source = inspect.getsource(sys.modules[DATASETS[name][0].__module__])
        assert any(word in source for word in ("eval(", "exec(", "parse_expr(")), name
    assert not sets.PLAIN & sets.UNIQUE
    assert not set(sets.KNOWN) & sets.EVALUATING


@pytest.mark.parametrize(
    ("name", "why"), [("codeio", "evaluates the answer"), ("graph_color", "one right answer"), ("zebra", "one right answer")]
)
def test_what_cannot_be_judged_is_refused_with_the_reason(name: str, why: str) -> None:
    with pytest.raises(BadConfig, match=why) as caught:
        registry.solver(f"gym:{name}")
    assert "leg_counting" in caught.value.hint


def test_without_the_package_the_install_line_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "reasoning_gym", None)
    solver = GymSolver.open("chain_sum")  # opening needs nothing
    with pytest.raises(MissingDependency, match=r"reasoner-llm\[gym\]"):
        solver.generate(random.Random(0), 1)
    assert solver.verify(WORD, "Answer: yes").correct  # nor does judging


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"dataset": "codeio"}, "evaluates the answer"),
        ({"dataset": "puzzle24"}, "numbers and target belong to"),
        ({"numbers": [1], "target": 24}, "numbers and target belong to"),
        ({"answer": " "}, "the answer is empty"),
    ],
)
def test_bad_lines(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(BadInstance, match=why):
        SOLVER.parse(json.dumps({"dataset": "syllogism", "question": "?", "answer": "Yes"} | changes))
