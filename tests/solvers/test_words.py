"""words: templates hold together, equations lead to the answer, near misses are rejected, and no text is accepted that does not say the answer."""

from __future__ import annotations

import ast
import operator
import random
import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest
from hostile_texts import hostile_texts

import reasoner
from reasoner import registry
from reasoner.errors import BadConfig, BadInstance, MissingAsset
from reasoner.prompts import Prompts
from solvers._word_templates import Template, read_templates
from solvers.words import WordProblem, WordsSolver

SOLVER = WordsSolver()
TEMPLATES = [template for level in SOLVER.levels for template in SOLVER.templates(level)]
CONSTANTS = {"2", "3", "5", "7", "10", "12", "20", "50", "100", "200", "250", "500", "1000", "1"}
"""Numbers of the steps that the text says in words, or that are in a template's text itself."""
SIGNS: dict[type[ast.operator], Callable[[Fraction, Fraction], Fraction]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
}  # fmt: skip


def worked_out(node: ast.expr) -> Fraction:
    """Work an expression out another way than the family does."""
    if isinstance(node, ast.BinOp):
        return SIGNS[type(node.op)](worked_out(node.left), worked_out(node.right))
    assert isinstance(node, ast.Constant)
    return Fraction(str(node.value))


def drawn(level: int, n: int, seed: int = 0) -> list[WordProblem]:
    return [SOLVER.generate(random.Random(f"{seed}/{level}/{k}"), level) for k in range(n)]


def test_there_are_many_templates_and_no_two_are_alike() -> None:
    assert len(TEMPLATES) >= 60
    assert len({template.name for template in TEMPLATES}) == len(TEMPLATES)
    assert len({(template.text, template.ask) for template in TEMPLATES}) == len(TEMPLATES)
    bare = {re.sub(r"\{[A-Za-z]\w*(:clock)?\}", "#", " ".join([*template.text, template.ask])) for template in TEMPLATES}
    assert len(bare) == len(TEMPLATES)
    assert all(len(SOLVER.templates(level)) >= 7 for level in SOLVER.levels)
    assert {template.unit for template in TEMPLATES} >= {"$", "clock", "km", "litres", "g", "years"}


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda t: t.name)
def test_a_template_draws_problems_whose_equations_lead_to_the_answer(template: Template) -> None:
    questions = set()
    for seed in range(30):
        made = WordProblem.model_validate(template.problem(random.Random(seed), 0))
        questions.add(made.question)
        told = set(re.findall(r"\d+(?:\.\d+)?", made.question))
        results: list[str] = []
        assert len(made.steps) == len(template.steps)
        for step in made.steps:
            left, _, right = step.partition(",")[0].partition(" = ")
            assert worked_out(ast.parse(left, mode="eval").body) == Fraction(right) > 0
            for number in re.findall(r"\d+(?:\.\d+)?", left):
                known = {*told, *results, *CONSTANTS, *(f"{float(value):g}" for value in told)}
                minutes = {str(60 * int(h) + int(m)) for h, m in re.findall(r"(\d\d):(\d\d)", made.question)}
                assert number in known | minutes, (number, made)
            results.append(right)
        if template.unit == "clock":
            assert made.answer == f"{int(results[-1]) // 60:02}:{int(results[-1]) % 60:02}"
        else:
            assert Fraction(made.answer) == Fraction(results[-1])
        assert "{" not in made.question
        assert SOLVER.verify(made, SOLVER.right_answer(made)).correct
    assert len(questions) > 15


def test_levels_are_steps_and_numbers_that_do_not_matter_come_in() -> None:
    for level in SOLVER.levels:
        for problem in drawn(level, 20):
            assert len(problem.steps) == level
    plain = {template.name: template for template in TEMPLATES}
    for level, n_asides in ((2, 0), (3, 1), (5, 1), (6, 2), (8, 2)):
        for problem in drawn(level, 20):
            n_sentences = len(re.findall(r"[.?](?= |$)", problem.question))
            own = " ".join([*plain[problem.template].text, plain[problem.template].ask])
            assert n_sentences == len(re.findall(r"[.?](?= |$)", own)) + n_asides, problem


def test_what_is_drawn_is_pinned() -> None:
    """A change of the templates changes problems that are stored by their text; this one says that it happened."""
    problem = SOLVER.generate(random.Random("pinned"), 2)
    assert SOLVER.parse(SOLVER.format(problem)) == problem
    assert set(problem.model_dump()) == {"question", "answer", "unit", "steps", "template"}


def problem(answer: str, unit: str = "") -> WordProblem:
    return WordProblem(question="How much is it?", answer=answer, unit=unit)


