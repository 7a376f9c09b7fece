"""The session and its journal: keys, replay, order of commits, budget, faults."""

from __future__ import annotations

import asyncio
import json
import random
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reasoner.budget import Budget, Limits
from reasoner.calling.caller import Caller, Channel
from reasoner.calling.limiter import Limiter
from reasoner.calling.retry import RetryPolicy
from reasoner.clients.scripted import ScriptedClient
from reasoner.errors import BadConfig, BadTemplate, BudgetExhausted, ClientError, ConnectFailed, Refused, ServerFailed, StoreError
from reasoner.prompts import Prompts
from reasoner.session import Rules, Session
from reasoner.store import Store
from reasoner.store.claims import TrajectoryRow, claim, leave
from reasoner.store.journal import Journal
from reasoner.store.queries import load_trajectory, prompt_of
from reasoner.store.records import start_run
from reasoner.trajectory import Trajectory
from reasoner.types import Completion, Message, Problem, Request, Sampling, Usage

PROBLEM = Problem("toy", '{"x":1}', "1")
QUICK = RetryPolicy(first_wait_s=0.0, max_wait_s=0.0)


@pytest.fixture
def prompts(tmp_path: Path) -> Prompts:
    folder = tmp_path / "prompts" / "toy"
    folder.mkdir(parents=True)
    head = '+++\nversion = 1\nvariables = ["statement", "hint"]\n+++\n'
    (folder / "ask.jinja").write_text(head + "{% block system %}S{% endblock %}{% block user %}{{ statement }} {{ hint }}{% endblock %}")
    return Prompts(tmp_path / "prompts")


@pytest.fixture
def db(tmp_path: Path) -> Path:
    return tmp_path / "t.db"


class Opened(Session):
    """A session that tells what it was put together from."""

    def __init__(self, trajectory: Trajectory, caller: Caller, prompts: Prompts) -> None:
        super().__init__(PROBLEM, trajectory, caller, prompts=prompts, rules=Rules(seed="s", sampling=Sampling(max_tokens=10)))
        self.caller = caller


@asynccontextmanager
async def session(
    db: Path, prompts: Prompts, client: Any, *, limits: Limits | None = None, run_limits: Limits | None = None, **more: Any
) -> AsyncIterator[tuple[Opened, Store]]:
    with Store.open(db) as store:
        row = start_run(store, {"toy": 1}, command="toy", limits=run_limits)
        task = TrajectoryRow("t" * 16, row.id, PROBLEM, "toy", "{}", client.name, client.fingerprint, 0)
        ours = await store.write(lambda c: claim(c, task, row.worker))
        journal = Journal(store, run_id=row.id, trajectory_id=task.id, epoch=ours.epoch, durable=False)
        channel = Channel(client, Limiter(4), retry=QUICK, **more)
        caller = Caller(channel, journal, Budget(limits), jitter=random.Random(0))
        yield Opened(Trajectory("t" * 16, root_text="one?"), caller, prompts), store
        await store.write(lambda c: leave(c, row.worker))


async def search(s: Session) -> str:
    """A small search: two branches, the better one asked again, a note, marks."""
    branches = await s.ask_many("toy/ask", n=2, hint="branch", state=[1])
    for branch in branches:
        s.mark(branch, score=len(branch.text), status="pruned")
    best = max(branches, key=lambda b: len(b.text))
    s.mark(best, status="kept")
    last = await s.ask("toy/ask", parent=best, hint="last", history=[Message("user", "q"), Message("assistant", "a")])
    note = s.note("part", parent=last, role="toy/step", operation="cut", label="1.1")
    s.mark(note, status="final", state={"deep": ["x"]})
    return s.offer(last.text, last).text


async def test_replay_makes_no_call_and_gives_the_same_graph(db: Path, prompts: Prompts) -> None:
    first = ScriptedClient(["short", "much longer", "the end"])
    async with session(db, prompts, first) as (s, store):
        answer = await search(s)
        await store.write(lambda c: s.caller.journal.put_thoughts(c, s.unwritten()))
        graph = s.trajectory.hash()
        spent = s.budget.spent
    nobody = ScriptedClient([])
    nobody.fingerprint = first.fingerprint
    async with session(db, prompts, nobody) as (s, store):
        assert await search(s) == answer == "the end"
        assert nobody.requests == []
        assert s.replayed_calls == 3
        assert s.caller.made == 0
        assert s.trajectory.hash() == graph
        assert s.budget.spent == spent
        assert load_trajectory(store, "t" * 16).hash() == graph


