"""The limiter: never more than n, in order, and cancellation gives the place back."""

from __future__ import annotations

import asyncio

import pytest

from reasoner.calling.limiter import Limiter
from reasoner.errors import BadConfig


def test_never_more_than_n_and_first_come_first_served() -> None:
    async def main() -> tuple[int, list[int]]:
        limiter, most, order = Limiter(3), 0, []

        async def body(i: int) -> None:
            nonlocal most
            async with limiter.place():
                order.append(i)
                most = max(most, limiter.in_flight)
                await asyncio.sleep(0)

        async with asyncio.timeout(5):
            await asyncio.gather(*(body(i) for i in range(20)))
        assert limiter.in_flight == 0
        return most, order

    most, order = asyncio.run(main())
    assert most == 3
    assert order == list(range(20))


def test_cancelled_waiters_and_bodies_give_their_place_back() -> None:
    async def main() -> None:
        limiter = Limiter(1)

        async def hold() -> None:
            async with limiter.place():
                await asyncio.sleep(60)

        body, waiter = asyncio.create_task(hold()), asyncio.create_task(hold())
        await asyncio.sleep(0)
        assert limiter.in_flight == 1
        waiter.cancel()
        body.cancel()
        await asyncio.gather(body, waiter, return_exceptions=True)
        assert limiter.in_flight == 0
        async with asyncio.timeout(5), limiter.place():
            assert limiter.in_flight == 1

    asyncio.run(main())


def test_an_error_in_the_body_gives_the_place_back() -> None:
    async def main() -> None:
        limiter = Limiter(1)
        with pytest.raises(ZeroDivisionError):
            async with limiter.place():
                raise ZeroDivisionError
        async with asyncio.timeout(5), limiter.place():
            pass

    asyncio.run(main())


@pytest.mark.parametrize("n", [0, -1])
def test_a_limiter_that_lets_nothing_through_is_refused(n: int) -> None:
    with pytest.raises(BadConfig, match="at least 1"):
        Limiter(n)