@pytest.mark.parametrize(
    ("gold", "unit", "given"),
    [
        ("4.50", "$", "$4.50"), ("4.50", "$", "4.5 dollars"), ("4.50", "$", "4.5"), ("1200", "km", "1,200 km"), ("36", "eggs", "36 eggs"),
        ("36", "eggs", "3 * 12 = 36"), ("12", "years", "12 years old"), ("07:30", "clock", "7:30"), ("07:30", "clock", "7:30 am"), ("19:05", "clock", "7:05 p.m."),
        ("00:10", "clock", "12:10 am"), ("12.32", "kg", "12.32"),
    ],
)  # fmt: skip
def test_right_answers(gold: str, unit: str, given: str) -> None:
    assert SOLVER.verify(problem(gold, unit), f"Answer: {given}").correct


@pytest.mark.parametrize(
    ("gold", "unit", "given"),
    [
        ("4.50", "$", "4.05"), ("4.50", "$", "45"), ("4.50", "$", "4.50 euros"), ("1200", "km", "1200 m"), ("36", "eggs", "36 boxes"), ("36", "eggs", "-36"),
        ("36", "eggs", "about 36 or 37"), ("36", "eggs", "36 36"), ("07:30", "clock", "7:30 pm"), ("07:30", "clock", "07:03"), ("07:30", "clock", "450"),
        ("07:30", "clock", "13:30 am"), ("07:30", "clock", "31:30"), ("07:30", "clock", "7:30 or 7:31"), ("3", "pieces", "3 percent"),
    ],
)  # fmt: skip
def test_wrong_answers(gold: str, unit: str, given: str) -> None:
    assert not SOLVER.verify(problem(gold, unit), f"Answer: {given}").correct


def changed(answer: str, rng: random.Random) -> str:
    """Change one meaningful place of an answer: a digit, the point, the sign, or one digit more or less."""
    digits = [n for n, char in enumerate(answer) if char.isdigit()]
    at = rng.choice(digits)
    kind = rng.randrange(4)
    if kind == 0:
        return answer[:at] + rng.choice([d for d in "0123456789" if d != answer[at]]) + answer[at + 1 :]
    if kind == 1:
        return answer[:at] + rng.choice("123456789") + answer[at:]
    if kind == 2:
        return f"-{answer}"
    return answer[:at] + answer[at + 1 :]


def test_five_thousand_answers_changed_in_one_place_are_rejected() -> None:
    rng = random.Random(5)
    n = 0
    while n < 5000:
        made = SOLVER.generate(rng, rng.randint(1, 8))
        for _ in range(10):
            given = changed(made.answer, rng)
            if made.unit != "clock" and given not in {"", "."} and not given.endswith(".") and Fraction(given) == Fraction(made.answer):
                continue  # a zero more or less behind the point is the same number
            if made.unit == "clock" and given.lstrip("0") == made.answer.lstrip("0"):
                continue  # 7:30 is 07:30
            n += 1
            verdict = SOLVER.verify(made, f"Answer: {given}")
            assert not verdict.correct, (made.answer, given)
    assert n >= 5000


def test_ten_thousand_hostile_answers_are_never_accepted_without_the_answer_in_them() -> None:
    rng = random.Random(6)
    problems = [SOLVER.generate(rng, rng.randint(1, 8)) for _ in range(50)]
    for number, text in enumerate(hostile_texts(rng, [each.answer for each in problems], 10_000)):
        made = problems[number % len(problems)]
        verdict = SOLVER.verify(made, text)
        assert verdict.reason.isprintable()
        assert SOLVER.canonical_answer(made, text) != ""
        if verdict.correct:
            assert made.answer.lstrip("0:") in text or made.answer.removesuffix("0").removesuffix(".") in text, (made, text)


def test_templates_of_a_user_are_drawn_from(tmp_path: Path) -> None:
    own = tmp_path / "mine.toml"
    own.write_text(
        '[[template]]\nname = "cats"\ntext = ["{A} has {a} cats."]\nask = "How many legs have they?"\nunit = "legs"\n'
        "draw = { a = [2, 9] }\nsteps = ['a * 4']\n",
        encoding="utf-8",
    )
    solver = registry.solver(f"words:{own}")
    made = solver.generate(random.Random(1), 1)
    assert made.template == "cats"
    assert solver.files()
    assert not SOLVER.files()
    with pytest.raises(BadConfig, match="no template of 2 steps"):
        solver.generate(random.Random(1), 2)
    with pytest.raises(MissingAsset, match=r"mine2\.toml cannot be read"):
        registry.solver(f"words:{tmp_path / 'mine2.toml'}").generate(random.Random(1), 1)


