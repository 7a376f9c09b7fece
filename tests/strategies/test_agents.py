"""`react` and `code_act`: how turns are read, what is told to the model, how transcripts are shortened; and the two environments."""

from __future__ import annotations

import asyncio
import json
import random
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import reasoner
from reasoner import registry
from reasoner.clients.scripted import ScriptedClient
from reasoner.errors import ContextTooLong, ToolFailed
from reasoner.prompts import Prompts
from reasoner.solver import Solver
from reasoner.strategies._transcript import CUT_CHARS, Step, shorter, whole
from reasoner.strategies.code_act import read_block
from reasoner.strategies.react import misnamed, read_turn, turn_schema
from reasoner.tools import open_tools
from reasoner.types import Completion, Message, Request, ToolCall
from solvers import _shops as shops

ANSWER = "3 4 6 -> (3 * 4 = 12) -> 6 12 -> (6 + 12 = 18) -> 18"
SUBMIT = {"thought": "done", "tool": "submit", "arguments": {"answer": ANSWER}}


def solve(replies: Any, db: Path, *, native: bool, **more: Any) -> tuple[Any, ScriptedClient]:
    client = ScriptedClient(replies, calls_tools=native)
    more.setdefault("strategy", "react")
    return reasoner.solve("arithmetic", "3 4 6 18", model=client, tools=["calculator"], db=db, **more), client


def test_tools_are_described_to_models_that_know_none(tmp_path: Path) -> None:
    turn = {"thought": "I add.", "tool": "calculator", "arguments": {"expression": "6+12"}}
    result, client = solve([json.dumps(turn), "```json\n" + json.dumps(SUBMIT) + "\n```"], tmp_path / "a.db", native=False)
    assert result.correct
    first, second = client.requests
    assert "calculator" in first.messages[0].content
    assert '"expression"' in first.messages[0].content
    assert not first.tools
    assert first.constraint is not None
    assert json.loads(first.constraint.value)["anyOf"][0]["properties"]["tool"] == {"const": "calculator"}
    assert [message.role for message in second.messages] == ["system", "user", "assistant", "user"]
    assert second.messages[-1].content == "Observation: 18"


@pytest.mark.parametrize("native", [True, False])
def test_a_turn_without_a_call_is_the_answer(tmp_path: Path, native: bool) -> None:
    result, client = solve([f"Answer: {ANSWER}"], tmp_path / "a.db", native=native)
    assert result.correct
    assert len(client.requests) == 1


ECHO = '<tools>\n{"type": "function", "function": {"name": "calculator", "description": "Work out", "parameters": {"type": "object"}}}\n</tools>'


def test_a_model_that_repeats_the_definitions_is_asked_in_words(tmp_path: Path) -> None:
    result, client = solve([ECHO, json.dumps(SUBMIT)], tmp_path / "a.db", native=True)
    assert result.correct
    native, in_words = client.requests
    assert (bool(native.tools), native.constraint) == (True, None)
    assert not in_words.tools
    assert in_words.constraint is not None
    assert [message.role for message in in_words.messages] == ["system", "user"], "it begins anew"
    told = [(thought.role, result.trajectory.mark_of(thought).status) for thought in result.trajectory.thoughts()]
    assert told[1:3] == [("react/native", "pruned"), ("react/text", "final")]
    assert reasoner.replay("last", db=tmp_path / "a.db").exact
    wrong, client = solve([ECHO, "Answer: 5"], tmp_path / "b.db", native=True, strategy="react:form=native")
    assert not wrong.correct
    assert all(request.tools for request in client.requests), "a form that is named is kept to"


def called(name: str, **arguments: Any) -> Completion:
    return Completion("", finish_reason="tool_calls", tool_calls=(ToolCall("c", name, json.dumps(arguments)),))


