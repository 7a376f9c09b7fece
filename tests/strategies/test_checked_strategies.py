"""repair, refine, draft, program and best_of_n by check, over scripted replies: what is asked, what is run, what is given, what a replay makes."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import reasoner
from reasoner import registry
from reasoner.budget import Limits
from reasoner.clients.scripted import ScriptedClient
from reasoner.errors import BadConfig
from reasoner.runs.results import Result
from reasoner.runs.strategy_spec import parse_strategies
from reasoner.session.walk import Walk
from reasoner.strategies.draft import behind_prose
from reasoner.strategies.program import FORM, error_of, function_of, plain_number
from reasoner.strategies.refine import satisfied
from reasoner.types import Completion, Request, Usage

RIGHT = "Answer: 9 -> 10 -> 20"
WRONG = "Answer: 9 -> 18 -> 19"
FORMLESS = "I do not know\nat all."


def run(tmp_path: Path, strategy: str, replies: list[Any] | Callable[[Request], Any], **setup: Any) -> tuple[Result, ScriptedClient]:
    tmp_path.mkdir(exist_ok=True)
    client = ScriptedClient(replies)
    client.fingerprint = "same"
    outcome = reasoner.solve("number_path", "2 9 20", strategy=strategy, model=client, db=tmp_path / "t.db", **setup)
    if not callable(replies):
        client.assert_done()
    return outcome, client


def actions(outcome: Result) -> list[str]:
    assert outcome.trajectory is not None
    return [t.text for t in outcome.trajectory.thoughts() if t.role.startswith("act/")]


def program(body: str, name: str = "solve") -> str:
    return f"```python\ndef {name}():\n    {body}\n```"


def test_repair_shows_what_failed_and_stops_when_it_passes(tmp_path: Path) -> None:
    outcome, client = run(tmp_path, "repair(direct)", [FORMLESS, RIGHT])
    assert outcome.correct
    assert [text.partition(":")[0] for text in actions(outcome)] == ["failed", "passed"]
    asked = client.requests[1].messages[-1].content
    assert "no line 'Answer: ...' was found" in asked
    assert FORMLESS in asked
    assert "20" in asked, "the statement is shown again"


def test_repair_never_learns_that_an_answer_is_wrong(tmp_path: Path) -> None:
    outcome, _ = run(tmp_path, "repair(direct)", [WRONG])
    assert not outcome.correct
    assert [text.partition(":")[0] for text in actions(outcome)] == ["passed"]
    assert outcome.trajectory is not None
    assert not [t for t in outcome.trajectory.thoughts() if t.role.startswith("oracle")]


def test_repair_gives_the_last_answer_when_its_rounds_are_used_up(tmp_path: Path) -> None:
    outcome, _ = run(tmp_path, "repair(direct):rounds=2", [FORMLESS, "still\nnothing", RIGHT])
    assert outcome.correct
    outcome, _ = run(tmp_path / "b", "repair(direct):rounds=1", [FORMLESS, "still\nnothing"])
    assert outcome.verdict is not None
    assert outcome.verdict.unparsed


def test_repair_without_early_stop_also_revises_what_passed(tmp_path: Path) -> None:
    outcome, client = run(tmp_path, "repair(direct):early_stop=false,rounds=2", [RIGHT, RIGHT, WRONG])
    assert outcome.text == WRONG
    assert "it passed" in client.requests[1].messages[-1].content


def test_checks_count_against_the_limits_of_actions(tmp_path: Path) -> None:
    outcome, _ = run(tmp_path, "repair(direct):rounds=3", [FORMLESS, RIGHT], max_actions=1)
    assert (outcome.status, outcome.correct) == ("exhausted", True), "what was answered before stays"


def test_refine_criticises_and_revises_until_it_is_satisfied(tmp_path: Path) -> None:
    outcome, client = run(tmp_path, "refine(direct)", [WRONG, "The goal is missed.\nVerdict: wrong", RIGHT, "**Verdict:** right"])
    assert outcome.correct
    assert "The goal is missed." in client.requests[2].messages[-1].content
    assert not actions(outcome)


def test_a_critique_that_cannot_be_read_is_not_satisfied() -> None:
    assert satisfied("Verdict: RIGHT")
    assert not satisfied("Verdict: right\nVerdict: wrong")
    assert not satisfied("")
    assert not satisfied("right")


def test_draft_thinks_freely_and_constrains_the_answer_alone(tmp_path: Path) -> None:
    outcome, client = run(tmp_path, "draft", ["Nine, ten, twenty.", RIGHT])
    assert outcome.correct
    assert [request.constraint is None for request in client.requests] == [True, False]
    form = client.requests[1].constraint
    assert form is not None
    assert form.kind == "regex"
    assert re.fullmatch(form.value, RIGHT)
    assert not re.fullmatch(form.value, f"So: {RIGHT}")
    assert "Nine, ten, twenty." in client.requests[1].messages[-1].content


def test_draft_in_one_call_begins_the_constraint_behind_the_prose(tmp_path: Path) -> None:
    text = f"Nine and one are ten.\n\nTwice ten is twenty.\n{RIGHT}"
    outcome, client = run(tmp_path, "draft:calls=1", [text])
    assert outcome.correct
    form = client.requests[0].constraint
    assert form is not None
    assert form.after_thought
    assert re.fullmatch(form.value, text)
    assert re.fullmatch(form.value, RIGHT)
    assert not re.fullmatch(form.value, f"Answer: about twenty\n{RIGHT}"), "what begins as an answer has to be one"
    assert not re.fullmatch(form.value, f"{text}\nand so on")
    assert run(tmp_path / "w", "draft:calls=1,form=words", [text])[1].requests[0].constraint is None


@given(st.text(alphabet="Answer: x1\n", max_size=60))
def test_prose_is_every_text_without_a_line_that_begins_like_an_answer(prose: str) -> None:
    lines = prose.split("\n")
    fits = bool(re.fullmatch(behind_prose("Answer: 5", 60), f"{prose}\nAnswer: 5"))
    begins = any(line.startswith("Answer:") or (line and "Answer:".startswith(line)) for line in lines)
    gaps = not lines[0] or any(not one and not other for one, other in itertools.pairwise(lines))
    assert fits == (not begins and not gaps)


@pytest.mark.parametrize(("settings", "most"), [({"max_tokens": 4000}, 1200), ({"max_tokens": 600}, 500), ({"max_tokens": 20}, 50)])
def test_the_thought_of_one_call_ends_while_there_are_tokens_for_the_answer(tmp_path: Path, settings: dict[str, int], most: int) -> None:
    _, client = run(tmp_path, "draft:calls=1", [RIGHT], **settings)
    form = client.requests[0].constraint
    assert form is not None
    assert re.fullmatch(form.value, f"{'x' * most}\n{RIGHT}")
    assert not re.fullmatch(form.value, f"{'x' * (most + 10)}\n{RIGHT}"), "a model that repeats itself must come to its answer"


def test_draft_reads_the_answer_out_of_an_object(tmp_path: Path) -> None:
    outcome, client = run(tmp_path, "draft:form=json", ["Nine, ten, twenty.", '{"answer": "9 -> 10 -> 20"}'])
    assert outcome.correct
    assert client.requests[1].constraint is not None
    assert client.requests[1].constraint.kind == "json_schema"
    assert run(tmp_path / "b", "draft:form=json", ["x", '{"answer": "Answer: 9 -> 10 -> 20"}'])[0].correct
    assert run(tmp_path / "c", "draft:form=json", ["x", RIGHT])[0].correct, "a server that ignores the schema"
    with pytest.raises(BadConfig, match="form=line or form=words"):
        parse_strategies("draft:calls=1,form=json")


def test_a_program_is_run_once_and_what_it_returns_is_the_answer(tmp_path: Path) -> None:
    outcome, client = run(tmp_path, "program", [program("return ' -> '.join(str(n) for n in [9, 9 + 1, 2 * 10])")])
    assert (outcome.correct, outcome.answer) == (True, "9 -> 10 -> 20")
    assert len(actions(outcome)) == 1
    form = client.requests[0].constraint
    assert form is not None
    assert form.value == FORM
    assert reasoner.replay(db=tmp_path / "t.db").exact
    again, _ = run(tmp_path, "program", [], mode="recheck")
    assert (again.dag_hash, again.new_calls) == (outcome.dag_hash, 0)


def test_a_program_that_fails_is_shown_its_error_and_repaired(tmp_path: Path) -> None:
    fails = program("return missing + 1")
    outcome, client = run(tmp_path, "program", [fails, program("return '9 -> 10 -> 20'")])
    assert outcome.correct
    asked = client.requests[1].messages[-1].content
    assert "NameError" in asked
    assert "return missing + 1" in asked
    assert len(actions(outcome)) == 2


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        ("no code", "there is no block of Python"),
        ("```python\nx = 1\n```", "no function that begins with 'def solve():'"),
        ("```python\ndef solve(a):\n    return a\n```", "no function that begins with"),
        (program("pass"), "returned nothing"),
        (program("return 'x' * 5000"), "returned 5,000 characters"),
        (program("return (1"), "SyntaxError"),
        (program("open('/etc/passwd')"), "Error"),
        (program("import os; return os.listdir('/')"), "Error"),
        (program("while True: pass"), "longer than 5 s"),
    ],
)
def test_what_does_not_work_is_told(tmp_path: Path, reply: str, error: str) -> None:
    outcome, client = run(tmp_path, "program:repairs=1", [reply, RIGHT])
    assert error in client.requests[1].messages[-1].content
    assert outcome.text == RIGHT, "where every program fails the last reply is the answer"


def test_a_program_without_repairs_makes_one_call(tmp_path: Path) -> None:
    outcome, _ = run(tmp_path, "program:repairs=0", [program("return 1 / 0")])
    assert outcome.spent.calls == 1
    assert not outcome.correct


def test_programs_vote_with_their_results_and_those_that_fail_do_not(tmp_path: Path) -> None:
    def reply(request: Request) -> str:
        number = replies.setdefault(request.seed, len(replies))
        return [
            program("return '9 -> 18 -> 19'"),
            program("return 1 / 0"),
            program("return 1 / 0"),
            *[program(f"return '{RIGHT[8:]}'")] * 2,
        ][number]

    replies: dict[int, int] = {}
    outcome, _ = run(tmp_path, "program:n=5,repairs=0", reply)
    assert (outcome.correct, outcome.spent.calls) == (True, 5)
    assert outcome.trajectory is not None
    (vote,) = [t for t in outcome.trajectory.thoughts() if t.role == "program/vote"]
    assert outcome.trajectory.mark_of(vote).state == {"votes": {"9 -> 18 -> 19": 1, "9 -> 10 -> 20": 2}, "n": 5, "failed": 2}
    statuses = [outcome.trajectory.mark_of(t).status for t in outcome.trajectory.thoughts()]
    assert statuses.count("final") == 1


def test_when_the_budget_ends_the_programs_that_ran_vote(tmp_path: Path) -> None:
    outcome, _ = run(tmp_path, "program:n=3", lambda _request: program(f"return '{RIGHT[8:]}'"), limits=Limits(calls=2))
    assert (outcome.status, outcome.correct) == ("exhausted", True)


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("def solve():\n    return 1", "solve"),
        ("def helper():\n    return 1\ndef solve():\n    return helper()\ndef other():\n    pass", "solve"),
        ("def first():\n    return 1\ndef count_boxes( ):\n    return 1", "count_boxes"),
        ("class A:\n    def solve():\n        return 1", None),
        ("def solve(x):\n    return x", None),
        ("", None),
        ("def " + "f" * 100_000, None),
    ],
)
def test_the_function_to_call_is_found(code: str, name: str | None) -> None:
    assert function_of(code) == name


def test_the_form_of_a_program_is_kept_by_programs() -> None:
    assert re.fullmatch(FORM, program("return 3"))
    assert re.fullmatch(FORM, "```python\ndef solve():\n    a = 1\n\n    if a:\n        a = 2\n    return a\n```")
    for text in (program("return 3", "answer"), program("pass"), "def solve():\n    return 3", program("return 3") + "\nSo 3."):
        assert not re.fullmatch(FORM, text)


def test_results_are_read_as_the_decimals_they_stand_for() -> None:
    assert [plain_number(text) for text in ("0.1", "-0.0", "2.5e-7", "1e400", "1.5e16", "nan", "3", "2/3", "1234.5600")] == [
        "0.1", "0", "0.00000025", "1e400", "1.5e16", "nan", "3", "2/3", "1234.56",
    ]  # fmt: skip


@given(st.text(max_size=300))
def test_no_output_breaks_the_readers(text: str) -> None:
    assert error_of(text)
    plain_number(text)
    function_of(text)


def test_best_of_n_by_check_gives_the_first_that_passes(tmp_path: Path) -> None:
    def reply(request: Request) -> str:
        return [FORMLESS, WRONG, RIGHT][replies.setdefault(request.seed, len(replies))]

    replies: dict[int, int] = {}
    outcome, _ = run(tmp_path, "best_of_n(direct):n=3,select=check", reply)
    assert outcome.text == WRONG, "passing is no verdict"
    assert sorted(text.partition(":")[0] for text in actions(outcome)) == ["failed", "passed", "passed"]
    assert not parse_strategies("best_of_n:select=check")[0].oracle


def test_guided_chooses_among_legal_steps_and_nothing_else(tmp_path: Path) -> None:
    outcome, client = run(tmp_path, "guided", ["9 + 1 = 10", "10*2 = 20"])
    assert outcome.correct
    first, second = (request.constraint for request in client.requests)
    assert first is not None
    assert second is not None
    assert [bool(re.fullmatch(first.value, text)) for text in ("9 + 1 = 10", "9 * 2 = 18", "9 + 2 = 11", "done", "")] == [
        True,
        True,
        False,
        False,
        False,
    ]
    assert [bool(re.fullmatch(second.value, text)) for text in ("10 * 2 = 20", "done", "9 + 1 = 10")] == [True, True, False]
    outcome, _ = run(tmp_path / "b", "guided", ["9 * 2 = 18", "done"])
    assert outcome.answer == "9 -> 18"
    outcome, _ = run(tmp_path / "c", "guided", ["9 * 2 = 18", "something else"])
    assert outcome.answer == "9 -> 18"
    assert not outcome.correct


def test_guided_needs_moves_and_is_told_nothing_of_the_goal(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match="words has no moves"):
        reasoner.solve("words", '{"question": "1 + 1?", "answer": "2"}', strategy="guided", model=ScriptedClient([]), db=tmp_path / "t.db")
    walk = Walk(registry.solver("number_path"), registry.solver("number_path").parse("2 9 20"))
    assert not [name for name in dir(walk) if "goal" in name or "verify" in name]
    assert walk.options() == ["9 * 2 = 18", "9 + 1 = 10"]


def test_votes_weigh_by_log_probability(tmp_path: Path) -> None:
    likely = Completion(RIGHT, usage=Usage(1, 1), mean_logprob=-0.1)
    unlikely = Completion(WRONG, usage=Usage(1, 1), mean_logprob=-2.0)
    outcome, client = run(tmp_path, "self_consistency(direct):n=3,weight=logprob", [unlikely, unlikely, likely])
    assert outcome.correct, "0.905 against twice 0.135"
    assert all(request.sampling.logprobs for request in client.requests)
    with pytest.raises(BadConfig, match=r"weight=logprob needs log-probabilities.*weight=count"):
        run(tmp_path / "b", "self_consistency(direct):n=2,weight=logprob", [RIGHT, RIGHT])
    with pytest.raises(BadConfig, match="stop=certain"):
        parse_strategies("self_consistency:weight=logprob,stop=beta")


def test_a_vote_that_is_decided_asks_no_further(tmp_path: Path) -> None:
    outcome, client = run(tmp_path, "self_consistency(direct):n=5,stop=certain", [RIGHT, WRONG, RIGHT, RIGHT])
    assert (outcome.correct, len(client.requests)) == (True, 4)
    assert outcome.trajectory is not None
    (vote,) = [t for t in outcome.trajectory.thoughts() if t.role == "self_consistency/vote"]
    assert outcome.trajectory.mark_of(vote).state == {
        "votes": {"9 -> 10 -> 20": 3, "9 -> 18 -> 19": 1}, "n": 4, "unparsed": 0, "left_out": 1,
    }  # fmt: skip
    assert [t.label for t in outcome.trajectory.thoughts() if t.role.endswith("/branch")] == ["1", "2", "3", "4"]