BASE = '[[template]]\nname = "x"\ntext = ["{A} has {a}."]\nask = "?"\ndraw = { a = [1, 9] }\nsteps = ["a * 2"]\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no"),
        ("a = ", "is no TOML"),
        (BASE.replace("[1, 9]", "[9, 1]"), "draw.a is not"),
        (BASE.replace("[1, 9]", "[1, 9, 0]"), "above zero"),
        (BASE.replace("a * 2", "b * 2"), "names 'b'"),
        (BASE.replace("a * 2", "s1 * 2"), "names 's1'"),
        (BASE.replace("{a}", "{b}"), "shows 'b'"),
        (BASE.replace('name = "x"', 'name = "X!"'), "name"),
        (BASE + BASE, "two templates are called x"),
        (BASE + "extra = 1\n", "extra"),
    ],
)  # fmt: skip
def test_a_bad_template_is_told(tmp_path: Path, text: str, message: str) -> None:
    own = tmp_path / "mine.toml"
    own.write_text(text, encoding="utf-8")
    with pytest.raises(BadConfig, match=message):
        read_templates(own)


def test_draws_that_never_fit_are_told(tmp_path: Path) -> None:
    own = tmp_path / "mine.toml"
    own.write_text(BASE.replace("a * 2", "a - 9"), encoding="utf-8")
    with pytest.raises(BadConfig, match="no values that fit"):
        WordsSolver(str(own)).generate(random.Random(0), 1)
    own = tmp_path / "other.toml"
    own.write_text(BASE.replace("a * 2", "__import__"), encoding="utf-8")
    with pytest.raises(BadConfig, match="names 'import'"):
        WordsSolver(str(own)).generate(random.Random(0), 1)


def test_worked_examples_and_the_teacher_show_the_steps(tmp_path: Path) -> None:
    for kind, n_lines in (("direct", 1), ("cot", 2)):
        worked = SOLVER.worked(kind)
        assert len(worked) == 8
        for made, text in worked:
            assert SOLVER.verify(made, text).correct
            assert len(text.splitlines()) >= n_lines
    shown = reasoner.bench("words", n=2, strategy="cot:shots=3", model="teacher", level=4, db=tmp_path / "t.db")
    for result in shown.report.results:
        assert result.correct
        assert result.text is not None
        assert len(re.findall(r"^\d: .* = ", result.text, re.MULTILINE)) == 4


def test_a_statement_asks_for_the_unit() -> None:
    prompt = Prompts().get("solvers/words")
    for unit, words in (("$", "in dollars"), ("clock", "HH:MM"), ("km", "in km"), ("", "as a number alone")):
        assert words in prompt.render_text(SOLVER.statement_variables(problem("1", unit)))


def test_a_problem_of_ones_own_is_solved(tmp_path: Path) -> None:
    line = '{"question": "Ada has 3 boxes of 12 eggs. How many eggs does Ada have?", "answer": "36"}'
    assert reasoner.solve("words", line, strategy="program", model="teacher", db=tmp_path / "t.db").correct
    with pytest.raises(BadInstance, match="answer"):
        SOLVER.parse('{"question": "How many?"}')


def test_the_form_has_no_more_decimals_than_the_template_and_lets_a_full_stop_follow() -> None:
    def form(answer: str, template: str = "") -> str:
        constraint = SOLVER.answer_constraint(WordProblem(question="How many?", answer=answer, template=template))
        assert constraint is not None
        return constraint.value

    places = {template.name: template.places for level in SOLVER.levels for template in SOLVER.templates(level)}
    whole, money = (next(name for name, n in places.items() if n == wanted) for wanted in (0, 2))
    assert not re.fullmatch(form(answer="420", template=whole), "Answer: 420.1000")
    assert not re.fullmatch(form(answer="420", template=money), "Answer: 420.1000")
    for text in ("420", "420.", "7"):
        assert re.fullmatch(form(answer="420", template=whole), f"Answer: {text}")
    assert re.fullmatch(form(answer="4.50", template=money), "Answer: 4.5")
    assert re.fullmatch(form(answer="0.1255", template=whole), "Answer: 0.1255"), (
        "another's template of that name: the right answer fits all the same"
    )
    assert re.fullmatch(form(answer="0.1255"), "Answer: 0.1255")
    assert SOLVER.answer_constraint(WordProblem(question="How many?", answer="a dozen")) is None
    assert SOLVER.verify(WordProblem(question="How many?", answer="420"), "Answer: 420.").correct