@pytest.mark.parametrize("more", [{"type": "object"}, {"properties": {"expression": "1"}, "required": []}])
def test_a_model_that_repeats_a_definition_as_arguments_is_asked_in_words(tmp_path: Path, more: dict[str, Any]) -> None:
    echo = called("calculator", expression="6+12", **more)
    result, client = solve([echo, json.dumps(SUBMIT)], tmp_path / "a.db", native=True)
    assert result.correct
    assert [bool(request.tools) for request in client.requests] == [True, False]
    assert [thought.role for thought in result.trajectory.thoughts() if thought.role.startswith("act/")] == ["act/submit"], (
        "the echo is no action"
    )
    good = called("calculator", expression="6+12")
    result, client = solve([good, echo, called("submit", answer=ANSWER)], tmp_path / "b.db", native=True)
    assert result.correct
    assert all(request.tools for request in client.requests), "a model that has called a tool knows the form"
    assert "Extra inputs" in client.requests[2].messages[-1].content


@pytest.mark.parametrize("strategy", ["react", "react:form=text", "code_act"])
def test_the_turns_of_an_agent_are_said_to_go_on(tmp_path: Path, strategy: str) -> None:
    _, client = solve([f"Answer: {ANSWER}"], tmp_path / "a.db", native=True, strategy=strategy)
    assert [request.continued for request in client.requests] == [True]


def test_a_model_that_repeats_a_call_is_told_and_then_asked_for_its_answer(tmp_path: Path) -> None:
    turn = {"thought": "I add.", "tool": "calculator", "arguments": {"expression": "6+12"}}
    result, client = solve([json.dumps(turn), json.dumps(turn), json.dumps(turn), json.dumps(SUBMIT)], tmp_path / "a.db", native=False)
    assert result.correct
    first, second, third, last = client.requests
    assert second.messages[-1].content == "Observation: 18"
    assert third.messages[-1].content.startswith(
        "Observation: 18\nYou made this call before, and it gave back the same. If that answers the task, call submit"
    )
    assert last.messages[-1].content.startswith("There are no steps left. Call the tool submit now")
    assert first.constraint is not None
    assert last.constraint is not None
    assert json.loads(last.constraint.value)["properties"]["tool"] == {"const": "submit"}, "no other tool can be written"
    other = {"thought": "", "tool": "calculator", "arguments": {"expression": "3*4"}}
    replies = [json.dumps(one) for one in (turn, turn, other, turn, other, SUBMIT)]
    result, client = solve(replies, tmp_path / "b.db", native=False)
    assert result.correct
    assert "no steps left" not in str(client.requests[-2].messages[-1].content), "a new call in between begins the count anew"


def test_a_model_that_repeats_a_block_is_told_and_then_asked_for_its_answer(tmp_path: Path) -> None:
    block = "```python\nprint(6 * 7)\n```"
    result, client = solve([block, block, block, "Answer: 42"], tmp_path / "a.db", native=False, strategy="code_act")
    assert result.answer == "42"
    first, second, third = (request.messages[-1].content for request in client.requests[1:])
    assert first == "Output:\n42"
    assert second.startswith("Output:\n42\nYou ran this block before")
    assert "Output" not in third
    others = ["```python\nx = 1\nprint(x)\n```", *["```python\nx += 1\nprint(x)\n```"] * 4, f"Answer: {ANSWER}"]
    result, client = solve(others, tmp_path / "b.db", native=False, strategy="code_act")
    assert len(client.requests) == 6, "the same block with another result does not repeat"


PROSE = "I would have to add them up.\nThat is what I would do."


@pytest.mark.parametrize(("strategy", "native"), [("react", True), ("react:form=text", False), ("code_act", False)])
def test_words_without_an_answer_are_no_answer(tmp_path: Path, strategy: str, native: bool) -> None:
    result, client = solve([PROSE, f"Answer: {ANSWER}"], tmp_path / "a.db", native=native, strategy=strategy)
    assert result.correct
    *_, said, asked = client.requests[1].messages
    assert (said.role, said.content) == ("assistant", PROSE)
    assert asked.content.startswith("There are no steps left.")
    assert reasoner.replay("last", db=tmp_path / "a.db").exact
    result, client = solve(["", PROSE], tmp_path / "b.db", native=native, strategy=strategy)
    assert result.answer == PROSE, "asked once, then it is the answer"
    assert "assistant" not in {message.role for message in client.requests[1].messages}, "nothing was said"