async def test_seeds_differ_by_place_and_repeat_by_run(tmp_path: Path, prompts: Prompts) -> None:
    seen = []
    for name in ("a.db", "b.db"):
        client = ScriptedClient(["short", "much longer", "the end"])
        async with session(tmp_path / name, prompts, client) as (s, _):
            await search(s)
        seen.append([r.seed for r in client.requests])
    assert seen[0] == seen[1]
    assert len(set(seen[0])) == 3


async def test_what_is_asked_is_stored_word_for_word(db: Path, prompts: Prompts) -> None:
    client = ScriptedClient(["short", "much longer", "the end"])
    async with session(db, prompts, client) as (s, store):
        await search(s)
        rows = store.rows("SELECT * FROM call_details ORDER BY id")
        assert [prompt_of(store, row["context_id"]) for row in rows] == [r.messages for r in client.requests]
        assert [m.role for m in client.requests[2].messages] == ["system", "user", "assistant", "user"]
        assert {row["state"] for row in rows} == {"done"}
        assert {row["template_hash"] for row in rows} == {prompts.get("toy/ask").hash}
        assert len({row["key"] for row in rows}) == 3
        assert store.rows("SELECT count(*) AS n FROM messages WHERE content = 'S'") == [{"n": 1}]


async def test_the_intent_is_committed_before_the_call(db: Path, prompts: Prompts) -> None:
    async with session(db, prompts, ScriptedClient([])) as (s, store):
        seen: list[list[dict[str, Any]]] = []

        def reply(_request: Any) -> str:
            seen.append(store.rows("SELECT state, reserved_tokens FROM calls"))
            return "x"

        s.caller.client = ScriptedClient(reply)
        await s.ask("toy/ask", hint="")
        assert seen[0][0]["state"] == "intent"
        assert seen[0][0]["reserved_tokens"] > 10
        assert store.rows("SELECT state, reserved_tokens FROM calls") == [{"state": "done", "reserved_tokens": None}]


async def test_a_killed_process_leaves_unknown_and_asks_again(db: Path, prompts: Prompts) -> None:
    async def killed(request: Any) -> Completion:
        raise SystemExit  # stands for a death between intent and result: no handler of ours runs

    async with session(db, prompts, ScriptedClient([])) as (s, store):
        s.caller.client.complete = killed  # type: ignore[method-assign]
        with pytest.raises(SystemExit):
            await s.ask("toy/ask", hint="")
        assert store.rows("SELECT state FROM calls") == [{"state": "intent"}]
    async with session(db, prompts, ScriptedClient(["x"])) as (s, store):
        assert (await s.ask("toy/ask", hint="")).text == "x"
        assert store.rows("SELECT state, attempt FROM calls ORDER BY attempt") == [
            {"state": "unknown", "attempt": 0},
            {"state": "done", "attempt": 1},
        ]


async def test_whoever_lost_the_run_cannot_write(db: Path, prompts: Prompts) -> None:
    async with session(db, prompts, ScriptedClient(["x", "y"])) as (s, store):
        await s.ask("toy/ask", hint="")
        other = start_run(store, {"toy": 1}).worker
        task = TrajectoryRow("t" * 16, other.run_id, PROBLEM, "toy", "{}", "m", "m", 0)
        assert store.write_now(lambda c: claim(c, task, other)).state == "busy"
        store.write_now(lambda c: c.execute("UPDATE workers SET lease_until = 0 WHERE id <> ?", (other.id,)))  # we say nothing for long
        assert store.write_now(lambda c: claim(c, task, other)).state == "ours"
        with pytest.raises(StoreError, match="taken over"):
            await s.ask("toy/ask", hint="")
        assert store.rows("SELECT count(*) AS n FROM calls") == [{"n": 1}]


async def test_budget_stops_before_the_call(db: Path, prompts: Prompts) -> None:
    client = ScriptedClient(["x"])
    async with session(db, prompts, client, limits=Limits(calls=1)) as (s, store):
        await s.ask("toy/ask", hint="")
        with pytest.raises(BudgetExhausted):
            await s.ask("toy/ask", hint="")
        with pytest.raises(BudgetExhausted):
            await s.ask_many("toy/ask", n=3, hint="")
        assert len(client.requests) == 1
        assert store.rows("SELECT count(*) AS n FROM calls") == [{"n": 1}]


