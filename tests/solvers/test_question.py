"""Question: shuffled choices, numbers, exact match and F1, and what is said of a bad file."""

from __future__ import annotations

import hashlib
import json
import random
import re
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

import reasoner
from reasoner import registry
from reasoner.errors import BadConfig, CorruptRecord, MissingAsset
from reasoner.files import spool
from reasoner.grading.graders.squad import f1
from reasoner.runs.problems import draw
from reasoner.types import Completion, Request
from solvers.question import Question, QuestionSolver, read_rows

ROOT = Path(__file__).parents[2]
SOLVER = QuestionSolver()
FRUIT = Question(question="Which is a fruit?", answer="fig", choices=("fig", "fog", "a fad"), order=(1, 0, 2))
ABACUS = Question(question="Who built the abacus house?", answer="The Ames brothers")
NUMBER = Question(question="How many?", answer="1,234.5")
ROWS_DRAWN: tuple[dict[str, Any], ...] = (
    {"question": "Which?", "answer": "b", "choices": ["a", "b", "c"]},
    {"question": "Which?", "answer": "b", "choices": ["c", "b", "a"]},
    {"question": "How many?", "answer": "5", "aliases": ["five"], "subject": "sums"},
    {"question": "Who?", "answer": "Ann \ud83d\ude42", "context": "Ann and Bo."},
    {"question": "Who else?", "answer": "Bo"},
)


def write(path: Path, rows: list[Any]) -> Path:
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows), encoding="utf-8")
    return path


def test_the_sample_is_whole_and_has_its_checksum() -> None:
    file = ROOT / "corpora" / "questions" / "sample.jsonl"
    rows = read_rows(file)
    named = re.search(
        r"^\| `questions/sample\.jsonl` \| (\d+) \| ([0-9a-f]{64}) \|$",
        (ROOT / "corpora" / "README.md").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    assert named is not None
    assert int(named[1]) == len(rows) >= 30
    assert named[2] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert min(Counter(row.kind for row in rows).values()) >= 8
    pairs = Counter((row.pair, row.direction) for row in rows if row.pair)
    assert set(pairs.values()) == {1}
    assert all((pair, "backward") in pairs for pair, _ in pairs)
    assert any(row.context for row in rows)


def gpqa(path: Path) -> Path:
    """A file as GPQA was asked: the right choice always comes first."""
    return write(
        path, [{"question": f"Question {n}?", "answer": "right", "choices": ["right", "wrong", "false", "bad"]} for n in range(200)]
    )


def test_the_key_is_not_always_a(tmp_path: Path) -> None:
    """In the published runs the right choice was always A; a model that says A would have been right every time."""
    name = f"question:{gpqa(tmp_path / 'gpqa.jsonl')}"
    solver = registry.solver(name)
    letters: dict[int, list[str]] = {}
    for seed in (0, 1):
        instances = [solver.Instance.model_validate_json(problem.instance) for problem in draw(name, n=200, seed=seed)]
        letters[seed] = [each.letter for each in sorted(instances, key=lambda each: each.question)]
        assert all(30 <= n <= 70 for n in Counter(letters[seed]).values()), Counter(letters[seed])
        for each in instances:
            assert each.shown == [each.choices[place] for place in each.order]  # the permutation is kept
            assert solver.verify(each, f"Answer: {each.letter}").correct
            assert sum(solver.verify(each, f"Answer: {letter}").correct for letter in "ABCD") == 1
    assert letters[0] != letters[1]
    listed = Counter(row.letter for row in solver.listed(1))
    assert all(30 <= n <= 70 for n in listed.values())  # a row given by hand is shuffled too
    assert (
        Counter(solver.parse(json.dumps({"question": f"{n}?", "answer": "x1", "choices": ["x1", "x2"]})).letter for n in range(99))["A"]
        < 70
    )


class SaysA:
    """A model that answers A, whatever is asked."""

    name = fingerprint = "says-a"
    paid = False
    concurrency = 1

    async def complete(self, request: Request) -> Completion:
        return Completion("Answer: A")

    async def aclose(self) -> None:
        pass


def test_a_model_that_says_a_is_at_chance(tmp_path: Path) -> None:
    name = f"question:{gpqa(tmp_path / 'gpqa.jsonl')}"
    (row,) = reasoner.bench(name, strategy="direct", model=SaysA(), n=200, db=tmp_path / "t.db").rows
    assert row.n == 200
    assert 0.15 < row.accuracy < 0.35


def test_the_statement_shows_the_choices_as_they_are_ordered() -> None:
    from reasoner.prompts import Prompts

    text = Prompts().get("solvers/question").render_text(SOLVER.statement_variables(FRUIT))
    assert "A. fog\nB. fig\nC. a fad" in text
    text = (
        Prompts()
        .get("solvers/question")
        .render_text(SOLVER.statement_variables(Question(question="{{ 7 * 7 }}", answer="x", context="C {% if %}")))
    )
    assert "{{ 7 * 7 }}" in text  # data is never a template
    assert "C {% if %}" in text


@pytest.mark.parametrize("said", ["B", "b", "(B)", "B.", "B)", "B. fig", "(b) Fig", "option B", "fig", "the fig", "**B**", "B: fig", "[B]"])
def test_right_choices(said: str) -> None:
    verdict = SOLVER.verify(FRUIT, f"Answer: {said}")
    assert (verdict.correct, verdict.score) == (True, 1.0), verdict


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("A", "A is not right"),
        ("D", "there is no choice D"),
        ("B. fog", "name two choices"),
        ("fog", "A is not right"),
        ("C) a fad", "C is not right"),
    ],
)
def test_wrong_choices(said: str, reason: str) -> None:
    verdict = SOLVER.verify(FRUIT, f"Answer: {said}")
    assert (verdict.correct, verdict.score, verdict.unparsed) == (False, 0.0, False)
    assert reason in verdict.reason


