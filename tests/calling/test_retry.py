"""The retry layer: a table of verdicts, and the loop under a fake clock."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasoner.calling.retry import Degrade, Fail, Retry, RetryPolicy, classify, with_retry
from reasoner.clients.scripted import Reply, ScriptedClient
from reasoner.errors import (
    BadConfig,
    BadResponse,
    BudgetExhausted,
    ConnectFailed,
    ContextTooLong,
    EngineLost,
    NoAnswerFound,
    RateLimited,
    ReasonerError,
    Refused,
    ServerFailed,
    StoreError,
    TimedOut,
)
from reasoner.types import Completion, Message, Request

POLICY = RetryPolicy()
REQUEST = Request((Message("user", "q"),))
ALWAYS = [ConnectFailed, TimedOut, RateLimited, ServerFailed]
NEVER = [Refused, ContextTooLong, EngineLost, BadConfig, NoAnswerFound, BudgetExhausted, StoreError]


class Clock:
    """Time passes only in `sleep`."""

    def __init__(self) -> None:
        self.now = 0.0
        self.sleeps: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.now += seconds


def run(replies: list[Reply], policy: RetryPolicy = POLICY, *, seed: int = 1) -> tuple[Completion | ReasonerError, ScriptedClient, Clock]:
    client, clock = ScriptedClient(replies), Clock()

    async def main() -> Completion | ReasonerError:
        try:
            return await with_retry(lambda: client.complete(REQUEST), policy, rng=random.Random(seed), sleep=clock.sleep, clock=clock)
        except ReasonerError as error:
            return error

    return asyncio.run(main()), client, clock


@pytest.mark.parametrize("attempt", range(1, 8))
@pytest.mark.parametrize("kind", [*ALWAYS, *NEVER, BadResponse])
def test_verdict_of_every_kind_at_every_attempt(kind: type[ReasonerError], attempt: int) -> None:
    last = 2 if kind is BadResponse else 4 if kind in ALWAYS else 0
    verdict = classify(kind("x"), attempt, POLICY)
    if attempt <= last:
        assert verdict == Retry([0.5, 1.0, 2.0, 4.0][attempt - 1])
    else:
        assert isinstance(verdict, Degrade if kind is ContextTooLong else Fail)


def test_backoff_is_capped_and_never_overflows() -> None:
    many = RetryPolicy(attempts=10**6)
    assert classify(TimedOut("x"), 7, many) == Retry(8.0)
    assert classify(TimedOut("x"), 5000, many) == Retry(8.0)
    assert classify(TimedOut("x"), 7, many, jitter=0.0) == Retry(0.0)


@given(asked_s=st.floats(0, 120), jitter=st.floats(0, 1), kind=st.sampled_from([RateLimited, ServerFailed]), attempt=st.integers(1, 4))
def test_retry_after_wins_and_is_never_undercut(
    asked_s: float, jitter: float, kind: type[RateLimited | ServerFailed], attempt: int
) -> None:
    verdict = classify(kind("x", retry_after_s=asked_s), attempt, POLICY, jitter=jitter)
    assert isinstance(verdict, Retry)
    assert asked_s <= verdict.after_s <= asked_s * 1.05 + 1e-9


def test_a_wait_over_the_cap_fails_with_the_time_named() -> None:
    result, client, clock = run([RateLimited("slow down", retry_after_s=300.0)])
    assert isinstance(result, RateLimited)
    assert "300 s" in str(result)
    assert (len(client.requests), clock.sleeps) == (1, [])


def test_two_failures_then_success_are_exactly_three_attempts() -> None:
    result, client, clock = run([ServerFailed("a"), TimedOut("b"), "fine"])
    assert isinstance(result, Completion)
    assert result.text == "fine"
    assert (len(client.requests), len(clock.sleeps)) == (3, 2)


def test_a_refusal_is_one_attempt_without_a_sleep() -> None:
    refusal = Refused("401", hint="check the key")
    result, client, clock = run([refusal, "never asked"])
    assert result is refusal
    assert str(result) == "401; check the key"
    assert (len(client.requests), clock.sleeps) == (1, [])


def test_each_wait_follows_the_error_just_seen_not_the_first() -> None:
    _, _, clock = run([RateLimited("a", retry_after_s=3.0), RateLimited("b", retry_after_s=100.0), "fine"])
    assert 3.0 <= clock.sleeps[0] <= 3.15
    assert 100.0 <= clock.sleeps[1] <= 105.0


def test_the_last_error_is_raised_with_its_attempts_and_the_one_before_as_cause() -> None:
    errors: list[Reply] = [ServerFailed(f"fault {i}", hint="wait") for i in range(5)]
    result, client, _ = run(errors)
    assert result is errors[4]
    assert isinstance(result, ServerFailed)
    assert str(result) == "fault 4 (gave up after 5 attempts: no attempts are left); wait"
    assert result.__cause__ is errors[3]
    assert len(client.requests) == 5


def test_senseless_bodies_are_asked_again_twice() -> None:
    result, client, _ = run([BadResponse("x"), BadResponse("y"), BadResponse("z"), "never asked"])
    assert isinstance(result, BadResponse)
    assert len(client.requests) == 3


def test_no_wait_is_begun_that_passes_the_deadline() -> None:
    faults: list[Reply] = [RateLimited("x", retry_after_s=40.0) for _ in range(5)]
    result, client, clock = run(faults, RetryPolicy(deadline_s=100))
    assert isinstance(result, RateLimited)
    assert "deadline of 100 s" in str(result)
    assert len(client.requests) == 3
    assert clock.now <= 100


def test_jitter_comes_from_the_given_generator() -> None:
    faults: list[Reply] = [TimedOut(str(i)) for i in range(5)]
    assert run(faults, seed=1)[2].sleeps == run(faults, seed=1)[2].sleeps
    assert run(faults, seed=1)[2].sleeps != run(faults, seed=2)[2].sleeps


def test_on_retry_hears_of_every_failure_that_is_asked_again() -> None:
    heard: list[tuple[str, int]] = []
    client, clock = ScriptedClient([ServerFailed("a"), TimedOut("b"), Refused("c")]), Clock()
    with pytest.raises(Refused, match="3 attempts: asking again would not help"):
        asyncio.run(
            with_retry(
                lambda: client.complete(REQUEST),
                POLICY,
                rng=random.Random(1),
                on_retry=lambda error, attempt, _after_s: heard.append((error.message, attempt)),
                sleep=clock.sleep,
            )
        )
    assert heard == [("a", 1), ("b", 2)]


def _cancelled(call: Callable[[], Awaitable[str]], sleep: Callable[[float], Awaitable[None]]) -> None:
    async def main() -> None:
        task = asyncio.ensure_future(with_retry(call, POLICY, rng=random.Random(1), sleep=sleep))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())


def test_cancellation_passes_through_a_call_and_a_wait() -> None:
    calls = 0

    async def hang() -> str:
        nonlocal calls
        calls += 1
        await asyncio.sleep(60)
        return ""

    async def fail() -> str:
        nonlocal calls
        calls += 1
        raise ServerFailed("x")

    async def forever(_seconds: float) -> None:
        await asyncio.sleep(60)

    _cancelled(hang, forever)
    assert calls == 1
    _cancelled(fail, forever)
    assert calls == 2


def test_a_fault_of_the_program_is_not_held() -> None:
    async def broken() -> str:
        raise KeyError("bug")

    async def main() -> None:
        with pytest.raises(KeyError, match="bug"):
            await with_retry(broken, POLICY, rng=random.Random(1))

    asyncio.run(main())
