"""review: a mended line counts when the tests pass with it, `none` only where nothing is wrong, and nothing else is accepted."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest
from hostile_texts import hostile_texts

import reasoner
from reasoner.drawing import Table
from reasoner.errors import BadInstance
from solvers.code import CodeSolver, CodeTask, functions, mutations
from solvers.review import ReviewSolver, ReviewTask, find_review

SOLVER = ReviewSolver()
FUNCTION = functions()["sum_of_even"]
FAULTY = ReviewTask(function="sum_of_even", made_from="3", source=FUNCTION.text.replace("== 0", "!= 0"))
SOUND = ReviewTask(function="sum_of_even", made_from="3", source=FUNCTION.text)


@pytest.mark.parametrize(
    "answer",
    [
        "line 4: if number % 2 == 0:",
        "Line 4:     if number % 2 == 0:",
        "line 4: `if number % 2 == 0:`",
        "line 4: if not number % 2:",
        "line 5: total += number if number % 2 == 0 else 0",
    ],
)
def test_a_line_that_mends_it_is_right(answer: str) -> None:
    verdict = SOLVER.verify(FAULTY, f"It adds up the odd ones.\nAnswer: {answer}")
    assert verdict.correct is not answer.startswith("line 5"), "line 4 still lets no even number through"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("none", "there is a fault on line 4"),
        ("line 4: if number % 2 != 0:", "does not pass"),
        ("line 3: if number % 2 == 0:", "does not pass"),
        ("line 9: return total", "there is no line 9"),
        ("line 4: while True: pass #", "does not pass"),
        ("line 0: x", "no line"),
        ("4", "no line"),
        ("line four: if number % 2 == 0:", "no line"),
        ("line 4:", "no line"),
    ],
)
def test_anything_else_is_wrong(answer: str, reason: str) -> None:
    verdict = SOLVER.verify(FAULTY, f"Answer: {answer}")
    assert not verdict.correct
    assert reason in verdict.reason


def test_where_nothing_is_wrong_only_none_is_right() -> None:
    assert SOUND.line_number == 0
    for text in ("Answer: none", "**Answer:** None.", "Answer: no fault"):
        assert SOLVER.verify(SOUND, text).correct
    for text in ("Answer: line 4: if number % 2 == 0:", "none of it\nis wrong", "Answer: nothing"):
        assert not SOLVER.verify(SOUND, text).correct


def test_a_third_is_sound_and_the_rest_have_one_faulty_line() -> None:
    drawn = [SOLVER.generate(random.Random(seed), 2) for seed in range(300)]
    n_sound = sum(made.line_number == 0 for made in drawn)
    assert 70 <= n_sound <= 140, "about a third: who always says none is right so often"
    for made in drawn:
        original = functions()[made.function].text.splitlines()
        assert sum(a != b for a, b in zip(made.source.splitlines(), original, strict=True)) == (made.line_number > 0)
        assert SOLVER.verify(made, SOLVER.right_answer(made)).correct
        assert re.fullmatch(SOLVER.answer_constraint(made).value, SOLVER.right_answer(made))


@pytest.mark.slow
def test_five_thousand_changed_answers_are_judged_by_the_function_they_make() -> None:
    _changed_answers(5000)


def test_changed_answers_are_judged_by_the_function_they_make() -> None:
    _changed_answers(500)


def _changed_answers(n: int) -> None:
    """A line changed in one place, or put in another place, is right exactly where the whole function passes the hidden tests of `code`."""
    rng, code = random.Random(4), CodeSolver()
    n_rejected = 0
    while n_rejected < n:
        made = SOLVER.generate(rng, 2)
        if not made.line_number:
            continue
        original = functions()[made.function].text.splitlines()
        for mutation in mutations(functions()[made.function].source):
            lines = mutation.splitlines()
            number = next(n for n, pair in enumerate(zip(lines, original, strict=True), start=1) if pair[0] != pair[1])
            place = rng.choice((number, made.line_number, rng.randint(1, len(lines))))
            whole = made.source.splitlines()
            indent = re.match(r" *", whole[place - 1])
            assert indent is not None
            whole[place - 1] = indent[0] + lines[number - 1].strip()
            right = code.verify(
                CodeTask(function=made.function, made_from=made.made_from), "```python\n" + "\n".join(whole) + "\n```"
            ).correct
            verdict = SOLVER.verify(made, f"Answer: line {place}: {lines[number - 1].strip()}")
            assert verdict.correct == right, (made, place, lines[number - 1])
            n_rejected += not verdict.correct


def test_ten_thousand_hostile_answers() -> None:
    rng = random.Random(10)
    made = [SOLVER.generate(rng, rng.randint(1, 3)) for _ in range(30)]
    for number, text in enumerate(hostile_texts(rng, [SOLVER.right_answer(each) for each in made], 10_000)):
        each = made[number % len(made)]
        verdict = SOLVER.verify(each, text)
        assert verdict.reason.isprintable()
        SOLVER.canonical_answer(each, text)
        if verdict.correct:
            assert find_review(text) is not None
            assert re.search(r"line|none|no fault", text, re.IGNORECASE)


def test_votes_count_lines_and_not_blanks() -> None:
    forms = ["Answer: line 4: if number%2==0:", "Answer: Line 4:  if number % 2 == 0:", "Answer: `line 4: if number % 2 == 0:`"]
    assert {SOLVER.canonical_answer(FAULTY, form) for form in forms} == {"4: ifnumber%2==0:"}
    assert SOLVER.canonical_answer(FAULTY, "Answer: none") == "none"


def test_a_source_that_is_no_mutation_is_refused() -> None:
    with pytest.raises(BadInstance, match="neither the function nor a mutation"):
        SOLVER.parse('{"function": "clamp", "made_from": "1", "source": "import os"}')


@pytest.mark.parametrize("strategy", ["cot", "draft", "program", "repair", "self_consistency:stop=certain"])
def test_it_is_solved_end_to_end(tmp_path: Path, strategy: str) -> None:
    assert reasoner.solve("review", SOLVER.format(FAULTY), strategy=strategy, model="teacher", db=tmp_path / "t.db").correct


def test_the_tests_are_drawn_as_they_go_once_the_answer_is_followed() -> None:
    made = next(task for seed in range(50) if (task := SOLVER.generate(random.Random(seed), 1)).line_number)
    right = SOLVER.drawing(made, SOLVER.right_answer(made))
    assert isinstance(right, Table)
    assert all(row[1].right for row in right.rows)
    missed = SOLVER.drawing(made, "Answer: none")
    assert isinstance(missed, Table)
    assert not missed.rows[0][1].right
    assert SOLVER.drawing(made, "Answer: line 99: x = 1") is None
