"""Budgets: calls, tokens, money, seconds; reserved before a call, settled after it.

Knows numbers only; no clock (seconds are those the calls themselves took), no provider, no database.

    budget = Budget(Limits(calls=2))
    with budget.reserve(Reserve(tokens=900)) as held:
        held.settle(Usage(700, 100), seconds=1.2)
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from reasoner.errors import BadConfig, BudgetExhausted
from reasoner.files.bounded_toml import parse_toml
from reasoner.files.devices import ending
from reasoner.types import Completion, Request, Usage

if TYPE_CHECKING:
    from pathlib import Path

PROMPT_OVERHEAD_TOKENS = 64
MESSAGE_OVERHEAD_TOKENS = 16
MOST_PER_MILLION = 1e9
"""Dollars; a higher price is a slip (`1e400` is read as infinite), and what is reckoned with it is no number any more."""
BYTES_A_TOKEN = 4
"""What an estimate takes a token for, where an answer is longer than anything that was reserved."""


class Limits(BaseModel):
    """What one trajectory, or a whole run, may use at most; None is no limit.

    `calls`, `tokens` (prompt and completion together) and `cost` (dollars) are never exceeded: the worst case of a call is set
    aside before it is made. `seconds` is the sum of the durations of the calls; a call under way is not cut short by it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    calls: int | None = Field(default=None, ge=0)
    tokens: int | None = Field(default=None, ge=0)
    cost: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    seconds: float | None = Field(default=None, ge=0, allow_inf_nan=False)


class Price(BaseModel):
    """What a model costs, in dollars per million tokens."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    prompt_per_million: float = Field(ge=0, le=MOST_PER_MILLION, allow_inf_nan=False)
    completion_per_million: float = Field(ge=0, le=MOST_PER_MILLION, allow_inf_nan=False)

    def cost(self, *, prompt_tokens: int, completion_tokens: int) -> float:
        """Return the price of one call, in dollars."""
        return (prompt_tokens * self.prompt_per_million + completion_tokens * self.completion_per_million) / 1e6


def read_prices(path: Path) -> dict[str, Price]:
    """Read a price file: TOML, one table per model name as given on the command line.

        ["openai:some-model"]
        prompt_per_million = 0.15
        completion_per_million = 0.6

    Raises:
        BadConfig: the file cannot be read as that.
    """
    try:
        return TypeAdapter(dict[str, Price]).validate_python(parse_toml(ending(path).read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        first = str(error).splitlines()[0]
        raise BadConfig(
            f"the price file {path} cannot be read: {first}", hint="it is TOML: a table per model, see docs/reference/budgets.md"
        ) from error


@dataclass(frozen=True, slots=True)
class Spent:
    """What was used. `cost` is None as soon as one call's price is unknown.

    `taken_calls` of the calls were not made: they were answered from an earlier one (`--cache`, a fork) and cost nothing.
    """

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    seconds: float = 0.0
    cost: float | None = 0.0
    taken_calls: int = 0

    @property
    def tokens(self) -> int:
        """Prompt and completion tokens together."""
        return self.prompt_tokens + self.completion_tokens

    def __add__(self, other: Spent) -> Spent:
        cost = None if self.cost is None or other.cost is None else self.cost + other.cost
        numbers = {f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self) if f.name != "cost"}
        return Spent(**numbers, cost=cost)


@dataclass(frozen=True, slots=True)
class Reserve:
    """The worst case of one call: tokens, and dollars (None when the price is unknown); `prompt_tokens` of the tokens are the prompt's."""

    tokens: int
    cost: float | None = 0.0
    prompt_tokens: int = 0


def worst_case(request: Request, price: Price | None, *, free: bool) -> Reserve:
    """Bound what a request can use before it is sent.

    A token of a byte-level tokenizer is at least one byte long, so a prompt has at most as many tokens as bytes, and what the
    chat template adds; the completion has at most `max_tokens`.
    """
    prompt = PROMPT_OVERHEAD_TOKENS + sum(
        MESSAGE_OVERHEAD_TOKENS + sum(_bytes(text) for text in (m.content, *map(str, m.parts().values()))) for m in request.messages
    )
    prompt += sum(MESSAGE_OVERHEAD_TOKENS + _bytes(tool.name + tool.description + tool.parameters) for tool in request.tools)
    completion = request.sampling.numbers.max_tokens
    # A price the user gives counts even where the endpoint is taken for free (a server on this machine may pass calls on).
    cost = price.cost(prompt_tokens=prompt, completion_tokens=completion) if price else 0.0 if free else None
    return Reserve(prompt + completion, cost, prompt)


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