@pytest.mark.parametrize(
    ("fault", "state", "attempts"),
    [(ServerFailed("502"), "unknown", 5), (ConnectFailed("nobody"), "failed", 5), (Refused("401"), "failed", 1)],
)
async def test_faults_are_recorded_and_raised(db: Path, prompts: Prompts, fault: ClientError, state: str, attempts: int) -> None:
    client = ScriptedClient([fault] * attempts)
    async with session(db, prompts, client) as (s, store):
        with pytest.raises(type(fault)):
            await s.ask("toy/ask", hint="")
        assert len(client.requests) == attempts
        row = store.rows("SELECT state, error, retries FROM calls")[0]
        assert (row["state"], row["retries"]) == (state, attempts - 1)
        assert str(fault) in row["error"]


async def test_two_failures_then_success_is_three_attempts(db: Path, prompts: Prompts) -> None:
    client = ScriptedClient([ServerFailed("1"), ServerFailed("2"), "x"])
    async with session(db, prompts, client) as (s, store):
        assert (await s.ask("toy/ask", hint="")).text == "x"
        assert store.rows("SELECT state, retries FROM calls") == [{"state": "done", "retries": 2}]


async def test_cancellation_while_an_intent_is_being_committed_leaves_none_open(db: Path, prompts: Prompts) -> None:
    client = ScriptedClient([])
    busy = threading.Event()
    async with session(db, prompts, client) as (s, store):
        held = asyncio.create_task(store.write(lambda _: busy.wait(10)))
        asking = asyncio.create_task(s.ask("toy/ask", hint="x"))
        await asyncio.sleep(0.05)
        asking.cancel()
        await asyncio.sleep(0)
        busy.set()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await held
        assert client.requests == []
        assert store.rows("SELECT state, error FROM calls") == [{"state": "failed", "error": "cancelled before it was sent"}]


async def test_cancellation_is_recorded(db: Path, prompts: Prompts) -> None:
    async def slow(request: Any) -> Completion:
        await asyncio.sleep(60)
        raise AssertionError

    async with session(db, prompts, ScriptedClient([])) as (s, store):
        s.caller.client.complete = slow  # type: ignore[method-assign]
        task = asyncio.create_task(s.ask("toy/ask", hint=""))
        await asyncio.sleep(0.3)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert store.rows("SELECT state, error FROM calls") == [{"state": "unknown", "error": "cancelled"}]


async def test_hostile_reply_is_bounded_and_storable(db: Path, prompts: Prompts) -> None:
    async with session(db, prompts, ScriptedClient(["a\ud800b\x00" + "x" * 5_000_000])) as (s, store):
        thought = await s.ask("toy/ask", hint="")
        assert len(thought.text) <= 1 << 22
        await store.write(lambda c: s.caller.journal.put_thoughts(c, s.unwritten()))
        assert load_trajectory(store, "t" * 16).hash() == s.trajectory.hash()


async def test_a_thought_whose_first_commit_was_undone_is_written_with_its_next(db: Path, prompts: Prompts) -> None:
    async with session(db, prompts, ScriptedClient(["one"])) as (s, store):
        thought = await s.ask("toy/ask", hint="")
        note = s.note("part", parent=thought, role="toy/step")

        def failing(c: Any) -> None:
            s.caller.journal.put_thoughts(c, s.unwritten())
            raise BadConfig("no", hint="")

        with pytest.raises(BadConfig):
            await store.write(failing)
        s.mark(note, status="kept", score=2.0)
        s.mark(thought, status="pruned", state={"x": 1})
        await store.write(lambda c: s.caller.journal.put_thoughts(c, s.unwritten()))
        assert load_trajectory(store, "t" * 16).hash() == s.trajectory.hash()


async def test_bad_asks(db: Path, prompts: Prompts) -> None:
    async with session(db, prompts, ScriptedClient([])) as (s, _):
        with pytest.raises(BadTemplate, match="hint"):
            await s.ask("toy/ask")
        with pytest.raises(BadConfig, match="shots"):
            s.shots("cot", 1)


async def test_cost_is_zero_for_free_and_unknown_without_a_price(db: Path, prompts: Prompts) -> None:
    async with session(db, prompts, ScriptedClient([Completion("x", usage=Usage(3, 4))], paid=True)) as (s, store):
        await s.ask("toy/ask", hint="")
        assert s.budget.spent.cost is None
        assert store.rows("SELECT cost FROM calls") == [{"cost": None}]