@pytest.mark.parametrize("said", ["", "A or B", "fig or fog", "B -> 7 zebras", "AB", "a fig tree", "none"])
def test_unread_choices(said: str) -> None:
    assert SOLVER.verify(FRUIT, f"Answer: {said}").unparsed


@pytest.mark.parametrize(
    ("said", "right"),
    [
        ("1234.5", True),
        ("$1,234.50", True),
        ("2469/2", True),
        ("1234.5 %", True),
        ("1234.5 apples", True),
        ("1.2345e3", True),
        ("١٢٣٤.٥", True),
        ("1234", False),
        ("-1234.5", False),
        ("1.5/2", False),
    ],
)
def test_numbers_are_compared_by_value(said: str, right: bool) -> None:
    verdict = SOLVER.verify(NUMBER, f"Answer: {said}")
    assert (verdict.correct, verdict.unparsed) == (right, False)


@pytest.mark.parametrize("said", ["about 1234.5", "1234.5 and a half", "1234.5 or 7", "1/0", "12,34.5", "1e999", "nan", "inf", "9" * 1000])
def test_unread_numbers(said: str) -> None:
    assert SOLVER.verify(NUMBER, f"Answer: {said}").unparsed


@pytest.mark.parametrize("said", ["The Ames brothers", "ames brothers", "the  AMES brothers!", "Ames Brothers."])
def test_exact_match_is_after_normalising(said: str) -> None:
    assert SOLVER.verify(ABACUS, f"Answer: {said}").correct


def test_an_article_can_be_an_answer() -> None:
    vitamin = Question(question="Which vitamin is it?", answer="A")
    assert SOLVER.verify(vitamin, "Answer: a").correct
    assert not SOLVER.verify(vitamin, "Answer: the").correct


def test_f1_is_told_and_earns_nothing() -> None:
    verdict = SOLVER.verify(ABACUS, "Answer: two Ames brothers from Bath")
    assert (verdict.correct, verdict.score) == (False, 0.0)
    assert "F1 0.57" in verdict.reason
    assert not SOLVER.verify(ABACUS, "Answer: brothers Ames").correct  # F1 is 1 for the same words in another order; that is no exact match


@pytest.mark.parametrize(
    ("given", "right", "expected"),
    [
        ("a b c", "b c d", 2 * (2 / 2) * (2 / 3) / (2 / 2 + 2 / 3)),  # `a` is an article
        ("x x y", "x y y", 2 / 3),
        ("yes it is", "yes", 0.0),
        ("yes", "yes", 1.0),
        ("no", "the no", 1.0),
        ("", "x", 0.0),
    ],
)
def test_f1_as_hotpotqa_has_it(given: str, right: str, expected: float) -> None:
    assert f1(given, right) == pytest.approx(expected)


def test_levels_are_kinds_of_rows() -> None:
    assert {row.kind for row in SOLVER.listed(2)} == {"choices"}
    assert {row.kind for row in SOLVER.listed(3)} == {"number"}
    assert {row.kind for row in SOLVER.listed(4)} == {"text"}
    assert len(SOLVER.listed(1)) == sum(len(SOLVER.listed(level)) for level in (2, 3, 4))


BAD_ROWS: list[tuple[Any, str]] = [
    ("not json", "Expecting value"),
    ("[1]", "no JSON object"),
    ({"question": "?"}, "it has no answer"),
    ({"question": "?", "answer": "fig", "choices": ["fig"]}, "at least two choices"),
    ({"question": "?", "answer": "pear", "choices": ["fig", "fog"]}, "none of the 2 choices"),
    ({"question": "?", "answer": "fig", "choices": ["fig", "Fig."]}, "all choices are the same"),
    ({"question": "?", "answer": "fig", "choices": ["fig", ""]}, "none of them empty"),
    ({"question": "?", "answer": "fig", "choices": ["fig", "fog"], "order": [0, 0]}, "no permutation"),
    ({"question": "?", "answer": "a\x07b"}, "control characters"),
    ({"question": "?", "answer": "fig", "pair": "p1"}, "go together"),
    ({"question": "?", "answer": "fig", "grader": "exakt"}, "unknown grader 'exakt'"),
    ({"question": "?", "answer": "fig", "grader": "number"}, "the gold 'fig' is no number"),
    ({"question": "?", "answer": "fig", "grader": "python:evil.py:f"}, "which runs code"),
    ({"question": "?", "answer": "fig", "reader": "regex:("}, "cannot be used"),
    ({"answer": "fig"}, "question is missing"),
]


