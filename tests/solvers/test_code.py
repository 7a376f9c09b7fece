"""code: mutations are judged as Python itself judges them, hostile programs do no harm, and what is seen is what the shown tests say."""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import Any

import pytest
from hostile_texts import hostile_texts

import reasoner
from reasoner.clients.scripted import ScriptedClient
from reasoner.drawing import Table
from reasoner.errors import BadInstance
from reasoner.sandbox.monty_once import run_once
from solvers.code import CodeSolver, CodeTask, find_function, functions, mutations

SOLVER = CodeSolver()


def block(source: str) -> str:
    return f"I found it.\n\n```python\n{source}\n```"


def right(made: CodeTask) -> str:
    """Return the right answer, which every function of the set has."""
    answer = SOLVER.right_answer(made)
    assert answer is not None
    return answer


def as_python(source: str, name: str) -> Any:
    """Make a function of our own set with the interpreter that runs the tests."""
    space: dict[str, Any] = {}
    exec(source, space)
    return space[name]


def outcome(function: Any, call: str, name: str) -> tuple[str, str]:
    try:
        return "gives", repr(eval(call, {name: function}))
    except Exception as error:  # noqa: BLE001 - whatever the mutation raises is its outcome
        return "raises", type(error).__name__


def test_there_are_functions_enough_and_their_mutations() -> None:
    assert len(functions()) >= 25
    assert sum(len(mutations(each.source)) for each in functions().values()) >= 200
    for each in functions().values():
        assert "while" not in each.source, "a changed loop might never end"
        assert re.match(rf"def {each.name}\(", each.text)


@pytest.mark.parametrize("name", functions())
def test_hidden_tests_agree_with_python(name: str) -> None:
    """What Monty says of each function, and of each of its mutations, is what this interpreter says."""
    function = functions()[name]
    made = CodeTask(function=name, made_from="7")
    tests = SOLVER.hidden(made)
    original = as_python(function.text, name)
    assert len({test.call for test in tests}) == len(tests) >= 30
    assert all(outcome(original, test.call, name) == test.wanted for test in tests)
    for mutation in mutations(function.source):
        differs = any(outcome(as_python(mutation, name), test.call, name) != test.wanted for test in tests)
        assert SOLVER.verify(made, block(mutation)).correct is not differs, mutation
        if not differs:  # equal on forty: then on two hundred more
            calls = [test.call for seed in range(100, 105) for test in SOLVER.hidden(CodeTask(function=name, made_from=str(seed)))]
            other = as_python(mutation, name)
            assert all(outcome(other, call, name) == outcome(original, call, name) for call in calls), mutation


def test_five_thousand_answers_changed_in_one_place_are_rejected_unless_python_finds_them_equal() -> None:
    rng = random.Random(3)
    n = 0
    while n < 5000:
        name = rng.choice(list(functions()))
        made = CodeTask(function=name, made_from=f"{rng.getrandbits(20):x}")
        tests = SOLVER.hidden(made)
        for mutation in mutations(functions()[name].source):
            function = as_python(mutation, name)
            if any(outcome(function, test.call, name) != test.wanted for test in tests):
                assert not SOLVER.verify(made, block(mutation)).correct, mutation
                n += 1


def test_what_is_drawn_is_broken_and_shows_it() -> None:
    for level in SOLVER.levels:
        for seed in range(8):
            made = SOLVER.generate(random.Random(f"{seed}/{level}"), level)
            assert SOLVER.verify(made, right(made)).correct
            assert bool(made.broken) == (level < 4)
            assert 1 <= len(SOLVER.shown(made)) <= 3
            if made.broken:
                assert not SOLVER.verify(made, block(made.broken)).correct
                assert not SOLVER.visible_check(made, block(made.broken)).passed
            assert SOLVER.visible_check(made, right(made)).passed
            form = SOLVER.answer_constraint(made)
            assert re.fullmatch(form.value, right(made))


CLAMP = CodeTask(function="clamp", made_from="5")