@pytest.mark.parametrize("strategy", ["react", "code_act"])
def test_where_nothing_judges_what_is_said_is_the_answer(tmp_path: Path, strategy: str) -> None:
    client = ScriptedClient([PROSE], calls_tools=True)
    assert reasoner.ask("How?", strategy=strategy, model=client, tools=["calculator"], db=tmp_path / "a.db").answer == PROSE
    block = "```python\nprint(6 * 7)\n```"
    client = ScriptedClient([block] * 2, calls_tools=False)
    assert reasoner.ask("How?", strategy="code_act:max_steps=1", model=client, tools=["calculator"], db=tmp_path / "b.db").answer == block


@pytest.mark.parametrize(
    ("last", "answer", "n_blocks"),
    [
        ("```python\nprint(6 * 7)\n```", "42", 3),
        ("```python\nprint(6 * 8)\n```", "48", 3),
        ("```python\nsubmit(6 * 9)\n```", "54", 3),
        ("The code prints it,\nas you see.", "42", 2),
        ("```python\nprint(1 / 0)\n```", "```python\nprint(1 / 0)\n```", 3),
        ("```python\nprint('one')\nprint('two')\n```", "```python\nprint('one')\nprint('two')\n```", 3),
    ],
)
def test_a_block_where_the_answer_is_asked_for_is_run_once_more(tmp_path: Path, last: str, answer: str, n_blocks: int) -> None:
    client = ScriptedClient(["```python\nprint(6 * 7)\n```"] * 2 + [last], calls_tools=False)
    question = '{"question": "What is six times seven?", "answer": "42"}'
    result = reasoner.solve("question", question, strategy="code_act:max_steps=2", model=client, tools=["calculator"], db=tmp_path / "a.db")
    assert result.answer == answer
    roles = [thought.role for thought in result.trajectory.thoughts()]
    assert roles.count("act/python") == n_blocks
    assert reasoner.replay("last", db=tmp_path / "a.db").exact


@pytest.mark.parametrize("effect", ["pure", "once"])
def test_calls_that_change_something_may_be_repeated(tmp_path: Path, effect: Any) -> None:
    @reasoner.tool(effect=effect)
    def lever() -> str:
        """Pull the lever."""
        return "it clicks"

    replies = [*[called("lever")] * 4, called("submit", answer="done")]
    client = ScriptedClient(replies, calls_tools=True)
    result = reasoner.ask("Pull it four times.", strategy="react", model=client, tools=[lever], db=tmp_path / "a.db")
    pulled = [thought for thought in result.trajectory.thoughts() if thought.role == "act/lever"]
    assert len(pulled) == (3 if effect == "pure" else 4)


def test_numbers_are_taken_for_text_where_a_tool_asks_for_text(tmp_path: Path) -> None:
    replies = [called("calculator", expression=54), called("submit", answer=18)]
    result, client = solve(replies, tmp_path / "a.db", native=True)
    assert client.requests[1].messages[-1].content == "54"
    assert result.answer == "18"


@pytest.mark.parametrize(
    ("said", "answer"),
    [(json.dumps(SUBMIT), ANSWER), ("Answer: 5", "5"), ('{"tool": "submit"}', '{"tool": "submit"}')],
)
def test_the_last_turn_is_read_as_any_other(tmp_path: Path, said: str, answer: str) -> None:
    turn = json.dumps({"thought": "I add.", "tool": "calculator", "arguments": {"expression": "6+12"}})
    result, _ = solve([turn, said], tmp_path / "a.db", native=False, strategy="react:max_steps=1")
    assert result.answer == answer


def test_a_turn_that_cannot_be_used_is_told_once(tmp_path: Path) -> None:
    bad = Completion("", finish_reason="tool_calls", tool_calls=(ToolCall("c", "divide", "{}"),))
    good = Completion("", finish_reason="tool_calls", tool_calls=(ToolCall("c", "submit", json.dumps({"answer": ANSWER})),))
    result, client = solve([bad, good], tmp_path / "a.db", native=True)
    assert result.correct
    assert client.requests[1].messages[-1].content == "Error: there is no tool 'divide'; there are calculator, submit"
    result, client = solve([bad, bad, f"Answer: {ANSWER}"], tmp_path / "b.db", native=True)
    assert result.correct, "the second one in a row, and it is asked for its answer"
    assert [message.role for message in client.requests[2].messages[-3:]] == ["assistant", "tool", "user"]
    assert client.requests[2].messages[-1].content.startswith("There are no steps left.")
    with_answer = json.dumps({"tool": "divide", "arguments": {}}) + f"\nAnswer: {ANSWER}"
    result, client = solve([with_answer] * 2, tmp_path / "d.db", native=False)
    assert result.correct, "one that holds its answer need not be asked for it"
    broken = Completion("", finish_reason="tool_calls", tool_calls=(ToolCall("c", "submit", "{"),))
    result, client = solve([broken, good], tmp_path / "c.db", native=True)
    assert result.correct
    assert "no JSON object" in client.requests[1].messages[-1].content


