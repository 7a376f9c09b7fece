"""Several things at once: results in order, one budget's end waits for the others, any other fault cancels them."""

from __future__ import annotations

import asyncio

import pytest

from reasoner.errors import BudgetExhausted, ServerFailed
from reasoner.session.gather import together

done: list[str] = []


async def after(seconds: float, name: str, error: Exception | None = None) -> str:
    await asyncio.sleep(seconds)
    if error is not None:
        raise error
    done.append(name)
    return name


@pytest.fixture(autouse=True)
def _fresh() -> None:
    done.clear()


async def test_results_come_in_the_order_given() -> None:
    assert await together([after(0.02, "slow"), after(0.0, "quick")]) == ["slow", "quick"]
    assert done == ["quick", "slow"]
    assert await together([]) == []


async def test_the_end_of_the_budget_lets_the_others_finish() -> None:
    with pytest.raises(BudgetExhausted, match="used up"):
        await together([after(0.02, "slow"), after(0.0, "x", BudgetExhausted("used up")), after(0.01, "mid")])
    assert done == ["mid", "slow"]


async def test_any_other_fault_cancels_them() -> None:
    with pytest.raises(ServerFailed):
        await together([after(5.0, "slow"), after(0.0, "x", ServerFailed("down"))])
    assert done == []