@pytest.mark.parametrize(
    "source",
    [
        "def clamp(n, low, high):\n    return max(low, min(high, n))",
        "def clamp(number, low, high):\n    return sorted([number, low, high])[1]",
        "helper = 1\ndef clamp(number, low=0, high=1):\n    # between\n    return low if number < low else high if number > high else number",
    ],
)
def test_other_right_ways_are_right(source: str) -> None:
    assert SOLVER.verify(CLAMP, block(source)).correct


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("def clamp(number, low, high):\n    return number", "is wanted"),
        ("def clamp(number, low, high):\n    return float(max(low, min(high, number)))", "is wanted"),
        ("def clamp(number, low):\n    return number", "TypeError"),
        ("def clamp(number, low, high):\n    while True:\n        pass", "TimeoutError"),
        ("def clamp(number, low, high):\n    return clamp(number, low, high)", "RecursionError"),
        ("def clamp(number, low, high):\n    return 'x' * 10 ** 9", "Memory"),
        ("import os\ndef clamp(number, low, high):\n    return os.system('true')", ""),
        ("def clamp(number, low, high):\n    return open('/etc/passwd').read()", ""),
        ("def clamp(number, low, high):\n    return __import__('subprocess').run(['id'])", ""),
        ("def clamp(number, low, high):\n    return (1", "cannot be run"),
        ("def clamp(number, low, high):\n    raise SystemExit", ""),
        ("def repr(x):\n    return '3'\ndef clamp(number, low, high):\n    return 3", "is wanted"),
        ("class A:\n    def __repr__(self):\n        return '3'\ndef clamp(number, low, high):\n    return A()", ""),
        ("def clamp(number, low, high):\n    return 0\nraise ValueError", "cannot be run"),
        ("def clamp(number, low, high):\n    return 0\n'''", "cannot be run"),
    ],
)
def test_wrong_and_hostile_programs_are_wrong(source: str, reason: str) -> None:
    verdict = SOLVER.verify(CLAMP, block(source))
    assert not verdict.correct
    assert reason in verdict.reason
    assert SOLVER.verify(CLAMP, right(CLAMP)).correct, "the next program meets nothing of this one"


def test_nothing_is_kept_between_two_programs() -> None:
    assert run_once("x = 1\nx").value == 1
    assert "NameError" in run_once("x").error
    assert run_once("print('a' * 9000)").printed == "a" * 2000
    assert "at most" in run_once("#" * 60_000).error


def test_ten_thousand_hostile_answers() -> None:
    rng = random.Random(9)
    made = [SOLVER.generate(rng, rng.randint(1, 4)) for _ in range(20)]
    golds = [right(each) for each in made]
    for number, text in enumerate(hostile_texts(rng, golds, 10_000)):
        each = made[number % len(made)]
        verdict = SOLVER.verify(each, text)
        assert verdict.reason.isprintable()
        SOLVER.canonical_answer(each, text)
        if verdict.correct:
            assert f"def {each.function}(" in text, text


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("```python\ndef f(a):\n    return 1\n```\nBetter:\n```python\ndef f(a):\n    return 2\n```", "def f(a):\n    return 2\n"),
        ("```python\ndef f(a):\n    return 1\n```\n```python\nprint(f(1))\n```", "def f(a):\n    return 1\n"),
        ("Answer: ```\ndef f(a):\n    return 1", "def f(a):\n    return 1"),
        ("Here:\ndef f(a):\n    return 1", "def f(a):\n    return 1"),
        ("```python\ndef g(a):\n    return 1\n```", None),
        ("f", None),
    ],
)
def test_the_function_of_an_answer_is_found(text: str, found: str | None) -> None:
    assert find_function(text, "f") == found


def test_repair_shows_the_test_that_fails_and_replays_without_running_anything(tmp_path: Path) -> None:
    made = SOLVER.generate(random.Random(4), 1)
    client = ScriptedClient([block(made.broken), right(made)])
    client.fingerprint = "same"
    result = reasoner.solve("code", SOLVER.format(made), strategy="repair(direct)", model=client, db=tmp_path / "t.db")
    assert result.correct
    assert SOLVER.shown(made)[0].call in client.requests[1].messages[-1].content
    assert "is wanted" in client.requests[1].messages[-1].content
    assert reasoner.replay(db=tmp_path / "t.db").exact


def test_an_unknown_function_is_refused() -> None:
    with pytest.raises(BadInstance, match="no function 'nothing'"):
        SOLVER.parse('{"function": "nothing", "made_from": "1"}')


def test_the_tests_are_drawn_those_that_fail_first() -> None:
    drawing = SOLVER.drawing(CLAMP, block("def clamp(number, low, high):\n    return number"))
    assert isinstance(drawing, Table)
    assert re.fullmatch(r"The tests of clamp: \d+ of 40 pass", drawing.title)
    assert drawing.head == ("call", "gives", "wanted")
    assert not drawing.rows[0][1].right
    assert drawing.rows[0][1].text != drawing.rows[0][2].text
    assert [row[1].right for row in drawing.rows] == sorted(row[1].right for row in drawing.rows)
    assert drawing.notes == (("tests", "40, 12 are shown"),)
    all_pass = SOLVER.drawing(CLAMP, right(CLAMP))
    assert all_pass is not None
    assert all_pass.title == "The tests of clamp: 40 of 40 pass"
    assert SOLVER.drawing(CLAMP, block("def clamp(:")) is None
    assert SOLVER.drawing(CLAMP, "no idea") is None
