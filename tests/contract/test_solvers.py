"""What every registered solver keeps to, at every level it offers; a new solver is tested by being there."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from typing import Any

import pytest
from ends import ends

from reasoner import registry
from reasoner.drawing import Drawing
from reasoner.errors import BadInstance
from reasoner.prompts import Prompts
from reasoner.solver import FanLayout, Searchable, Solver
from reasoner.types import Verdict, digest

AnySolver = Solver[Any]
AnySearch = Searchable[Any, Any]

SOLVERS = [*(name for name in registry.names("solver") if registry.solver(name).judged), "gym:chain_sum"]
LEVELS = [(name, level) for name in SOLVERS for level in registry.solver(name).levels]
SEARCHED = [name for name in SOLVERS if isinstance(registry.solver(name), Searchable)]
UNSEARCHED = [name for name in SOLVERS if name not in SEARCHED]
N_DRAWS = 8

HOSTILE = {
    "nothing": "",
    "blanks": " \n\t \n",
    "only a marker": "Answer:",
    "marker and dots": "Answer: ...",
    "a million characters": "9 -> " * 200_000,
    "a million characters after the marker": "Answer: " + "9 -> " * 200_000,
    "a long line": "Answer: " + "9" * 60_000,
    "many lines": "Answer: 1\n" * 100_000,
    "a huge integer": "Answer: " + "9" * 3_900,
    "huge integers in a chain": "Answer: " + " -> ".join(["9" * 1_900] * 2),
    "huge fraction": "Answer: " + "1/" * 1_500 + "1",
    "huge product": "Answer: " + "*".join(["9" * 98] * 10),
    "nested brackets": "Answer: " + "(" * 100_000,
    "nested brackets, short": "Answer: " + "(" * 1_900 + "1" + ")" * 1_900,
    "brackets, few": "Answer: " + "(" * 400 + "24" + ")" * 400,
    "unary minus": "Answer: " + "-" * 100_000 + "1",
    "unary minus, short": "Answer: " + "-" * 900 + "24",
    "powers": "Answer: (((9**64)**64)**64)**64",
    "NUL": "Answer: 9\x00 -> 10\x00",
    "lone surrogate": "Answer: 9 -> \ud800 -> \udfff",
    "superscript": "Answer: 2² -> 4",
    "Arabic digits": "Answer: ٩ -> ١٠",
    "full-width digits": "Answer: ９ -> １０",
    "control and override": "Answer: \x1b[31m9\u202e -> 10",
    "dashes": "Answer: " + "-" * 3_900,
    "equals signs": "Answer: " + "=" * 3_900,
    "asterisks": "Answer: " + "*" * 3_900 + "1",
    "blanks in the marker": "answer" + " " * 60_000,
    "blanks in an answer": "Answer: 9" + " " * 60_000 + "-> 10",
    "slashes": "Answer: " + "0/5 " * 900,
    "long numbers around a slash": "Answer: " + "1" * 1_900 + "/" + "1" * 1_900,
    "division by zero": "Answer: 1 / 0",
    "code": "Answer: __import__('os').system('true')",
    "boxed": "Answer: " + "\\boxed{" * 500 + "}" * 500,
    "fractions": "Answer: " + "\\frac{" * 500 + "1}{2}" * 500,
}


def draw(solver: AnySolver, level: int, seed: int, n: int = N_DRAWS) -> list[Any]:
    """Draw as a run does: a stream of its own for every (seed, index)."""
    if solver.name == "gym":
        pytest.importorskip("reasoning_gym", reason="the extra gym is not installed")
    if solver.name == "textarena":
        pytest.importorskip("textarena", reason="the extra games is not installed")
    rngs = [random.Random(int(digest(str(seed), solver.title, str(level), str(index)), 16)) for index in range(n)]
    return [solver.generate(rng, level) for rng in rngs]


def solved(solver: AnySolver, instance: Any) -> str:
    text = solver.right_answer(instance)
    assert text is not None
    return text


def score_is_sound(verdict: Verdict) -> bool:
    one_line = "\n" not in verdict.reason and 0 < len(verdict.reason) <= 200
    consistent = (verdict.score == 1.0) == verdict.correct and not (verdict.correct and verdict.unparsed)
    return one_line and consistent and 0.0 <= verdict.score <= 1.0


def swap_ends(body: str) -> str:
    pieces = body.split(" -> ")
    pieces[0], pieces[-1] = pieces[-1], pieces[0]
    return " -> ".join(pieces)


def change_number(body: str, which: int) -> str:
    """Put a digit before one number, which makes it another number whatever it was."""
    numbers = list(re.finditer(r"\d+", body))
    if not numbers:
        return ""
    at = numbers[which].start()
    return f"{body[:at]}9{body[at:]}"


# Each of these breaks a shortest right answer for certain: what is left has other ends, other numbers or a senseless step.
MUTATIONS: dict[str, Callable[[str], str]] = {
    "emptied": lambda body: "",
    "first number changed": lambda body: change_number(body, 0),
    "last number changed": lambda body: change_number(body, -1),
    "last step dropped": lambda body: body.rpartition(" -> ")[0],
    "first step dropped": lambda body: body.partition(" -> ")[2],
    "ends swapped": lambda body: swap_ends(body) if " -> " in body else "",
    "cut in half": lambda body: body[: len(body) // 2],
    "garbage step": lambda body: body + " -> 7 zebras",
    "garbage before": lambda body: "7 zebras -> " + body,
    "written twice": lambda body: f"{body} {body}",
}


@pytest.mark.parametrize("name", SOLVERS)
def test_a_solver_describes_itself(name: str) -> None:
    solver: AnySolver = registry.solver(name)
    assert solver.name == name.partition(":")[0]
    assert solver.title == name
    assert solver.summary.strip()
    assert solver.syntax.strip()
    assert solver.default_level in solver.levels
    assert all(text.strip() and "\n" not in text for text in solver.levels.values())


@pytest.mark.parametrize(("name", "level"), LEVELS)
def test_instances_survive_their_line_and_their_json(name: str, level: int) -> None:
    solver: AnySolver = registry.solver(name)
    for instance in draw(solver, level, seed=1):
        assert solver.parse(solver.format(instance)) == instance
        assert "\n" not in solver.format(instance)
        assert solver.Instance.model_validate_json(instance.model_dump_json()) == instance
        assert solver.canonical(solver.parse(solver.format(instance))) == solver.canonical(instance)


@pytest.mark.parametrize(("name", "level"), LEVELS)
def test_drawing_follows_the_seed_and_nothing_else(name: str, level: int) -> None:
    solver: AnySolver = registry.solver(name)
    first, second = draw(solver, level, 42, 20), draw(solver, level, 43, 20)
    assert first == draw(solver, level, 42, 20)
    assert first != second
    assert first[1:] != second[:-1]  # `seed + index` streams would be the same, shifted
    assert len(set(map(solver.format, first))) > 5


@pytest.mark.parametrize(("name", "level"), LEVELS)
def test_every_drawn_instance_is_solved_and_the_solution_verifies(name: str, level: int) -> None:
    solver: AnySolver = registry.solver(name)
    for instance in draw(solver, level, seed=2):
        answer = solved(solver, instance)
        texts = [answer, f"Let me think.\nAnswer: no\n\n{answer}\n"]
        if not solver.block:
            assert "\n" not in answer
            texts += [answer.upper(), answer.replace("Answer:", "**Final answer:**")]
        for text in texts:
            verdict = solver.verify(instance, text)
            assert verdict.correct, (text, verdict)
            assert score_is_sound(verdict)


@pytest.mark.parametrize(("name", "level"), LEVELS)
def test_a_right_answer_keeps_to_the_form_and_passes_the_visible_check(name: str, level: int) -> None:
    solver: AnySolver = registry.solver(name)
    for instance in draw(solver, level, seed=12, n=3):
        answer = solved(solver, instance)
        form = solver.answer_constraint(instance)
        assert form is None or form.kind != "regex" or re.fullmatch(form.value, answer), (form, answer)
        seen = solver.visible_check(instance, answer)
        assert seen.passed, seen
        for text in ("", "I do not know\nat all."):
            failed = solver.visible_check(instance, text)
            assert failed.told.strip()
            assert len(answer) < 14 or answer.removeprefix("Answer: ") not in failed.told
            assert not (failed.passed and solver.verify(instance, text).unparsed)


@pytest.mark.parametrize(("name", "level"), [each for each in LEVELS if not registry.solver(each[0]).block])
@pytest.mark.parametrize("mutation", MUTATIONS)
def test_broken_answers_do_not_verify(name: str, level: int, mutation: str) -> None:
    solver: AnySolver = registry.solver(name)
    for instance in draw(solver, level, seed=3):
        body = solved(solver, instance).removeprefix("Answer: ")
        text = "Answer: " + MUTATIONS[mutation](body)
        verdict = solver.verify(instance, text)
        assert not verdict.correct, (text, verdict)
        assert score_is_sound(verdict)


@pytest.mark.parametrize(("name", "level"), LEVELS)
def test_the_statement_holds_the_problem_and_not_its_answer(name: str, level: int) -> None:
    solver: AnySolver = registry.solver(name)
    prompt = Prompts().get(f"solvers/{solver.name}")
    for instance in draw(solver, level, seed=4, n=20):
        statement = prompt.render_text(solver.statement_variables(instance))
        written = re.findall(r"\d+", statement)
        assert all(str(value) in written for value in instance.model_dump().values() if type(value) is int)
        echoed = solver.verify(instance, statement)
        assert echoed.score == 0.0, echoed
        assert score_is_sound(echoed)


@pytest.mark.parametrize(("name", "level"), [each for each in LEVELS if each[0] in SEARCHED])
def test_a_solution_is_a_walk_over_legal_moves(name: str, level: int) -> None:
    solver: AnySearch = registry.solver(name)
    for instance in draw(solver, level, seed=5):
        state = solver.start(instance)
        assert not solver.is_goal(instance, state)
        for move in solver.solve(instance) or []:
            assert move in solver.moves(instance, state)
            state = move.state
        assert solver.is_goal(instance, state)


@pytest.mark.parametrize(("name", "level"), [each for each in LEVELS if each[0] in SEARCHED])
def test_a_walk_ends_at_the_goal_exactly_when_its_answer_verifies(name: str, level: int) -> None:
    solver: AnySearch = registry.solver(name)
    for n, instance in enumerate(draw(solver, level, seed=6)):
        rng = random.Random(n)
        for _ in range(10):
            state, path = solver.start(instance), []
            while moves := solver.moves(instance, state):
                assert list(moves) == list(solver.moves(instance, state))
                assert len(set(moves)) == len(moves)
                assert all(move.operation.strip() and "\n" not in move.operation for move in moves)
                path.append(rng.choice(moves))
                state = path[-1].state
                shown = solver.show(instance, state)
                assert shown.strip()
                assert "\n" not in shown
                assert len(path) < 200
            assert solver.verify(instance, solver.answer(instance, path)).correct == solver.is_goal(instance, state)


@pytest.mark.parametrize("name", UNSEARCHED)
def test_what_cannot_be_searched_has_nothing_of_a_search(name: str) -> None:
    solver: AnySolver = registry.solver(name)
    own_to_searches = (set(vars(Searchable)) | set(vars(FanLayout))) - set(vars(Solver))
    assert not [member for member in own_to_searches if not member.startswith("_") and hasattr(solver, member)]


@pytest.mark.parametrize(("name", "level"), LEVELS)
def test_what_is_listed_is_what_is_drawn_from(name: str, level: int) -> None:
    solver: AnySolver = registry.solver(name)
    listed = solver.listed(level)
    if listed is not None:
        keys = {solver.canonical(instance) for instance in listed}
        assert len(keys) > 5
        assert all(solver.canonical(instance) in keys for instance in draw(solver, level, seed=10))
        varied = [solver.vary(instance, random.Random(1)) for instance in listed]
        assert list(map(solver.canonical, varied)) == list(map(solver.canonical, listed))


@pytest.mark.parametrize("name", SOLVERS)
@pytest.mark.parametrize("what", HOSTILE)
def test_no_text_makes_a_verifier_fail_or_hang(name: str, what: str) -> None:
    solver: AnySolver = registry.solver(name)
    (instance,) = draw(solver, solver.default_level, seed=7, n=1)
    with ends(what):
        verdict = solver.verify(instance, HOSTILE[what])
    assert verdict.score == 0.0
    assert score_is_sound(verdict)
    assert verdict.reason.isprintable()


@pytest.mark.parametrize("name", SOLVERS)
def test_no_text_makes_a_drawing_fail_or_hang(name: str) -> None:
    solver: AnySolver = registry.solver(name)
    (instance,) = draw(solver, solver.default_level, seed=11, n=1)
    drawn = solver.drawing(instance, solved(solver, instance))
    assert drawn is None or (isinstance(drawn, Drawing) and hash(drawn) is not None)
    for what, text in HOSTILE.items():
        with ends(what):
            assert isinstance(solver.drawing(instance, text), Drawing | None), what


@pytest.mark.parametrize("name", SOLVERS)
def test_an_empty_answer_is_unparsed(name: str) -> None:
    solver: AnySolver = registry.solver(name)
    (instance,) = draw(solver, solver.default_level, seed=8, n=1)
    assert all(solver.verify(instance, text).unparsed for text in ("", " \n\t ", "Answer:"))


@pytest.mark.parametrize("name", SOLVERS)
@pytest.mark.parametrize(
    "line", ["", " ", "1", "zebra", "1 2 3 4 5 6 7 8 9", "9" * 10_000, "1\x00 2 3", "\ud800", "٤ ٩ ١٠ ١٣", "(" * 100_000]
)
def test_a_bad_line_is_refused_with_the_syntax(name: str, line: str) -> None:
    solver: AnySolver = registry.solver(name)
    with pytest.raises(BadInstance) as caught:
        solver.parse(line)
    assert solver.syntax in str(caught.value)
    assert len(caught.value.message) < 300
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", [name for name in SOLVERS if not registry.solver(name).block])
def test_one_answer_has_one_form_however_it_is_dressed(name: str) -> None:
    """Votes count answers: marker, emphasis, case and what stands before make no other answer, and another answer is another one."""
    solver: AnySolver = registry.solver(name)
    for instance in draw(solver, solver.default_level, seed=3, n=3):
        right = solved(solver, instance)
        _, _, body = right.partition(":")
        if "\n" in body.strip():
            continue
        dresses = (
            f"Answer:{body}",
            f"**Answer:**{body}",
            f"I add them up.\n\nanswer: {body.strip()}",
            f"Final answer:{body.removesuffix('.')}.",
            f"Answer:\n{body.strip()}",
        )
        keys = {solver.canonical_answer(instance, text) for text in dresses}
        assert len(keys) == 1, keys
        assert None not in keys
        assert solver.canonical_answer(instance, "") is None
        assert solver.canonical_answer(instance, "Answer: 7 zebras") not in keys


@pytest.mark.parametrize("name", SOLVERS)
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_the_form_of_a_hostile_answer_is_a_text_or_none(name: str, text: str) -> None:
    solver: AnySolver = registry.solver(name)
    (instance,) = draw(solver, solver.default_level, seed=1, n=1)
    made = solver.canonical_answer(instance, text)
    assert made is None or isinstance(made, str)
