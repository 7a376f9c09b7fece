"""Adaptive concurrency, rates and the circuit, in simulated time: an event loop whose clock jumps to the next thing that happens."""

from __future__ import annotations

import asyncio
import contextlib
import random
import selectors
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest

from reasoner.calling.limiter import Limiter, Rate
from reasoner.calling.retry import RetryPolicy, with_retry
from reasoner.clients.scripted import ScriptedClient
from reasoner.errors import ClientError, KeyRefused, QuotaExhausted, RateLimited, ServerFailed
from reasoner.runs.pool import ModelPool
from reasoner.types import Pacing

T = TypeVar("T")


class _Jump(selectors.SelectSelector):
    """Waits for nothing: tells the loop that the time it would have waited has passed."""

    loop: SimulatedLoop

    def select(self, timeout: float | None = None) -> Any:
        if timeout is not None and timeout > 0:
            self.loop.now += timeout
        return super().select(0)


class SimulatedLoop(asyncio.SelectorEventLoop):
    """An event loop in which a second takes no time."""

    def __init__(self) -> None:
        self.now = 0.0
        selector = _Jump()
        selector.loop = self
        super().__init__(selector)

    def time(self) -> float:
        return self.now


def simulate(main: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=SimulatedLoop) as runner:
        return runner.run(main)


def now() -> float:
    return asyncio.get_running_loop().time()


def limiter(n: int, **pacing: Any) -> Limiter:
    return Limiter(n, pacing=Pacing(**pacing), clock=now)


@dataclass
class Server:
    """Answers in about `service_s`; more than `limit` at once are turned away."""

    rng: random.Random
    limit: int
    service_s: float = 0.5
    retry_after_s: float | None = None
    in_flight: int = 0
    log: list[tuple[float, bool]] = field(default_factory=list)

    async def answer(self) -> str:
        if self.in_flight >= self.limit:
            self.log.append((now(), False))
            await asyncio.sleep(0.02)
            raise RateLimited("too many at once", retry_after_s=self.retry_after_s)
        self.in_flight += 1
        try:
            await asyncio.sleep(self.service_s * self.rng.uniform(0.5, 1.5))
        finally:
            self.in_flight -= 1
        self.log.append((now(), True))
        return "fine"

    def between(self, begin_s: float, end_s: float) -> tuple[int, int]:
        """Answers and refusals in a stretch of time."""
        found = [good for when, good in self.log if begin_s <= when < end_s]
        return sum(found), len(found) - sum(found)


@dataclass(frozen=True)
class Step:
    used: float
    refused: float


async def stepping(
    seed: int, *, retry_after_s: float | None, phase_s: float = 120.0, settle_s: float = 30.0
) -> tuple[list[Step], float, int]:
    """Let the limit step 20, 5, 20 under a run of many calls; return each step's figures once settled, retries a request, and failures."""
    server = Server(random.Random(seed), 20, retry_after_s=retry_after_s)
    held = limiter(20, adaptive=True)
    n_calls = n_failed = 0

    async def worker(rng: random.Random) -> None:
        nonlocal n_calls, n_failed

        async def attempt() -> str:
            async with held.place():
                return await server.answer()

        while now() < 3 * phase_s:
            n_calls += 1
            try:
                await with_retry(attempt, RetryPolicy(), rng=rng, budget=held.retries, clock=now)
            except ClientError:
                n_failed += 1

    tasks = [asyncio.ensure_future(worker(random.Random(f"{seed}/{i}"))) for i in range(40)]
    for step, limit in enumerate((20, 5, 20)):
        server.limit = limit
        await asyncio.sleep((step + 1) * phase_s - now())
    await asyncio.gather(*tasks)
    steps = []
    for step, limit in enumerate((20, 5, 20)):
        good, bad = server.between(step * phase_s + settle_s, (step + 1) * phase_s)
        capacity = limit * (phase_s - settle_s) / server.service_s
        steps.append(Step(good / capacity, bad / (good + bad)))
    return steps, (len(server.log) - n_calls) / n_calls, n_failed


@pytest.mark.parametrize("retry_after_s", [None, 1.0])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_limit_that_steps_is_followed(seed: int, retry_after_s: float | None) -> None:
    steps, overhead, n_failed = simulate(stepping(seed, retry_after_s=retry_after_s))
    print(f"seed {seed}, retry-after {retry_after_s}: {steps}, retries {overhead:.3f}, failed {n_failed}")  # noqa: T201
    for step in steps:
        assert step.used >= 0.8
        assert step.refused <= 0.05
    assert overhead <= 0.2
    assert n_failed == 0


def test_without_adapting_the_same_server_turns_most_calls_away() -> None:
    async def main() -> tuple[int, int]:
        server, held = Server(random.Random(1), 5), limiter(20)

        async def worker() -> None:
            while now() < 60:
                async with held.place():
                    with contextlib.suppress(RateLimited):
                        await server.answer()

        await asyncio.gather(*(worker() for _ in range(20)))
        return server.between(0, 60)

    good, bad = simulate(main())
    assert bad > good


async def _round(held: Limiter, n: int, fault: Exception | None = None) -> None:
    async def one() -> None:
        async with held.place():
            await asyncio.sleep(1)
            if fault is not None:
                raise fault

    await asyncio.gather(*(one() for _ in range(n)), return_exceptions=True)


def test_one_overload_is_one_cut_however_many_calls_it_hit_and_one_is_the_floor() -> None:
    async def main() -> list[int]:
        held, seen = limiter(16, adaptive=True), []
        for fault in (RateLimited("x"), ServerFailed("x", overload=True), ServerFailed("x"), KeyError("x"), *[RateLimited("x")] * 4):
            await _round(held, held.limit, fault)
            seen.append(held.limit)
        return seen

    assert simulate(main()) == [8, 4, 4, 4, 2, 1, 1, 1]


