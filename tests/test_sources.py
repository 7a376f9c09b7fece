"""Solvers with a source, with a fixed list, without a search space: opening, drawing, varying, and the teacher on them."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

import reasoner
from reasoner import registry
from reasoner.clients.teacher import WRITERS, Task
from reasoner.errors import BadConfig, UnknownName
from reasoner.runs.problems import draw, problem_from_line
from reasoner.types import About, Problem
from solvers.question import Question, QuestionSolver


def write(path: Path, n: int) -> str:
    rows = [{"question": f"Question {k}?", "answer": f"word{k}", "choices": [f"word{k}", "no", "never", "not so"]} for k in range(n)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return f"question:{path}"


def test_a_name_with_a_source_opens_its_own_solver(tmp_path: Path) -> None:
    one, two = write(tmp_path / "one.jsonl", 3), write(tmp_path / "two.jsonl", 4)
    assert registry.solver(one) is registry.solver(one)
    assert registry.solver(one) is not registry.solver(two)
    assert registry.solver(one).title == one
    assert registry.solver(one).source == one.partition(":")[2]
    assert registry.solver("question").title == "question"
    assert registry.solver("game24").title == "game24"
    assert (len(registry.solver(one).listed(1)), len(registry.solver(two).listed(1))) == (3, 4)


def test_a_source_where_none_is_taken_is_refused() -> None:
    with pytest.raises(BadConfig, match=r"game24 takes no source, and 'x\.jsonl' was given; write game24"):
        registry.solver("game24:x.jsonl")
    with pytest.raises(UnknownName, match="qestion"):
        registry.solver("qestion:x.jsonl")


def test_drawing_from_a_list_follows_the_seed(tmp_path: Path) -> None:
    name = write(tmp_path / "mine.jsonl", 40)
    one = draw(name, n=40, seed=7)
    assert one == draw(name, n=40, seed=7)
    assert one[:10] == draw(name, n=10, seed=7)  # a longer run begins as a shorter one, its choices in the same order
    assert {p.solver for p in one} == {name}
    assert {p.level for p in one} == {1}
    questions = [json.loads(p.instance)["question"] for p in one]
    assert sorted(questions) == sorted(f"Question {k}?" for k in range(40))
    other = [json.loads(p.instance) for p in draw(name, n=40, seed=8)]
    assert [row["question"] for row in other] != questions
    order = {json.loads(p.instance)["question"]: json.loads(p.instance)["order"] for p in one}
    assert sum(order[row["question"]] == row["order"] for row in other) < 10  # choices are shuffled anew for every seed


def test_a_list_too_short_is_said(tmp_path: Path) -> None:
    name = write(tmp_path / "mine.jsonl", 3)
    with pytest.raises(BadConfig, match="level 1 has 3 different problems, 4 were asked for; use -n 3"):
        draw(name, n=4, seed=0)
    with pytest.raises(BadConfig, match="no level 9"):
        draw(name, n=1, seed=0, level=9)


def test_a_question_that_stands_twice_is_drawn_once(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text('{"question": "How many?", "answer": 3}\n{"question": "How far?", "answer": 4}\n' * 2, encoding="utf-8")
    assert len({p.id for p in draw(f"question:{path}", n=2, seed=0)}) == 2
    with pytest.raises(BadConfig, match="has 2 different problems, 3 were asked for"):
        draw(f"question:{path}", n=3, seed=0)


def test_a_generated_solver_lists_nothing_and_varies_nothing() -> None:
    solver = registry.solver("game24")
    assert solver.listed(3) is None
    instance = solver.parse("4 9 10 13")
    assert solver.vary(instance, random.Random(0)) is instance


def test_a_line_of_a_sourced_solver_needs_no_file(tmp_path: Path) -> None:
    line = '{"question": "How many?", "answer": 3}'
    problem = problem_from_line(f"question:{tmp_path / 'none.jsonl'}", line)
    assert problem.id == problem_from_line("question", line).id  # the same problem wherever it stood


@pytest.mark.parametrize("template", ["direct/answer", "cot/answer"])
def test_the_teacher_answers_what_cannot_be_searched(template: str) -> None:
    instance = Question(question="How many?", answer="3")
    task = Task(QuestionSolver(), instance, None, About(Problem("question", "{}", ""), template), random.Random(0))
    assert task.search is None
    assert WRITERS[template](task) == "Answer: 3"
    with pytest.raises(BadConfig, match="no search space"):
        _ = task.searched


def test_a_bench_over_a_file_by_the_teacher(tmp_path: Path) -> None:
    name = write(tmp_path / "mine.jsonl", 6)
    bench = reasoner.bench([name, "sum"], strategy="direct,cot", model="teacher", n=5, db=tmp_path / "t.db")
    assert [(row.solver, row.strategy, row.correct, row.n) for row in bench.rows] == [
        (name, "direct", 5, 5),
        ("sum", "direct", 5, 5),
        (name, "cot", 5, 5),
        ("sum", "cot", 5, 5),
    ]


def test_a_search_without_a_search_space_is_a_plain_error(tmp_path: Path) -> None:
    line = '{"question": "How many?", "answer": 3}'
    with pytest.raises(BadConfig, match="no search space"):
        reasoner.solve("question", line, strategy="ats", model="teacher", db=tmp_path / "t.db")