@pytest.mark.parametrize(("row", "why"), BAD_ROWS)
def test_a_bad_row_is_told_and_left_out(tmp_path: Path, row: Any, why: str) -> None:
    good = {"question": "How many?", "answer": 3}
    other = {"question": "How much?", "answer": 4}
    path = write(tmp_path / "mine.jsonl", [good, "", row, other, "{}"])
    solver = registry.solver(f"question:{path}")
    assert [each.answer for each in solver.listed(1)] == ["3", "4"]
    (remark,) = solver.remarks()
    assert remark.startswith(f"{path}: 2 of 4 rows cannot be used and are left out; line 3")
    assert why in remark
    with pytest.raises(CorruptRecord) as caught:
        registry.solver(f"question:{path}?strict=1").listed(1)
    assert (caught.value.line, caught.value.path) == (3, str(path))
    assert why in caught.value.message
    assert "2 of 4 rows cannot be used" in caught.value.message


def test_a_file_without_a_usable_row_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "mine.jsonl", ['{"question": "?", "answer": ""}', "x"])
    with pytest.raises(CorruptRecord, match="2 of 2 rows cannot be used"):
        registry.solver(f"question:{path}").listed(1)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    solver = registry.solver(f"question:{tmp_path / 'none.jsonl'}")  # opening reads nothing
    with pytest.raises(MissingAsset, match=r"none\.jsonl"):
        solver.listed(1)
    (tmp_path / "bytes.jsonl").write_bytes(b"\xff\xfe")
    with pytest.raises(CorruptRecord, match="the file has no row"):
        registry.solver(f"question:{tmp_path / 'bytes.jsonl'}").listed(1)
    with pytest.raises(BadConfig, match="names no file"):
        registry.solver("question:")
    empty = registry.solver(f"question:{write(tmp_path / 'numbers.jsonl', [{'question': '?', 'answer': 1}])}")
    with pytest.raises(BadConfig, match="rows with choices"):
        empty.generate(random.Random(0), 2)


def test_a_text_of_numbers_is_kept_as_it_is_written() -> None:
    assert Question(question="?", answer=7).answer == "7"  # type: ignore[arg-type]
    assert SOLVER.parse('{"question": "?", "answer": 2.50}').answer == "2.5"
    assert SOLVER.right_answer(FRUIT) == "Answer: B"
    assert SOLVER.right_answer(ABACUS) == "Answer: The Ames brothers"


def test_a_stored_problem_does_not_choose_code_that_judges_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "evil.py"
    file.write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\ndef f(given, golds):\n    return True\n")
    stored = Question(question="?", answer="x", grader=f"python:{file}:f")
    verdict = SOLVER.verify(stored, "Answer: x")
    assert verdict.correct is None
    assert "was not named by you" in verdict.reason
    assert not (tmp_path / "ran").exists()
    assert SOLVER.canonical_answer(stored, "Answer: X.") == "x"
    monkeypatch.setenv("REASONER_TRUST_GRADERS", f"python:{file}:f")
    assert SOLVER.verify(stored, "Answer: y").correct is True


@given(data=st.data())
def test_all_rows_and_a_few_are_drawn_alike_and_a_large_file_as_a_small_one(data: st.DataObject) -> None:
    rows = data.draw(st.lists(st.sampled_from(ROWS_DRAWN), min_size=1, max_size=12))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "q.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        seed = data.draw(st.integers(0, 3))
        small = list(draw(f"question:{path}", n=None, seed=seed))
        assert small
        assert len({p.id for p in small}) == len(small)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(spool, "IN_MEMORY", 1)
            registry.solver.cache_clear()  # the file is read anew
            large = list(draw(f"question:{path}", n=None, seed=seed))
            fewer = [list(draw(f"question:{path}", n=n, seed=seed)) for n in range(1, len(small) + 1)]
        assert large == small
        assert all(each == large[: len(each)] for each in fewer)


RICH: tuple[dict[str, Any], ...] = (
    *ROWS_DRAWN[:2],
    {"question": "How many?", "answer": "5", "aliases": ["five"], "meta": {"subject": "sums"}, "reader": "boxed", "grader": "exact"},
    {"question": "Is it?", "answer": "1", "pair": "p", "direction": "forward", "may_be_unanswerable": True},
    {"question": "Say.", "answer": "-", "grader": "judge:", "turns": ["And?"], "references": ["x"], "said": [["a", "b"]], "rubric": "r"},
)


@pytest.mark.parametrize("row", RICH)
@pytest.mark.parametrize("options", [{"mode": "json"}, {"mode": "json", "exclude_defaults": True}])
def test_the_quick_way_of_writing_a_question_is_that_of_pydantic(row: dict[str, Any], options: dict[str, Any]) -> None:
    question = Question.model_validate(row)
    assert json.dumps(question.model_dump(**options)) == json.dumps(BaseModel.model_dump(question, **options))
