"""Budgets: reserved before, settled after, never exceeded."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasoner.budget import Budget, Limits, Price, Reserve, Spent, counted, read_prices, spent_on, worst_case
from reasoner.errors import BadConfig, BudgetExhausted
from reasoner.types import Completion, Message, Request, Sampling, Usage


def test_calls_under_way_count() -> None:
    budget = Budget(Limits(calls=2))
    with budget.reserve(Reserve(10)), budget.reserve(Reserve(10)), pytest.raises(BudgetExhausted, match="2 calls"):
        budget.reserve(Reserve(10))
    budget.reserve(Reserve(10))  # both were released without being booked


def test_settling_frees_what_was_not_used() -> None:
    budget = Budget(Limits(tokens=1000))
    with budget.reserve(Reserve(900)) as held:
        held.settle(spent_on(Usage(80, 20), 0.5))
    assert budget.spent.tokens == 100
    with budget.reserve(Reserve(900)), pytest.raises(BudgetExhausted, match="1001"):
        budget.reserve(Reserve(1))


def test_money_needs_a_price() -> None:
    with pytest.raises(BadConfig, match="price"):
        Budget(Limits(cost=1.0)).reserve(Reserve(10, None))
    budget = Budget(Limits(cost=1.0))
    with budget.reserve(Reserve(10, 0.9)), pytest.raises(BudgetExhausted, match=r"1\.1"):
        budget.reserve(Reserve(10, 0.2))


def test_seconds_stop_the_next_call() -> None:
    budget = Budget(Limits(seconds=1.0))
    with budget.reserve(Reserve(1)) as held:
        held.settle(Spent(1, seconds=1.5))
    with pytest.raises(BudgetExhausted, match="1 s"):
        budget.reserve(Reserve(1))


@given(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 400), st.floats(0, 1)), max_size=30))
def test_never_over_the_limit(calls: list[tuple[int, int, float]]) -> None:
    """Whatever is asked, as long as a call uses at most what was reserved, the limit holds."""
    budget = Budget(Limits(tokens=1000))
    for prompt, completion, share in calls:
        try:
            held = budget.reserve(Reserve(prompt + completion))
        except BudgetExhausted:
            continue
        held.settle(spent_on(Usage(int(prompt * share), int(completion * share)), 0.0))
        assert budget.spent.tokens <= 1000
    assert budget.held == []


def test_worst_case_is_over_any_byte_level_tokenizer() -> None:
    request = Request((Message("user", "é" * 50),), Sampling(max_tokens=7))
    assert worst_case(request, None, free=True).tokens >= 100 + 7
    assert worst_case(request, None, free=False).cost is None
    assert (
        worst_case(request, Price(prompt_per_million=1e6, completion_per_million=1e6), free=False).cost
        == worst_case(request, None, free=True).tokens
    )


def test_unknown_cost_stays_unknown() -> None:
    assert (Spent(cost=1.0) + Spent(cost=None)).cost is None
    assert (Spent(1, 2, 3, 4, 5.0, 6.0) + Spent(1, 2, 3, 4, 5.0, 6.0)) == Spent(2, 4, 6, 8, 10.0, 12.0)


def test_price_file(tmp_path: Path) -> None:
    path = tmp_path / "p.toml"
    path.write_text('["openai:m"]\nprompt_per_million = 1.0\ncompletion_per_million = 2.0\n')
    assert read_prices(path)["openai:m"].cost(prompt_tokens=10**6, completion_tokens=10**6) == 3.0
    path.write_text('["openai:m"]\nprompt_per_million = -1.0\ncompletion_per_million = 2.0\n')
    with pytest.raises(BadConfig, match=r"p\.toml"):
        read_prices(path)


def test_a_price_counts_even_where_the_endpoint_is_taken_for_free() -> None:
    request = Request(messages=(Message("user", "x" * 1000),), sampling=Sampling(max_tokens=100))
    price = Price(prompt_per_million=1.0, completion_per_million=1.0)
    assert worst_case(request, price, free=True) == worst_case(request, price, free=False)
    assert worst_case(request, None, free=True).cost == 0.0
    assert worst_case(request, None, free=False).cost is None


def test_an_unknown_price_counts_as_free_where_that_is_allowed() -> None:
    budget = Budget(Limits(cost=1.0), allow_unpriced=True)
    budget.reserve(Reserve(10, None)).settle(Spent(1, 5, 5, 0, 1.0, None))
    with pytest.raises(BadConfig, match="allow_unpriced"):
        Budget(Limits(cost=1.0)).reserve(Reserve(10, None))


def test_counts_that_nobody_told_are_what_was_reserved() -> None:
    request = Request((Message("user", "x" * 100),), Sampling(max_tokens=50))
    reserve = worst_case(request, None, free=True)
    unknown = Completion("hi", usage=Usage(estimated=True))
    assert counted(unknown, reserve) == Usage(reserve.prompt_tokens, 50, estimated=True)
    assert reserve.tokens == reserve.prompt_tokens + 50
    half = Completion("hi", usage=Usage(7, 0, estimated=True))
    assert counted(half, reserve) == Usage(7, 50, estimated=True)
    longer = Completion("x" * 1000, reasoning="y" * 1000, usage=Usage(estimated=True))
    assert counted(longer, reserve).completion_tokens == 500, "an answer longer than anything reserved counts by its length"
    told = Completion("hi", usage=Usage(7, 0))
    assert counted(told, reserve) == Usage(7, 0)