def test_an_answer_beside_calls_that_look_something_up_is_not_taken(tmp_path: Path) -> None:
    def turn(*calls: tuple[str, dict[str, str]]) -> Completion:
        made = tuple(ToolCall(f"c{n}", name, json.dumps(given)) for n, (name, given) in enumerate(calls))
        return Completion("", finish_reason="tool_calls", tool_calls=made)

    guess = turn(("submit", {"answer": "a guess"}), ("calculator", {"expression": "1+1"}))
    result, client = solve([guess, turn(("submit", {"answer": ANSWER}))], tmp_path / "a.db", native=True)
    assert result.correct
    told = {message.tool_call_id: message.content for message in client.requests[1].messages if message.role == "tool"}
    assert told["c1"] == "2"
    assert told["c0"].startswith("Error: not taken")
    assert [t.role for t in result.trajectory.thoughts() if t.role.startswith("act/")] == ["act/calculator", "act/submit"]


def test_a_call_of_a_tool_that_is_not_there_is_told_though_the_client_took_it_for_text(tmp_path: Path) -> None:
    good = Completion("", finish_reason="tool_calls", tool_calls=(ToolCall("c", "submit", json.dumps({"answer": ANSWER})),))
    result, client = solve(['{"name": "books", "arguments": {"genre": "novel"}}', good], tmp_path / "a.db", native=True)
    assert result.correct
    assert client.requests[1].messages[-1].role == "user"
    assert "there is no tool 'books'" in client.requests[1].messages[-1].content
    assert misnamed('{"answer": 7}') == misnamed("{") == misnamed("7") == []


def test_a_strategy_is_given_only_the_tools_it_works_with(tmp_path: Path) -> None:
    seen: dict[str, list[str]] = {}

    def reply(request: Request) -> Any:
        if request.tools:
            seen["react"] = [tool.name for tool in request.tools]
        else:
            seen["code_act"] = [tool["name"] for tool in request.about.params["described"]] if request.about else []
        return "Answer: 1"

    reasoner.bench("sql_explore", n=1, strategy="react,code_act", model=ScriptedClient(reply, calls_tools=True), db=tmp_path / "a.db")
    assert seen == {"react": ["sql", "submit"], "code_act": ["sql", "submit"]}
    reasoner.bench(
        "sql_explore", n=1, strategy="react,code_act", model=ScriptedClient(reply, calls_tools=True), tools=["python"], db=tmp_path / "b.db"
    )
    assert seen["react"] == ["python", "sql", "submit"]


def test_a_block_that_fails_or_shows_nothing_is_told_what_there_is(tmp_path: Path) -> None:
    blocks = ["```python\nsum(p.price for p in products)\n```", "```python\nx = 1\n```", f"Answer: {ANSWER}"]
    result, client = solve(blocks, tmp_path / "a.db", native=False, strategy="code_act")
    assert result.correct
    assert (
        client.requests[1].messages[-1].content.endswith("The functions that are there: calculator(expression: str), submit(answer: str).")
    )
    assert client.requests[2].messages[-1].content == "Output:\n[no output]\nOnly what is printed is seen."


@pytest.mark.parametrize("strategy", ["react:max_steps=2", "code_act:max_steps=2"])
def test_when_the_steps_are_used_up_the_answer_is_asked_for(tmp_path: Path, strategy: str) -> None:
    def reply(request: Request) -> Any:
        if "no steps left" in request.messages[-1].content:
            return f"Answer: {ANSWER}"
        if strategy.startswith("code"):
            return "```python\n1 + 1\n```"
        return Completion("", finish_reason="tool_calls", tool_calls=(ToolCall("c", "calculator", '{"expression": "1+1"}'),))

    result, client = solve(reply, tmp_path / "a.db", native=True, strategy=strategy)
    assert result.correct
    assert len(client.requests) == 3
    assert client.requests[-1].tool_choice == ("none" if strategy.startswith("react") else "")


