"""Budgets of a trajectory count what was sent: every attempt that may have been billed, in this process and in those before it."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from reasoner.budget import Budget, Limits, Price, read_prices
from reasoner.calling.caller import Caller, Channel
from reasoner.calling.limiter import Limiter
from reasoner.calling.retry import RetryPolicy
from reasoner.clients.scripted import ScriptedClient
from reasoner.errors import Abandoned, BadConfig, BudgetExhausted, ClientError, ConnectFailed, RateLimited, ServerFailed, TimedOut
from reasoner.prompts import Prompts
from reasoner.session import Rules, Session
from reasoner.store import Store
from reasoner.store.claims import TrajectoryRow, claim, leave
from reasoner.store.journal import Journal
from reasoner.store.records import start_run
from reasoner.trajectory import Trajectory
from reasoner.types import Problem, Sampling

PROBLEM = Problem("toy", '{"x":1}', "1")
QUICK = RetryPolicy(first_wait_s=0.0, max_wait_s=0.0)
PRICE = Price(prompt_per_million=0.0, completion_per_million=50_000.0)
"""Ten tokens of a completion may cost half a dollar."""

Search = Callable[[Session], Any]


@asynccontextmanager
async def session(
    folder: Path, client: ScriptedClient, limits: Limits, *, wanted: Callable[[], bool] | None = None
) -> AsyncIterator[Session]:
    (folder / "prompts" / "toy").mkdir(parents=True, exist_ok=True)
    head = '+++\nversion = 1\nvariables = ["statement", "hint"]\n+++\n'
    (folder / "prompts" / "toy" / "ask.jinja").write_text(head + "{% block user %}{{ statement }} {{ hint }}{% endblock %}")
    with Store.open(folder / "t.db") as store:
        run = start_run(store, {"toy": 1}, command="toy")
        task = TrajectoryRow("t" * 16, run.id, PROBLEM, "toy", "{}", client.name, client.fingerprint, 0)
        ours = await store.write(lambda c: claim(c, task, run.worker))
        journal = Journal(store, run_id=run.id, trajectory_id=task.id, epoch=ours.epoch, durable=False)
        caller = Caller(Channel(client, Limiter(4), PRICE, retry=QUICK, wanted=wanted), journal, Budget(limits), jitter=random.Random(0))
        rules = Rules(seed="s", sampling=Sampling(max_tokens=10))
        yield Session(PROBLEM, Trajectory("t" * 16, root_text="one?"), caller, prompts=Prompts(folder / "prompts"), rules=rules)
        await store.write(lambda c: leave(c, run.worker))


FLAKY: list[Any] = [ServerFailed("500"), TimedOut("late"), ServerFailed("500"), ServerFailed("cut"), "x"]


@pytest.mark.parametrize(
    ("limits", "sent"),
    [(Limits(calls=1), 1), (Limits(calls=3), 3), (Limits(cost=0.8), 1), (Limits(cost=1.6), 3), (Limits(tokens=250), 2), (Limits(), 5)],
    ids=["one call", "three calls", "$0.80", "$1.60", "tokens", "none"],
)
async def test_every_attempt_that_may_have_been_billed_is_one(tmp_path: Path, limits: Limits, sent: int) -> None:
    left = len(FLAKY) - sent
    client = ScriptedClient([*FLAKY])
    async with session(tmp_path, client, limits) as s:
        if left:
            with pytest.raises(BudgetExhausted):
                await s.ask("toy/ask", hint="")
        else:
            await s.ask("toy/ask", hint="")
    assert len(client.requests) == sent


@pytest.mark.parametrize("fault", [ConnectFailed("nobody"), RateLimited("429"), ServerFailed("503", overload=True)])
async def test_an_attempt_that_was_certainly_not_processed_is_none(tmp_path: Path, fault: ClientError) -> None:
    client = ScriptedClient([fault, fault, "x"])
    async with session(tmp_path, client, Limits(calls=1, cost=0.8)) as s:
        await s.ask("toy/ask", hint="")
    assert len(client.requests) == 3


async def test_attempts_of_a_process_before_count_as_they_did(tmp_path: Path) -> None:
    limits = Limits(calls=4)
    first = ScriptedClient([ServerFailed("500"), "a"])
    async with session(tmp_path, first, limits) as s:
        await s.ask("toy/ask", hint="1")
    again = ScriptedClient(["b", "c", "never"])
    async with session(tmp_path, again, limits) as s:
        await s.ask("toy/ask", hint="1")
        await s.ask("toy/ask", hint="2")
        await s.ask("toy/ask", hint="3")
        with pytest.raises(BudgetExhausted):
            await s.ask("toy/ask", hint="4")
    assert [len(each.requests) for each in (first, again)] == [2, 2]


async def test_a_call_that_was_lost_with_its_process_counts_when_it_is_made_again(tmp_path: Path) -> None:
    for calls, sent in ((1, 1), (1, 0), (2, 1)):
        client = ScriptedClient([ServerFailed("500")] * sent)
        async with session(tmp_path, client, Limits(calls=calls)) as s:
            with pytest.raises(BudgetExhausted):
                await s.ask("toy/ask", hint="")
        assert len(client.requests) == sent, "what an earlier process sent counts"


@pytest.mark.parametrize("answers", [0, 1, 2, 3])
async def test_no_attempt_is_begun_once_nobody_wants_the_answer(tmp_path: Path, answers: int) -> None:
    """It is asked before a call is announced and again before each attempt; what was sent before counts, what was not does not."""
    said = iter([True] * answers + [False] * 9)
    client = ScriptedClient([ServerFailed("500")] * (answers // 2))
    async with session(tmp_path, client, Limits(), wanted=lambda: next(said)) as s:
        with pytest.raises(Abandoned):
            await s.ask("toy/ask", hint="")
    sent = 0 if answers < 2 else 1
    assert len(client.requests) == sent
    with Store.open(tmp_path / "t.db") as store:
        states = [row["state"] for row in store.rows("SELECT state FROM calls")]
    assert states == [[], ["failed"], ["unknown"], ["unknown"]][answers]


@pytest.mark.parametrize("value", [float("inf"), float("nan"), -1.0, 1e10])
def test_a_price_that_is_no_number_is_refused(value: float) -> None:
    with pytest.raises(ValidationError):
        Price(prompt_per_million=value, completion_per_million=0)
    if value != 1e10:
        with pytest.raises(ValidationError):
            Limits(cost=value)
        with pytest.raises(ValidationError):
            Limits(seconds=value)


@pytest.mark.parametrize("text", ["inf", "1e400", "nan", "-0.1", "9" * 400, "[" * 50_000, "1\n" + "a." * 20_000 + "b = 1"])
def test_a_price_file_with_one_is_refused_in_a_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "p.toml").write_text(f'["openai:m"]\nprompt_per_million = {text}\ncompletion_per_million = 1\n')
    with pytest.raises(BadConfig, match="price file"):
        read_prices(tmp_path / "p.toml")