async def test_a_full_graph_is_refused_before_the_call(db: Path, prompts: Prompts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reasoner.session.session.MAX_THOUGHTS", 3)
    client = ScriptedClient(["x"])
    async with session(db, prompts, client) as (s, store):
        thought = await s.ask("toy/ask", hint="")
        s.note("part", parent=thought, role="toy/step")
        with pytest.raises(BudgetExhausted, match="3 thoughts"):
            s.note("part", parent=thought, role="toy/step")
        with pytest.raises(BudgetExhausted):
            await s.ask("toy/ask", hint="")
        assert store.rows("SELECT state FROM calls") == [{"state": "done"}]


async def test_a_call_that_waits_to_be_asked_again_holds_no_place(db: Path, prompts: Prompts) -> None:
    answers = {"first": 0}

    async def complete(request: Any) -> Completion:
        assert s.caller.limiter.in_flight == 1
        if "slow" in request.messages[-1].content and not answers["first"]:
            answers["first"] = 1
            raise ServerFailed("busy", retry_after_s=0.5)
        return Completion("x")

    async with session(db, prompts, ScriptedClient([])) as (s, _):
        s.caller.limiter = Limiter(1)
        s.caller.client.complete = complete  # type: ignore[method-assign]
        slow = asyncio.create_task(s.ask("toy/ask", hint="slow"))
        await asyncio.sleep(0.2)
        assert (await s.ask("toy/ask", hint="quick")).text == "x"
        assert not slow.done()
        assert (await slow).text == "x"


async def test_a_branch_shares_what_counts_and_has_what_is_its_own(db: Path, prompts: Prompts) -> None:
    client = ScriptedClient(["outer", "inner one", "inner two"])
    async with session(db, prompts, client) as (s, _):
        await s.ask("toy/ask", hint="h")
        first = s.branch(role="toy/branch", label="1", statement="another?", sampling={"temperature": 0.5})
        second = s.branch(role="toy/branch", label="2")
        one = await first.ask("toy/ask", hint="h")
        two = await second.ask("toy/ask", hint="h")
        assert s.trajectory.parents(one) == [first.root]
        assert s.trajectory.parents(two) == [second.root]
        assert s.trajectory.parents(first.root) == [s.root]
        assert first.budget is s.budget
        assert s.budget.spent.calls == 3
        assert [r.messages[-1].content for r in client.requests] == ["one? h", "another? h", "one? h"]
        assert [r.sampling.temperature for r in client.requests] == [0.0, 0.5, 0.0]
        assert len({r.seed for r in client.requests}) == 3
        draws = [v.rng.random() for v in (s, first, second)]
        assert len(set(draws)) == 3
        first.offer("mine", one)
        assert (s.best, second.best) == (None, None)
        assert s.statement == second.statement == "one?"


async def test_the_number_format_is_applied_on_the_way_out_and_undone_on_the_way_in(db: Path, prompts: Prompts) -> None:
    client = ScriptedClient(["Answer: 1,234,567", "x"])
    async with session(db, prompts, client) as (s, _):
        view = s.branch(role="toy/branch", numbers="right_to_left")
        thought = await view.ask("toy/ask", hint="1234567", history=[Message("user", "89012"), Message("assistant", "7,000")])
        assert [m.content for m in client.requests[0].messages] == ["S", "89,012", "7,000", "one? 1,234,567"]
        assert thought.text == "Answer: 1,234,567", "what the model wrote is kept as it is"
        assert view.read(thought) == "Answer: 1234567"
        assert view.offer(thought.text, thought).text == "Answer: 1234567"
        assert view.canonical_answer(thought.text) == "1234567"
        assert s.read(thought) == thought.text
        plain = await s.ask("toy/ask", hint="1234567")
        assert client.requests[1].messages[-1].content == "one? 1234567"
        assert s.offer(plain.text, plain).text == "x"


async def test_an_exhausted_call_lets_those_under_way_finish(db: Path, prompts: Prompts) -> None:
    async with session(db, prompts, ScriptedClient(["a", "b", "c"]), limits=Limits(calls=3)) as (s, store):
        with pytest.raises(BudgetExhausted):
            await s.ask_many("toy/ask", n=5, hint="h")
        assert s.budget.spent.calls == 3
        assert store.rows("SELECT count(*) AS n FROM calls WHERE state = 'done'") == [{"n": 3}]


def test_log_probabilities_change_a_call_s_key_only_where_they_are_asked_for() -> None:
    assert "logprobs" not in Sampling().as_dict()
    assert Sampling(logprobs=True).as_dict() == Sampling().as_dict() | {"logprobs": True}


async def test_half_as_many_again_as_may_be_under_way_are_announced_and_no_more(db: Path, prompts: Prompts) -> None:
    go = asyncio.Event()

    async def complete(request: Any) -> Completion:
        await go.wait()
        return Completion("x")

    async with session(db, prompts, ScriptedClient([])) as (s, store):
        s.caller.limiter = Limiter(2)
        s.caller.client.complete = complete  # type: ignore[method-assign]
        asking = asyncio.create_task(s.ask_many("toy/ask", n=5, hint=""))
        await asyncio.sleep(0.3)
        assert store.rows("SELECT state, count(*) AS n FROM calls GROUP BY state") == [{"state": "intent", "n": 3}]
        assert s.caller.limiter.in_flight == 2
        go.set()
        await asking
        assert store.rows("SELECT state, count(*) AS n FROM calls GROUP BY state") == [{"state": "done", "n": 5}]


async def test_an_attempt_that_may_have_been_billed_and_is_retried_is_counted(db: Path, prompts: Prompts) -> None:
    client = ScriptedClient([ServerFailed("cut"), ConnectFailed("nobody"), "x"])
    async with session(db, prompts, client, run_limits=Limits(calls=3)) as (s, store):
        await s.ask("toy/ask", hint="")
        assert store.rows("SELECT state, lost_calls FROM calls") == [{"state": "done", "lost_calls": 1}]
        assert store.rows("SELECT used_calls FROM runs") == [{"used_calls": 2}]


class Choosy(ScriptedClient):
    """A model that is sent only what is set, and refuses a temperature."""

    def sampling(self, wanted: Sampling, *, bounded: bool) -> Sampling:
        return replace(wanted, temperature=None, max_tokens=wanted.max_tokens or (77 if bounded else None))

    def check(self, wanted: Sampling) -> None:
        if wanted.temperature:
            raise BadConfig("takes no temperature", hint="leave --temperature out")

    def take_notes(self) -> list[str]:
        return []


async def test_a_selective_client_is_sent_what_is_set_and_a_budget_gives_it_a_bound(tmp_path: Path, prompts: Prompts) -> None:
    seen: list[Request] = []
    for name, limits in (("free.db", None), ("tokens.db", Limits(tokens=100_000))):
        client = Choosy(["a"])
        async with session(tmp_path / name, prompts, client, run_limits=limits) as (s, store):
            s._sampling = Sampling()
            await s.ask("toy/ask", hint="x", sampling={"temperature": 0.7})
            (row,) = store.rows("SELECT sampling FROM call_details")
        seen.append(client.requests[0])
        assert json.loads(row["sampling"]) == client.requests[0].sampling.as_dict(), "the row says what was sent"
    assert [request.sampling for request in seen] == [Sampling(), Sampling(max_tokens=77)]
    assert seen[0].key == seen[1].key, "a budget that comes later changes no key"


async def test_what_the_user_set_and_the_model_refuses_is_refused_before_a_call(db: Path, prompts: Prompts) -> None:
    client = Choosy([])
    async with session(db, prompts, client) as (s, _):
        with pytest.raises(BadConfig, match="takes no temperature"):
            Session(
                PROBLEM, Trajectory("u" * 16, root_text="one?"), s.caller, prompts=prompts,
                rules=Rules(seed="s", sampling=Sampling(temperature=0.7)),
            )  # fmt: skip


async def test_usage_that_nobody_told_holds_the_budget(db: Path, prompts: Prompts) -> None:
    client = ScriptedClient([Completion("a" * 8, usage=Usage(estimated=True)), Completion("b", usage=Usage(5, 1))])
    async with session(db, prompts, client, run_limits=Limits(tokens=100_000)) as (s, store):
        await s.ask("toy/ask", hint="x")
        await s.ask("toy/ask", hint="y")
        rows = store.rows("SELECT prompt_tokens, completion_tokens, usage_estimated FROM calls ORDER BY id")
        (run,) = store.rows("SELECT used_tokens FROM runs")
    assert rows[0]["prompt_tokens"] > 64
    assert rows[0]["completion_tokens"] == 10, "all that max_tokens allowed"
    assert [row["usage_estimated"] for row in rows] == [1, 0]
    assert run["used_tokens"] == sum(row["prompt_tokens"] + row["completion_tokens"] for row in rows)


async def test_the_thought_is_kept_and_no_strategy_reads_it(db: Path, prompts: Prompts) -> None:
    client = ScriptedClient([Completion("Answer: 24", reasoning="Answer: 7?")])
    async with session(db, prompts, client) as (s, store):
        thought = await s.ask("toy/ask", hint="x")
        await store.write(lambda c: s.caller.journal.put_thoughts(c, s.unwritten()))
        assert (thought.text, thought.reasoning, s.read(thought)) == ("Answer: 24", "Answer: 7?", "Answer: 24")
        assert [each.reasoning for each in load_trajectory(store, "t" * 16).thoughts()] == ["", "Answer: 7?"]
