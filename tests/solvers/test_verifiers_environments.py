"""Environments of verifiers as problems: listed, played, judged by playing again, bounded; and with the real package where there is one.

The fake (`fake_verifiers.py`) speaks as our program does in the Python of verifiers. `REASONER_VERIFIERS` names a Python that has it (`scripts/test` makes
one); the environments it plays are in `tests/outside_trainers/environments`.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import reasoner
from reasoner import registry
from reasoner.clients.scripted import ScriptedClient
from reasoner.errors import BadConfig, BadInstance, DataError, MissingDependency, ToolFailed
from reasoner.types import Completion, Request, ToolCall
from solvers import verifiers
from solvers.verifiers import REPLY, VARIABLE, Process, VerifiersSolver, VerifiersTask, moves_of, written

PYTHON = os.environ.get("REASONER_VERIFIERS")
"""Read once, since tests run without settings of the environment."""
ROOT = Path(__file__).parents[2]
FAKE = ROOT / "tests" / "helpers" / "fake_verifiers.py"


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    own = Process(sys.executable, FAKE)
    monkeypatch.setattr(verifiers, "process", lambda: own)
    registry.solver.cache_clear()
    yield
    own.end()
    registry.solver.cache_clear()


def opened(source: str, at: int = 0) -> tuple[VerifiersSolver, VerifiersTask]:
    solver = registry.solver(f"verifiers:{source}")
    return solver, solver.listed(1)[at]


@pytest.mark.usefixtures("fake")
def test_the_tasks_are_listed_in_order_and_read_back() -> None:
    solver, first = opened("words")
    listed = solver.listed(1)
    assert listed is not None
    assert [task.key for task in listed][:2] == ["tar", "pots"]
    assert all(solver.parse(solver.format(task)) == task for task in listed)
    assert solver.generate(random.Random(1), 1) in listed
    assert len({solver.canonical(task) for task in listed}) == 8
    assert (solver.title, solver.judged, solver.slow) == ("verifiers:words", True, True)
    assert (solver.instructions(first), solver.statement_variables(first)) == ("Be brief.", {"prompt": "Write 'tar' backwards."})
    assert not solver.remarks()
    assert solver.parse("3") == listed[3]
    with pytest.raises(BadInstance, match="has no task 8"):
        solver.parse("8")
    guess, _ = opened("guess")
    assert "more tasks than the 8" in guess.remarks()[0]
    few, _ = opened("words?n=3&salt=x")
    assert [task.key for task in few.listed(1) or ()] == ["xtar", "xpots", "xlive"]


@pytest.mark.usefixtures("fake")
def test_a_reply_is_right_where_the_whole_reward_is_given() -> None:
    solver, task = opened("words")
    verdicts = [solver.verify(task, text) for text in ("It is rat", "RAT", "tar", "", " \n", "Answer:")]
    assert [(verdict.correct, verdict.score, verdict.unparsed) for verdict in verdicts] == [
        (True, 1.0, False), (False, 0.5, False), (False, 0.0, False), *[(False, 0.0, True)] * 3,
    ]  # fmt: skip
    assert verdicts[1].reason == "the reward is 0.5 after 1 action(s)"
    assert solver.visible_check(task, "x").passed
    assert not solver.visible_check(task, " ").passed
    assert solver.right_answer(task) is None


@pytest.mark.usefixtures("fake")
async def test_an_episode_is_played_and_judged_by_playing_it_again() -> None:
    solver, task = opened("guess", at=5)
    play = solver.episode(task)
    assert (await play.step(REPLY, {"text": "4"})).observation == "Higher."
    turn = await play.step(REPLY, {"text": "6"})
    assert turn.answer == written(["4", "6"])
    with pytest.raises(ToolFailed, match="over"):
        await play.step(REPLY, {"text": "6"})
    await play.aclose()
    await play.aclose()
    judged = [
        await asyncio.to_thread(solver.verify, task, text) for text in (f"Answer: {turn.answer}", written(["4"]), written(["6", "6"]))
    ]
    assert [verdict.correct for verdict in judged] == [True, False, False]
    assert "is not over" in judged[1].reason
    assert "over before action 2" in judged[2].reason


@pytest.mark.usefixtures("fake")
def test_what_only_a_tool_makes_right() -> None:
    solver, task = opened("shop")
    assert [tool.name for tool in solver.offered(task)] == ["shop_price", REPLY]
    assert "\x1b" not in solver.offered(task)[0].description
    looked = written([("shop_price", {"item": "salt"}), "5 euros"])
    assert solver.verify(task, looked).correct
    assert solver.verify(task, "5 euros").correct is False
    assert solver.verify(task, written([("shop_price", {"item": "gold"}), "5"])).correct is False


def acting(*turns: tuple[str, dict[str, Any]]) -> ScriptedClient:
    def said(request: Request) -> Completion:
        name, given = turns[sum(message.role == "assistant" for message in request.messages)]
        return Completion("", tool_calls=(ToolCall("c", name, json.dumps(given)),), finish_reason="tool_calls")

    return ScriptedClient(said, name="m")


@pytest.mark.usefixtures("fake")
def test_strategies_play_it_and_a_replay_asks_nobody(tmp_path: Path) -> None:
    db = tmp_path / "t.db"
    _, task = opened("shop")
    model = acting(("shop_price", {"item": "salt"}), (REPLY, {"text": "They cost 5."}))
    result = reasoner.solve("verifiers:shop", task.line(), strategy="react", model=model, db=db)
    assert (result.correct, result.status) == (True, "closed")
    assert "2.5" in [thought.text for thought in result.trajectory.thoughts()]
    code = '```python\nprint(shop_price("salt"))\nreply("5 it is")\n```'
    coded = reasoner.solve("verifiers:shop", task.line(), strategy="code_act", model=ScriptedClient([code], name="c"), db=db)
    assert coded.correct
    report = reasoner.bench("verifiers:words", n=8, strategy="direct", model=ScriptedClient(lambda _: "rat", name="m"), db=db).report
    assert sorted(bool(each.correct) for each in report.results) == [False] * 7 + [True]
    assert reasoner.replay(result.run_id, db=db).exact


@pytest.mark.usefixtures("fake")
def test_an_episode_goes_on_where_it_was(tmp_path: Path) -> None:
    """A budget ends the run after two guesses; the next one is made in an episode of its own, in which they are made again."""
    _, task = opened("guess", at=5)

    def guess(request: Request) -> Completion:
        said = json.dumps({"text": str(4 + sum(message.role == "tool" for message in request.messages))})
        return Completion("", tool_calls=(ToolCall("c", REPLY, said),), finish_reason="tool_calls")

    async def both() -> Any:
        client = ScriptedClient(guess, name="m")
        client.fingerprint = "same"
        first = await reasoner.asolve(
            f"verifiers:{task.environment}", task.line(), strategy="react", model=client, db=tmp_path / "t.db", run_max_calls=2
        )
        assert first.status != "closed"
        return await reasoner.asolve(
            f"verifiers:{task.environment}", task.line(), strategy="react", model=client, db=tmp_path / "t.db", run_max_calls=9
        )

    result = asyncio.run(both())
    assert (result.correct, result.answer, result.new_calls) == (True, written(["4", "5", "6"]), 1)


@pytest.mark.usefixtures("fake")
async def test_what_an_environment_says_is_bounded_and_ends_nothing() -> None:
    solver, task = opened("hostile")
    assert solver.statement_variables(task) == {"prompt": "It begins."}
    play = solver.episode(task)
    seen = (await play.step(REPLY, {"text": "hello"})).observation
    assert len(seen) <= verifiers.MAX_SEEN_CHARS
    assert "[…]" in seen
    seen.encode()
    for odd in ("", "  ", "x" * verifiers.MAX_MOVE_CHARS):
        with pytest.raises(ToolFailed, match="characters"):
            await play.step(REPLY, {"text": odd})
    await play.aclose()
    assert not (await asyncio.to_thread(solver.verify, task, written(["a"] * (verifiers.MAX_MOVES + 1)))).correct


@pytest.mark.usefixtures("fake")
def test_the_end_of_an_episode_cannot_be_said_by_the_environment(tmp_path: Path) -> None:
    _, task = opened("hostile")
    model = acting((REPLY, {"text": "hello"}), (REPLY, {"text": "end"}))
    result = reasoner.solve("verifiers:hostile", task.line(), strategy="react", model=model, db=tmp_path / "t.db")
    assert result.answer == written(["hello", "end"])
    assert result.correct


@pytest.mark.usefixtures("fake")
def test_a_fault_of_the_environment_is_no_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    solver, task = opened("broken")
    verdict = solver.verify(task, "anything")
    assert (verdict.correct, verdict.score) == (None, 0.0)
    assert verdict.reason.startswith("not judged: the environment failed: TaskError")
    assert verdict.reason.isprintable()
    assert len(verdict.reason) <= 200
    monkeypatch.setattr(verifiers, "STEP_S", 1.0)
    for source, told in (("hang", "did not answer within 1 seconds"), ("dies", "ended")):
        solver, task = opened(source)
        verdict = solver.verify(task, "anything")
        assert verdict.correct is None
        assert told in verdict.reason
    solver, task = opened("words")
    assert solver.verify(task, "rat").correct, "the process is started anew"


@pytest.mark.usefixtures("fake")
async def test_an_action_without_an_answer_ends_the_trajectory(monkeypatch: pytest.MonkeyPatch) -> None:
    solver, task = opened("dies")
    play = solver.episode(task)
    with pytest.raises(DataError, match="ended"):
        await play.step(REPLY, {"text": "anything"})
    await play.aclose()


@pytest.mark.parametrize("source", ["", " ", "../x", "a b", "x" * 200, "paths?", "?n=1", "paths?n=\x00", "1st", "é"])
def test_no_name_of_an_environment(source: str) -> None:
    with pytest.raises(BadConfig, match="names no environment"):
        VerifiersSolver.open(source)
    with pytest.raises(BadInstance):
        registry.solver("verifiers").parse(json.dumps({"environment": source, "task": 0, "key": "k"}))


@pytest.mark.usefixtures("fake")
def test_what_cannot_be_played_is_told() -> None:
    with pytest.raises(BadConfig, match=r"environment nothing cannot be played: .*cannot be imported"):
        opened("nothing")
    with pytest.raises(BadConfig, match="names no environment"):
        registry.solver("verifiers").listed(1)
    solver, task = opened("words")
    with pytest.raises(DataError, match="another one now"):
        solver.statement_variables(task.model_copy(update={"key": "other"}))
    assert solver.verify(task.model_copy(update={"key": "other"}), "rat").correct is None
    with pytest.raises(BadInstance, match="is one of words"):
        registry.solver("verifiers:guess").parse(task.line())


def test_without_the_package_the_install_line_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """By our own program, in a Python that has no verifiers."""
    monkeypatch.delenv(VARIABLE, raising=False)
    alone = Process(sys.executable)
    with pytest.raises(MissingDependency, match=r"verifiers>=0\.4.*REASONER_VERIFIERS"):
        alone.ask({"do": "tasks", "environment": "words", "options": {}}, within_s=60)
    with pytest.raises(BadConfig, match="cannot be run"):
        Process("/nowhere/python").ask({"do": "tasks", "environment": "words", "options": {}}, within_s=60)


@pytest.mark.parametrize(
    "text",
    [
        '{"moves": []', '{"moves": "x"}', '{"moves": [1]}', '{"moves": [["a"]]}', '{"moves": [["a", 1]]}', '{"moves": [""]}', '{"moves": ["a"], "x": 1}',
        '{"moves": ' + "[" * 100_000, '{"moves": [["a", {"b": ' + "[" * 5000 + "]" * 5000 + "}]]}", "\ud800", "x" * 1_000_000,
    ],
)  # fmt: skip
def test_a_text_that_is_no_list_of_actions_is_one_reply(text: str) -> None:
    (move,) = moves_of(text)
    assert isinstance(move, str)
    assert move
    assert len(move) <= verifiers.MAX_MOVE_CHARS
    assert moves_of(f"Answer: {written(['a', ('b', {})])}") == ["a", ("b", {})]


def test_a_reply_of_several_lines_is_an_answer() -> None:
    instance = VerifiersTask(environment="package", task=0, key="k")
    assert VerifiersSolver().canonical_answer(instance, "one\ntwo") == '{"moves": ["one\\ntwo"]}'
    assert VerifiersSolver().canonical_answer(instance, " \n") is None


@pytest.mark.slow
def test_the_real_package_plays(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One reply; a conversation that the environment leads; a tool with state of its own."""
    if not PYTHON:
        pytest.skip("no environment with verifiers; scripts/test makes one, or REASONER_VERIFIERS names the Python of yours")
    monkeypatch.setenv(VARIABLE, PYTHON)
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "tests" / "outside_trainers" / "environments"))
    monkeypatch.setenv("HOME", str(tmp_path))
    own = Process(PYTHON)
    monkeypatch.setattr(verifiers, "process", lambda: own)
    registry.solver.cache_clear()
    try:
        solver, task = opened("reverse_words")
        assert (solver.instructions(task), solver.statement_variables(task)) == ("Be brief.", {"prompt": "Write 'tar' backwards."})
        assert [solver.verify(task, text).correct for text in ("It is rat", "tar")] == [True, False]
        solver, task = opened("guess_number", at=5)
        assert [solver.verify(task, written(each)).correct for each in (["4", "6"], ["4"], ["1"] * 5)] == [True, False, False]
        solver, task = opened("shop_tools")
        model = acting(("shop_price", {"item": "salt"}), (REPLY, {"text": "They cost 5."}))
        result = reasoner.solve("verifiers:shop_tools", task.line(), strategy="react", model=model, db=tmp_path / "t.db")
        assert (result.correct, result.error) == (True, None)
        assert "2.5" in [thought.text for thought in result.trajectory.thoughts()]
        with pytest.raises(BadConfig, match="2 seats"):
            opened("two_seats")
    finally:
        own.end()
        registry.solver.cache_clear()