class Held:
    """A reservation under way; `settle` replaces it with what was really used, `release` gives it back."""

    def __init__(self, budget: Budget, reserve: Reserve) -> None:
        self._budget = budget
        self.reserve = reserve
        self._open = True

    def settle(self, spent: Spent) -> None:
        """Book what the call used and free the rest."""
        self.release()
        self._budget.spent += spent

    def repeat(self) -> None:
        """Count the attempt under way with its worst case, since it may have been billed, and set the same aside for a further one.

        Raises:
            BudgetExhausted: there is no room for a further one; nothing is set aside then.
        """
        self.release()
        self._budget.lose(self.reserve)
        self._budget.check(self.reserve)
        self._open = True
        self._budget.held.append(self)

    def release(self) -> None:
        """Give the reservation back without booking anything; a second time does nothing."""
        if self._open:
            self._open = False
            self._budget.held.remove(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


class Budget:
    """What one trajectory has spent and may still spend."""

    def __init__(self, limits: Limits | None = None, *, allow_unpriced: bool = False) -> None:
        self.limits = limits or Limits()
        self.allow_unpriced = allow_unpriced
        self.spent = Spent()
        self.held: list[Held] = []
        self._lost_calls = self._lost_tokens = 0
        self._lost_cost: float | None = 0.0

    def reserve(self, reserve: Reserve) -> Held:
        """Set the worst case of one call aside.

        Raises:
            BudgetExhausted: it does not fit; nothing is set aside then.
            BadConfig: a money limit is set and the price of the model is unknown.
        """
        self.check(reserve)
        return self.hold(reserve)

    def hold(self, reserve: Reserve) -> Held:
        """Set something aside that is spent already, whether it fits or not."""
        held = Held(self, reserve)
        self.held.append(held)
        return held

    def lose(self, reserve: Reserve, *, calls: int = 1) -> None:
        """Count what was sent, may have been billed and gave no answer: it bounds what may still be sent, and is no part of `spent`."""
        self._lost_calls += calls
        self._lost_tokens += reserve.tokens
        self._lost_cost = None if self._lost_cost is None or reserve.cost is None else self._lost_cost + reserve.cost

    def check(self, reserve: Reserve) -> None:
        """Refuse one more call with this worst case where it does not fit.

        Raises:
            BudgetExhausted: it does not.
            BadConfig: a money limit is set and the price of the model is unknown.
        """
        limits = self.limits
        calls = self.spent.calls + self._lost_calls + len(self.held) + 1
        tokens = self.spent.tokens + self._lost_tokens + sum(h.reserve.tokens for h in self.held) + reserve.tokens
        if limits.calls is not None and calls > limits.calls:
            raise BudgetExhausted(f"the budget of {limits.calls} calls is used up", hint="raise `max_calls`")
        if limits.tokens is not None and tokens > limits.tokens:
            raise BudgetExhausted(
                f"the next call may bring the trajectory to {tokens} tokens, over its budget of {limits.tokens}",
                hint="raise `max_total_tokens` or lower `max_tokens`",
            )
        if limits.seconds is not None and self.spent.seconds >= limits.seconds:
            raise BudgetExhausted(
                f"the budget of {limits.seconds:g} s is used up ({self.spent.seconds:.1f} s spent)", hint="raise `max_seconds`"
            )
        if limits.cost is not None:
            self._check_cost(limits.cost, reserve)

    def _check_cost(self, limit: float, reserve: Reserve) -> None:
        parts = [self.spent.cost, self._lost_cost, reserve.cost, *(h.reserve.cost for h in self.held)]
        known = [part for part in parts if part is not None]
        if len(known) < len(parts) and not self.allow_unpriced:
            raise unpriced("this model")
        if sum(known) > limit:
            raise BudgetExhausted(
                f"the next call may bring the trajectory to ${sum(known):.4f}, over its budget of ${limit:.4f}", hint="raise `max_cost`"
            )


def counted(completion: Completion, reserve: Reserve) -> Usage:
    """Return a completion's usage with what was reserved in the place of counts that nobody told, so that budgets hold."""
    usage = completion.usage
    if not usage.estimated:
        return usage
    seen = -(-_bytes(completion.text + completion.reasoning) // BYTES_A_TOKEN)
    return replace(
        usage, prompt_tokens=usage.prompt_tokens or reserve.prompt_tokens,
        completion_tokens=usage.completion_tokens or max(reserve.tokens - reserve.prompt_tokens, seen),
    )  # fmt: skip


def unpriced(model: str) -> BadConfig:
    """Return the error for a money budget over calls whose price nobody knows."""
    return BadConfig(
        f"a money budget is set but the price of {model} is unknown",
        hint="name it in `prices` FILE, or let its calls count as free with `allow_unpriced`",
    )


def spent_on(usage: Usage, seconds: float, *, taken: bool = False) -> Spent:
    """Return one call's usage as an amount spent."""
    return Spent(1, usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens, seconds, usage.cost, int(taken))