def test_a_transcript_that_outgrows_the_context_is_shortened_and_says_so(tmp_path: Path) -> None:
    def reply(request: Request) -> Any:
        size = sum(len(message.content) for message in request.messages)
        if size > 30_000:
            raise ContextTooLong("too long", prompt_tokens=size, context_tokens=30_000)
        done = sum(message.role == "assistant" for message in request.messages)
        if any("left out here" in message.content for message in request.messages):
            return f"Answer: {ANSWER}"
        return Completion("", finish_reason="tool_calls", tool_calls=(ToolCall(f"c{done}", "big", json.dumps({"n": done})),))

    @reasoner.tool(max_output_chars=9000)
    def big(n: int) -> str:
        """Give much."""
        return str(n) * 9000

    client = ScriptedClient(reply)
    client.fingerprint = "same"
    db = tmp_path / "a.db"
    result = reasoner.solve("arithmetic", "3 4 6 18", model=client, strategy="react:max_steps=150", tools=[big], db=db)
    levels = [(result.trajectory.mark_of(t).state or {}).get("shortened") for t in result.trajectory.thoughts() if t.role == "react/native"]
    assert levels[:3] == [None, None, None]
    assert set(levels[3:]) >= {1, 3}
    assert result.correct
    assert reasoner.replay(db=db).exact


def test_the_rule_of_shortening() -> None:
    steps = [Step(Message("assistant", f"turn {n}"), (Message("user", "x" * 1000),)) for n in range(5)]
    full = whole("task", steps)
    assert [len(message.content) for message in full] == [4, *[6, 1000] * 5]
    forms = shorter("task", steps)
    assert len(forms) == 3
    assert [len(message.content) > CUT_CHARS + 100 for message in forms[0] if message.role == "user"][1:] == [
        False,
        False,
        False,
        True,
        True,
    ]
    assert [len(message.content) > CUT_CHARS + 100 for message in forms[1] if message.role == "user"][1:] == [False] * 4 + [True]
    assert [message.content[:9] for message in forms[2]] == ["task\n\n[3 ", "turn 3", "xxxxxxxxx", "turn 4", "xxxxxxxxx"]
    assert shorter("task", []) == []


@given(st.text(max_size=400))
def test_no_text_breaks_the_readers(text: str) -> None:
    call, problem = read_turn(text)
    assert call is None or problem is None
    read_block(text)


@pytest.mark.parametrize("text", ["{" * 100_000, '{"tool":' * 3000, "```python\n" * 5000, "```" * 50_000, "`" * 100_000])
def test_hostile_turns_are_read_quickly(text: str) -> None:
    read_turn(text)
    read_block(text)


def test_turns_and_blocks_are_read() -> None:
    assert read_turn('I think {x}. {"tool": "a", "arguments": {"b": 1}} and more')[0] == ToolCall("", "a", '{"b": 1}')
    assert read_turn('{"tool": "a", "arguments": "{}"}')[0] == ToolCall("", "a", "{}")
    assert read_turn("{broken") == (None, read_turn("{broken")[1])
    assert read_turn("The answer is 7.") == (None, None)
    assert read_block("Text\n```python\nx = 1\n```\n```py\ny\n```") == "x = 1\n"
    assert read_block("```json\n{}\n```\n```\nz\n```") == "z\n"
    assert read_block("```python\nnot closed") == "not closed"
    assert read_block("no code") is None
    (one,) = open_tools(["calculator"])
    assert turn_schema([one])["properties"]["arguments"] == one.parameters