def test_it_grows_by_one_a_round_waits_where_it_was_too_much_and_stops_at_the_ceiling() -> None:
    async def main() -> dict[int, int]:
        held = limiter(16, adaptive=True)
        await _round(held, 16, RateLimited("x"))
        answers: dict[int, int] = {}  # at a level, before the next

        async def one() -> None:
            async with held.place():
                answers[held.limit] = answers.get(held.limit, 0) + 1
                await asyncio.sleep(1)

        await asyncio.gather(*(one() for _ in range(1000)))
        assert held.limit == 16
        return answers

    answers = simulate(main())
    assert list(answers) == list(range(8, 17))
    assert all(level <= answers[level] <= 2 * level + 1 for level in range(8, 15)), "one round, and what was under way"
    assert answers[15] > 10 * 15, "many rounds before what was too much is tried again"


def test_it_does_not_grow_for_a_run_that_asks_for_little() -> None:
    async def main() -> int:
        held = limiter(16, adaptive=True)
        await _round(held, 16, RateLimited("x"))
        for _ in range(200):
            await _round(held, 1)  # what it bears is not known from what it was not asked
        return held.limit

    assert simulate(main()) == 8


def test_a_fixed_limiter_does_not_move() -> None:
    async def main() -> int:
        held = limiter(4)
        await _round(held, 8, RateLimited("x"))
        return held.limit

    assert simulate(main()) == 4


def test_cancelled_waiters_of_an_adaptive_limiter_leave_no_hole() -> None:
    async def main() -> int:
        held, rng = limiter(3, adaptive=True), random.Random(5)

        async def one() -> None:
            async with held.place():
                await asyncio.sleep(rng.random())

        tasks = [asyncio.ensure_future(one()) for _ in range(300)]
        for task in rng.sample(tasks, 150):
            await asyncio.sleep(rng.random() / 10)
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return held.in_flight

    assert simulate(main()) == 0


@pytest.mark.parametrize("amount", [60, 600])
def test_no_minute_has_more_than_its_rate_and_none_is_wasted(amount: int) -> None:
    async def main() -> list[float]:
        rate, sent = Rate(amount, clock=now, sleep=asyncio.sleep), list[float]()
        rng = random.Random(7)

        async def one() -> None:
            await asyncio.sleep(rng.random() * 30)
            await rate.take(1)
            sent.append(now())

        await asyncio.gather(*(one() for _ in range(5 * amount)))
        return sent

    sent = simulate(main())
    assert sent == sorted(sent)
    assert all(later - earlier >= 60 - 1e-6 for earlier, later in zip(sent, sent[amount:], strict=False))
    assert sent[-1] < 4 * 60 + 30 + 1


def test_tokens_are_taken_at_their_worst_and_corrected_by_what_was_used() -> None:
    async def main() -> tuple[float, float, float]:
        held = limiter(8, tpm=1000)
        for _ in range(3):
            async with held.place(600) as place:
                place.used(200)
        first = now()
        async with held.place(600):
            pass
        second = now()
        async with held.place(5000):  # more than a minute allows: alone
            pass
        return first, second, now()

    first, second, third = simulate(main())
    assert first == 0, "two of 600 would not have fitted"
    assert second == pytest.approx(60)
    assert third == pytest.approx(120)


def test_requests_are_counted_by_the_attempt_and_a_cancelled_wait_gives_its_place_back() -> None:
    async def main() -> int:
        held = limiter(2, rpm=1)
        async with held.place():
            pass
        waiting = asyncio.ensure_future(_round(held, 1))
        await asyncio.sleep(1)
        assert held.in_flight == 1
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        return held.in_flight

    assert simulate(main()) == 0


@pytest.mark.parametrize("fault", [KeyRefused("401 wrong key", hint="check the key"), QuotaExhausted("no money", hint="check the account")])
def test_a_refused_key_opens_the_circuit_for_every_client_that_uses_it(fault: ClientError) -> None:
    class Keyed(ScriptedClient):
        def __init__(self, account: int | None) -> None:
            super().__init__([])
            self.pacing = Pacing(account=account)

    async def main() -> int:
        first, second, other, keyless = Keyed(1), Keyed(1), Keyed(2), ScriptedClient([])
        pool = ModelPool()
        held = {id(client): pool.limiter(client) for client in (first, second, other, keyless)}
        sent = 0

        async def one(client: ScriptedClient) -> None:
            nonlocal sent
            async with held[id(client)].place():
                sent += 1
                await asyncio.sleep(1)
                raise fault

        # One place each: the second call of each client waits behind the first and must not be sent.
        results = await asyncio.gather(one(first), one(first), return_exceptions=True)
        assert [type(r) for r in results] == [type(fault)] * 2
        assert str(results[1]).startswith("not sent, since an earlier call met")
        with pytest.raises(type(fault), match="not sent"):
            async with held[id(second)].place():
                sent += 100
        for client in (other, keyless):
            async with held[id(client)].place():
                sent += 10
        assert held[id(first)].in_flight == held[id(second)].in_flight == 0
        return sent

    assert simulate(main()) == 21


def test_a_client_with_a_queue_of_its_own_is_given_all_it_takes() -> None:
    class Queueing(ScriptedClient):
        queue = 7

    pool, own, other = ModelPool(), Queueing([]), ScriptedClient([])
    assert pool.limiter(own).n == 7
    assert pool.limiter(other).n == 1
