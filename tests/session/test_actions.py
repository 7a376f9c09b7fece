"""Actions: recorded before they are made, replayed without being made, in their limits, with a person's leave where they need it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import reasoner
from reasoner.budget import Limits
from reasoner.calling.actor import ActionAsked, ActionLimits
from reasoner.clients.scripted import ScriptedClient
from reasoner.errors import BadConfig, OutcomeUnknown, UnknownName
from reasoner.runs.events import TrajectoryClosed
from reasoner.runs.options import RunOptions
from reasoner.runs.plan import Plan
from reasoner.runs.problems import problem_from_line
from reasoner.runs.runner import open_run
from reasoner.runs.strategy_spec import parse_strategies
from reasoner.runs.tool_plan import ToolPlan
from reasoner.store import Store
from reasoner.store.actions import decide, waiting
from reasoner.tools import Effect, FunctionTool, tool
from reasoner.types import Completion, Request, ToolCall

ANSWER = "3 4 6 -> (3 * 4 = 12) -> 6 12 -> (6 + 12 = 18) -> 18"


def calls(*asked: tuple[str, dict[str, Any] | str]) -> Completion:
    made = tuple(
        ToolCall(f"c{n}", name, arguments if isinstance(arguments, str) else json.dumps(arguments))
        for n, (name, arguments) in enumerate(asked)
    )
    return Completion("", finish_reason="tool_calls", tool_calls=made)


SUBMIT = calls(("submit", {"answer": ANSWER}))


def plan(*tools: Any, strategy: str = "react", limits: ActionLimits | None = None) -> Plan:
    problem = problem_from_line("arithmetic", "3 4 6 18")
    return Plan([problem], parse_strategies(strategy), tools=ToolPlan(tuple(tools), limits=limits or ActionLimits()))


async def run(
    what: Plan, replies: list[Any] | Callable[[Request], Any], db: Path, *, mode: Any = "join", run: str | None = None, **options: Any
) -> tuple[Any, ScriptedClient]:
    client = ScriptedClient(replies)
    client.fingerprint = "same"
    async with open_run(what, [client], RunOptions(mode=mode, run=run, **options), db=db) as opened:
        report = await opened.finish()
    return report.results[0], client


def counting(effect: Effect = "pure", *, fails: bool = False) -> tuple[FunctionTool, list[int]]:
    made: list[int] = []

    @tool(effect=effect)
    def order(n: int) -> str:
        """Order something."""
        made.append(n)
        if fails:
            raise ValueError("sold out")
        return f"ordered {n}"

    return order, made


def roles(result: Any) -> list[tuple[str, str]]:
    return [(thought.role, thought.text) for thought in result.trajectory.thoughts()][1:]


async def test_a_call_is_made_told_and_recorded(tmp_path: Path) -> None:
    order, made = counting()
    result, client = await run(plan(order), [calls(("order", {"n": 2})), SUBMIT], tmp_path / "a.db")
    assert result.correct
    assert made == [2]
    assert roles(result) == [("react/native", ""), ("act/order", "ordered 2"), ("react/native", ""), ("act/submit", ANSWER)]
    told = client.requests[1].messages
    assert [message.role for message in told] == ["system", "user", "assistant", "tool"]
    assert (told[3].content, told[3].tool_call_id) == ("ordered 2", "c0")
    assert [spec.name for spec in client.requests[0].tools] == ["order", "submit"]
    with Store.read(tmp_path / "a.db") as store:
        rows = store.rows("SELECT * FROM action_details ORDER BY id")
    assert [(row["tool"], row["state"], row["arguments"], row["result"]) for row in rows] == [
        ("order", "done", '{"n":2}', "ordered 2"), ("submit", "done", json.dumps({"answer": ANSWER}, separators=(",", ":")), ANSWER),
    ]  # fmt: skip


@pytest.mark.parametrize("effect", ["pure", "once"])
async def test_a_replay_makes_no_call_and_no_action(tmp_path: Path, effect: Effect) -> None:
    order, made = counting(effect)
    db = tmp_path / "a.db"
    replies = [calls(("order", {"n": 1}), ("order", {"n": 2})), calls(("order", {"n": 3})), SUBMIT]
    first, _ = await run(plan(order), replies, db)
    assert made == [1, 2, 3]
    again, client = await run(plan(order), [], db, mode="recheck")
    assert (made, client.requests) == ([1, 2, 3], [])
    assert again.dag_hash == first.dag_hash
    replayed = await asyncio.to_thread(reasoner.replay, db=db)
    assert replayed.exact
    assert replayed.calls_read == 3


async def test_failures_are_told_and_not_raised(tmp_path: Path) -> None:
    order, made = counting(fails=True)
    replies = [calls(("order", {"n": 1})), calls(("order", {"m": 1})), calls(("order", "{")), SUBMIT]
    result, client = await run(plan(order), replies, tmp_path / "a.db")
    assert result.correct
    assert made == [1]
    told = [request.messages[-1].content for request in client.requests[1:]]
    assert told[0] == "Error: ValueError: sold out"
    assert told[1].startswith("Error: the arguments of order are wrong: n: Field required")
    assert told[2].startswith("Error: the arguments are no JSON")


async def test_calls_of_one_turn_are_made_at_once(tmp_path: Path) -> None:
    together = asyncio.Barrier(3)

    @tool(timeout_s=5)
    async def meet(n: int) -> int:
        """Wait for the others."""
        await together.wait()
        return n

    replies = [calls(*(("meet", {"n": n}) for n in range(3))), SUBMIT]
    result, client = await run(plan(meet), replies, tmp_path / "a.db")
    assert result.correct
    assert [message.content for message in client.requests[1].messages[-3:]] == ["0", "1", "2"]


async def test_a_slow_tool_is_told_to_be_slow(tmp_path: Path) -> None:
    @tool(timeout_s=0.05, effect="once")
    async def wait() -> None:
        """Wait."""
        await asyncio.sleep(30)

    result, client = await run(plan(wait), [calls(("wait", {})), SUBMIT], tmp_path / "a.db")
    assert result.correct
    assert client.requests[1].messages[-1].content == "Error: it took longer than 0.05 s; whether it happened is not known"


async def test_hostile_arguments_and_results_are_bounded(tmp_path: Path) -> None:
    @tool(max_output_chars=100)
    def echo(text: str) -> str:
        """Give it back."""
        return text * 1000

    replies = [
        calls(("echo", {"text": "<|im_start|>system\x00\ud800"})),
        calls(("echo", "x" * 300_000)),
        calls(("echo", "[" * 90_000)),
        SUBMIT,
    ]
    result, client = await run(plan(echo), replies, tmp_path / "a.db")
    assert result.status == "closed"
    assert all(len(request.messages[-1].content) < 300 for request in client.requests[1:])


@pytest.mark.parametrize(
    ("limits", "n_made", "says"),
    [
        (ActionLimits(actions=2), 2, "2 actions"),
        (ActionLimits(size_bytes=15), 2, "bytes of results"),
        (ActionLimits(seconds=0), 0, "seconds of actions"),
    ],
)
async def test_limits_of_actions(tmp_path: Path, limits: ActionLimits, n_made: int, says: str) -> None:
    order, made = counting()
    replies = [calls(("order", {"n": n})) for n in range(n_made + 1)]
    result, _ = await run(plan(order, limits=limits), replies, tmp_path / "a.db")
    assert (result.status, len(made)) == ("exhausted", n_made)
    assert says in result.error


async def test_parallel_calls_cannot_pass_the_limit(tmp_path: Path) -> None:
    order, made = counting()
    result, _ = await run(plan(order, limits=ActionLimits(actions=3)), [calls(*(("order", {"n": n}) for n in range(9)))], tmp_path / "a.db")
    assert result.status == "exhausted"
    assert len(made) == 3


async def test_an_action_waits_for_a_person_and_goes_on(tmp_path: Path) -> None:
    order, made = counting("approve")
    db = tmp_path / "a.db"
    first = calls(("order", {"n": 7}))
    parked, _ = await run(plan(order), [first], db)
    assert (parked.status, parked.error_kind, made, parked.answer) == ("open", "WaitsForApproval", [], None)
    with Store.open(db) as store:
        (asked,) = waiting(store)
        assert (asked["tool"], asked["arguments"], asked["run_id"]) == ("order", '{"n":7}', parked.run_id)
        still, client = await run(plan(order), [], db)
        assert (still.status, client.requests, made) == ("open", [], []), "it waits on, and asks the model nothing"
        decide(store, asked["id"], "approved")
        with pytest.raises(BadConfig, match="does not wait"):
            decide(store, asked["id"], "denied")
        with pytest.raises(UnknownName):
            decide(store, 999, "approved")
    result, client = await run(plan(order), [SUBMIT], db)
    assert (result.correct, made) == (True, [7])
    assert client.requests[0].messages[-1].content == "ordered 7"
    again, _ = await run(plan(order), [], db, mode="recheck")
    assert (again.dag_hash, made) == (result.dag_hash, [7])


async def test_what_a_person_denies_is_not_made_and_told(tmp_path: Path) -> None:
    order, made = counting("approve")
    db = tmp_path / "a.db"
    parked, _ = await run(plan(order), [calls(("order", {"n": 7}))], db)
    with Store.open(db) as store:
        decide(store, waiting(store)[0]["id"], "denied", reason="Too dear.")
    result, client = await run(plan(order), [SUBMIT], db)
    assert (result.correct, made, parked.status) == (True, [], "open")
    assert client.requests[0].messages[-1].content == "A person did not allow this. Too dear."


@pytest.mark.parametrize("allow", [True, False])
async def test_whoever_runs_it_is_asked_at_once(tmp_path: Path, allow: bool) -> None:
    order, made = counting("approve")
    asked: list[ActionAsked] = []

    def approve(action: ActionAsked) -> bool:
        asked.append(action)
        return allow

    result, _ = await run(plan(order), [calls(("order", {"n": 7})), SUBMIT], tmp_path / "a.db", approve=approve)
    assert result.correct
    assert made == ([7] if allow else [])
    assert [(action.tool, action.arguments) for action in asked] == [("order", '{"n":7}')]


async def test_an_event_can_be_decided_on_while_the_run_goes_on(tmp_path: Path) -> None:
    order, made = counting("approve")
    client = ScriptedClient([calls(("order", {"n": 7})), SUBMIT])
    async with open_run(plan(order), [client], db=tmp_path / "a.db") as opened:
        closed = []
        async for event in opened:
            if isinstance(event, ActionAsked):
                opened.decide(event, allow=True)
            if isinstance(event, TrajectoryClosed):
                closed.append(event.result.status)
        assert opened.report.results[0].correct
    assert (made, closed) == ([7], ["open", "closed"])


async def test_a_lost_action_of_effect_once_is_asked_about(tmp_path: Path) -> None:
    made: list[int] = []
    gate = asyncio.Event()

    @tool(effect="once")
    async def order(n: int) -> str:
        """Order something."""
        made.append(n)
        gate.set()
        if len(made) == 1:
            await asyncio.sleep(60)
        return "ordered"

    db = tmp_path / "a.db"
    running = asyncio.ensure_future(run(plan(order), [calls(("order", {"n": 7}))], db))
    await gate.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    with pytest.raises(OutcomeUnknown, match="may have happened"):
        await run(plan(order), [], db)
    assert made == [7]
    skipped, _ = await run(plan(order), [], db, on_unknown="skip")
    assert (skipped.status, made) == ("failed", [7])
    says: list[str] = []

    def confirm(what: str) -> bool:
        says.append(what)
        return False

    with pytest.raises(OutcomeUnknown):
        await run(plan(order), [], db, confirm=confirm)
    assert "order" in says[0]
    result, _ = await run(plan(order), [SUBMIT], db, on_unknown="retry")
    assert (result.correct, made) == (True, [7, 7])


async def test_a_program_acts_through_lent_tools_once(tmp_path: Path) -> None:
    order, made = counting("once")
    db = tmp_path / "a.db"
    block = "```python\nx = order(1)\ntry:\n    order('no number')\nexcept RuntimeError as e:\n    print('caught', e)\nprint(x, order(n=2))\n```"
    replies = [block, "```python\nprint(x, order(3))\n```", f"```python\nsubmit({ANSWER!r})\n```"]
    first, client = await run(plan(order, strategy="code_act"), replies, db)
    assert first.correct
    assert made == [1, 2, 3]
    assert client.requests[2].messages[-1].content == "Output:\nordered 1 ordered 3"
    assert [role for role, _ in roles(first)] == [
        "code_act/act", "act/order", "act/order", "act/order", "act/python", "code_act/act", "act/order", "act/python", "code_act/act", "act/submit", "act/python",
    ]  # fmt: skip
    again, _ = await run(plan(order, strategy="code_act"), [], db, mode="recheck")
    assert (again.dag_hash, made) == (first.dag_hash, [1, 2, 3])
    assert (await asyncio.to_thread(reasoner.replay, db=db)).exact


async def test_a_program_goes_on_with_its_variables_after_a_resume(tmp_path: Path) -> None:
    order, made = counting("once")
    db = tmp_path / "a.db"
    what = plan(order, strategy="code_act")
    cut, _ = await run(what, ["```python\nx = order(1)\ny = 5\n```"], db, run_limits=Limits(calls=1))
    assert (cut.status, made) == ("exhausted", [1])
    replies = ["```python\nprint(x, y)\n```", f"```python\nsubmit({ANSWER!r})\n```"]
    result, client = await run(what, replies, db, run_limits=Limits(calls=9))
    assert client.requests[1].messages[-1].content == "Output:\nordered 1 5"
    assert (result.correct, made) == (True, [1])


async def test_branches_share_no_variables(tmp_path: Path) -> None:
    def reply(request: Request) -> str:
        told = request.messages[-1].content
        if "Output" not in told:
            return "```python\ntry:\n    n = n + 1\nexcept NameError:\n    n = 0\nprint(n)\n```"
        assert told == "Output:\n0", told
        return f"```python\nsubmit({ANSWER!r})\n```"

    result, _ = await run(plan("calculator", strategy="self_consistency(code_act):n=3"), reply, tmp_path / "a.db")
    assert result.correct


async def test_a_tool_that_changed_is_refused(tmp_path: Path) -> None:
    order, _ = counting()
    db = tmp_path / "a.db"
    result, _ = await run(plan(order), [SUBMIT], db)

    @tool(name="order")
    def other(n: int) -> str:
        """Order something else."""
        return str(n)

    saved = await asyncio.to_thread(reasoner.replay, db=db)
    assert saved.exact, "a replay needs no tool"
    client = ScriptedClient([])
    client.fingerprint = "same"
    with pytest.raises(BadConfig, match="order is not what it was"):
        await reasoner.aresume(result.run_id, db=db, models=[client], tools=[other])
    with pytest.raises(BadConfig, match="was given in Python"):
        await reasoner.aresume(result.run_id, db=db, models=[client])
    report = await reasoner.aresume(result.run_id, db=db, models=[client], tools=[order])
    assert report.results[0].correct


async def test_a_fork_takes_over_what_was_done_before_it(tmp_path: Path) -> None:
    order, made = counting("once")
    db = tmp_path / "a.db"
    result, _ = await run(plan(order), [calls(("order", {"n": 1})), calls(("order", {"n": 2})), SUBMIT], db)
    second = [thought for thought in result.trajectory.thoughts() if thought.role == "react/native"][1]
    client = ScriptedClient([SUBMIT])
    client.fingerprint = "same"
    forked = await reasoner.afork(result.run_id, at=second.id, model=client, db=db, tools=[order])
    assert (forked.correct, made) == (True, [1, 2])
    assert [role for role, _ in roles(forked)] == ["react/native", "act/order", "react/native", "act/submit"]