async def test_a_walk_shows_its_doors_and_ends_at_the_room() -> None:
    solver = registry.solver("text_rooms")
    instance = solver.parse('{"doors": [["hall", "attic"], ["hall", "kitchen"], ["kitchen", "vault"]], "start": "attic", "goal": "vault"}')
    walk = solver.episode(instance)
    assert (await walk.step("look", {})).observation == "You are in attic. Doors lead to: hall."
    with pytest.raises(ToolFailed, match="no door leads there"):
        await walk.step("go", {"room": "vault"})
    assert (await walk.step("go", {"room": "HALL"})).answer is None
    await walk.step("go", {"room": "kitchen"})
    turn = await walk.step("go", {"room": "vault"})
    assert turn.answer == "attic -> hall -> kitchen -> vault"
    assert solver.verify(instance, f"Answer: {turn.answer}").correct
    for wrong in (
        "attic -> vault",
        "hall -> kitchen -> vault",
        "attic -> hall -> kitchen",
        " -> ".join(["attic", "hall"] * 9 + ["kitchen", "vault"]),
    ):
        assert not solver.verify(instance, f"Answer: {wrong}").correct


async def test_gold_queries_of_sql_explore_agree_with_answers_worked_out_without_sql(tmp_path: Path) -> None:
    solver: Solver[Any] = registry.solver("sql_explore")
    rng = random.Random(7)
    seen = set()
    for number in range(120):
        instance = solver.generate(rng, 3)
        told, data = shops.THEMES[instance.theme], instance.data
        connection = sqlite3.connect(tmp_path / f"{number}.db")
        connection.executescript(shops.script(instance.theme))
        for name, rows, width in ((told.people, data.people, 3), (told.things, data.things, 4), (told.deals, data.deals, 4)):
            connection.executemany(f"INSERT INTO {name} VALUES ({', '.join('?' * width)})", rows)
        (found,) = connection.execute(shops.query(instance.theme, instance.kind, instance.value)).fetchone()
        connection.close()
        assert found == shops.answer(data, instance.kind, instance.value), instance
        assert solver.verify(instance, f"Answer: {found}").correct
        seen.add(instance.kind)
    assert len(seen) == 9


def test_levels_of_sql_explore_tell_less_and_ask_more() -> None:
    solver: Solver[Any] = registry.solver("sql_explore")
    rng = random.Random(3)
    shown = {level: solver.statement_variables(solver.generate(rng, level)) for level in solver.levels}
    assert [bool(shown[level]["rows"]) for level in shown] == [True, False, False, False]
    assert [bool(shown[level]["tables"]) for level in shown] == [True, True, True, False]
    assert {solver.generate(rng, level).kind for level in (1, 2) for _ in range(40)} == set(shops.OF_THINGS)
    instance = solver.generate(rng, 1)
    rows = solver.statement_variables(instance)["rows"].splitlines()
    assert [tuple(row.split(" | ")) for row in rows[2:]] == [tuple(map(str, row)) for row in instance.data.things]
    told = Prompts().get("solvers/sql_explore").render_text(solver.statement_variables(instance))
    assert "42" not in told.replace(rows[0], "").split("End with")[1]


@pytest.mark.parametrize("solver", ["sql_explore", "text_rooms"])
@pytest.mark.parametrize("strategy", ["react", "react:form=text", "code_act", "self_consistency(react):n=2"])
def test_the_teacher_acts_in_every_environment(solver: str, strategy: str, tmp_path: Path) -> None:
    report = reasoner.bench(solver, n=4, strategy=strategy, model="teacher", db=tmp_path / "a.db").report
    assert all(result.correct for result in report.results)
    assert all(any(t.role.startswith("act/") for t in result.trajectory.thoughts()) for result in report.results)
    assert reasoner.replay(db=tmp_path / "a.db").exact


def test_an_environment_goes_on_where_it_was(tmp_path: Path) -> None:
    line = '{"doors": [["1", "2"], ["2", "3"], ["3", "4"]], "start": "1", "goal": "4"}'

    def go(request: Request) -> Any:
        room = str(2 + sum(message.role == "tool" for message in request.messages))
        return Completion("", finish_reason="tool_calls", tool_calls=(ToolCall("c", "go", json.dumps({"room": room})),))

    async def both() -> Any:
        client = ScriptedClient(go)
        client.fingerprint = "same"
        await reasoner.asolve("text_rooms", line, strategy="react", model=client, db=tmp_path / "a.db", run_max_calls=2)
        return await reasoner.asolve("text_rooms", line, strategy="react", model=client, db=tmp_path / "a.db", run_max_calls=9)

    result = asyncio.run(both())
    assert result.correct
    assert result.answer == "1 -> 2 -> 3 -> 4"
