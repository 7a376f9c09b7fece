"""The one retry layer: which errors are asked again, after how long, how often.

Knows the error tree and waits. Does not know clients, budgets of money or the journal; no other layer may retry as well, or attempts
multiply and a server's `Retry-After` is undercut.

    completion = await with_retry(lambda: model.complete(request), RetryPolicy(), rng=rng)

    classify(ServerFailed("..."), 1, RetryPolicy(), jitter=0.5)  -> Retry(after_s=0.25)
    classify(Refused("..."), 1, RetryPolicy())                   -> Fail(reason="asking again would not help")
    classify(QuotaExhausted("..."), 1, RetryPolicy())            -> Stop(reason="no call of this run would fare better")
    classify(ContextTooLong("..."), 1, RetryPolicy())            -> Degrade(reason="only a shorter request would help")
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field
from tenacity import AsyncRetrying, RetryCallState

from reasoner.errors import (
    BadResponse,
    ContextTooLong,
    KeyRefused,
    QuotaExhausted,
    RateLimited,
    ReasonerError,
    ServerFailed,
    StreamCut,
)

T = TypeVar("T")

RETRY_AFTER_SPREAD = 0.05
"""A wait the server named is stretched by up to this share, so that many waiters do not come back at one instant."""


class RetryPolicy(BaseModel):
    """How often and how long. Waits are drawn from [0, min(max_wait_s, first_wait_s * 2**n)] (full jitter)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    attempts: int = Field(default=5, ge=1)
    """Attempts in all, the first included."""
    bad_response_retries: int = Field(default=2, ge=0)
    """A senseless body is asked again at most this often: a server that talks nonsense seldom stops."""
    stream_cut_retries: int = Field(default=1, ge=0)
    """A stream that was cut is asked again at most this often: each attempt may be billed."""
    first_wait_s: float = Field(default=0.5, ge=0)
    max_wait_s: float = Field(default=8.0, ge=0)
    max_retry_after_s: float = Field(default=120.0, ge=0)
    """A server that asks for a longer wait than this is not asked again."""
    loading_wait_s: float = Field(default=2.0, ge=0)
    loading_for_s: float = Field(default=60.0, ge=0)
    """A server that says it is loading its model, and not for how long, is asked again every `loading_wait_s` for so long; no attempt counts."""
    deadline_s: float = Field(default=900.0, gt=0)
    """No wait is begun that would end later than this after the first attempt, in seconds."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Ask again after so many seconds."""

    after_s: float


@dataclass(frozen=True, slots=True)
class Fail:
    """Do not ask again, and why."""

    reason: str


@dataclass(frozen=True, slots=True)
class Degrade:
    """Do not ask this again; who asked may ask for less, once (see `Session.ask`)."""

    reason: str


@dataclass(frozen=True, slots=True)
class Stop:
    """Do not ask anything again: the run ends, and can be resumed when the cause is mended."""

    reason: str


Decision = Retry | Fail | Degrade | Stop

OnRetry = Callable[[ReasonerError, int, float], None]
"""Told of each failure that is asked again: the error, the attempt it ended (from 1), the wait in seconds."""


class RetryBudget:
    """How many requests may be asked again, over all calls of one client in a run: a share of the requests, and a floor for small runs.

    A bucket: each first attempt puts `share` in, each further one takes 1 out, and no more than `floor + share * window` is ever saved
    up. So of n requests at most `floor + share * n` are asked again, and an outage after a long quiet time is no licence to hammer.
    """

    def __init__(self, *, share: float = 0.2, floor: float = 10, window: int = 500) -> None:
        self._share = share
        self._most = floor + share * window
        self._left = float(floor)

    def earn(self) -> None:
        """Count one first attempt."""
        self._left = min(self._most, self._left + self._share)

    @property
    def left(self) -> bool:
        """Whether one more request may be asked again."""
        return self._left >= 1

    def spend(self) -> None:
        """Count one request that is asked again."""
        self._left -= 1


def classify(
    error: ReasonerError,
    attempt: int,
    policy: RetryPolicy,
    *,
    of_kind: int | None = None,
    jitter: float = 1.0,
    elapsed_s: float = 0.0,
    budget_left: bool = True,
) -> Decision:
    """Decide what follows attempt number `attempt` (from 1) having ended in `error`. Pure.

    `of_kind` is how many attempts have ended in an error of this class, this one included (all of them when None); `jitter` in
    [0, 1] places the wait within its range; `elapsed_s` is the time since the first attempt began; `budget_left` says whether the run
    may still ask something again.
    """
    if isinstance(error, QuotaExhausted | KeyRefused):
        return Stop("no call of this run would fare better")
    if isinstance(error, ContextTooLong):
        return Degrade("only a shorter request would help")
    if not error.retryable:
        return Fail("asking again would not help")
    if isinstance(error, ServerFailed) and error.loading:
        if elapsed_s + policy.loading_wait_s > policy.loading_for_s:
            return Fail(f"the server has been loading its model for {elapsed_s:.0f} s")
        return Retry(policy.loading_wait_s)
    kinds = {BadResponse: policy.bad_response_retries, StreamCut: policy.stream_cut_retries}
    bound = next((n for kind, n in kinds.items() if isinstance(error, kind)), policy.attempts)
    if attempt >= policy.attempts or (of_kind or attempt) > bound:
        return Fail("no attempts are left")
    if not budget_left:
        return Fail("too large a share of the run's requests has been asked again already")
    asked_s = error.retry_after_s if isinstance(error, RateLimited | ServerFailed) else None
    if asked_s is None:
        # 2**63 is past any cap; the bound keeps the power from overflowing a float.
        after_s = jitter * min(policy.max_wait_s, policy.first_wait_s * 2.0 ** min(attempt - 1, 63))
    elif asked_s > policy.max_retry_after_s:
        return Fail(f"the server asks to wait {asked_s:g} s, more than {policy.max_retry_after_s:g} s")
    else:
        after_s = asked_s * (1 + RETRY_AFTER_SPREAD * jitter)
    if elapsed_s + after_s > policy.deadline_s:
        return Fail(f"the next attempt would begin past the deadline of {policy.deadline_s:g} s")
    return Retry(after_s)


class _Course:
    """The state of one retried call: asked by tenacity once per failure, so that each jitter is drawn once."""

    def __init__(
        self, policy: RetryPolicy, rng: random.Random, on_retry: OnRetry | None, clock: Callable[[], float], budget: RetryBudget | None
    ) -> None:
        self._policy = policy
        self._rng = rng
        self._on_retry = on_retry
        self._clock = clock
        self._budget = budget
        self._kinds: Counter[type[ReasonerError]] = Counter()
        self._began_s = clock()
        self._after_s = 0.0
        self._loads = 0
        self.attempts = 0
        self.reason = ""
        self.previous: ReasonerError | None = None

    def may_retry(self, state: RetryCallState) -> bool:
        self.attempts = state.attempt_number
        error = state.outcome.exception() if state.outcome else None
        if not isinstance(error, ReasonerError):
            return False  # a result, a cancellation, or a fault of the program: none of them is ours to hold
        loading = isinstance(error, ServerFailed) and error.loading
        self._loads += loading
        self._kinds[type(error)] += not loading
        decision = classify(
            error, self.attempts - self._loads, self._policy, of_kind=self._kinds[type(error)], jitter=self._rng.random(),
            elapsed_s=self._clock() - self._began_s, budget_left=self._budget is None or self._budget.left,
        )  # fmt: skip
        if not isinstance(decision, Retry):
            self.reason = decision.reason
            return False
        if self._budget is not None and not loading:
            self._budget.spend()
        self._after_s, self.previous = decision.after_s, error
        if self._on_retry is not None:
            self._on_retry(error, self.attempts, decision.after_s)
        return True

    def wait(self, _state: RetryCallState) -> float:
        return self._after_s


async def with_retry(
    call: Callable[[], Awaitable[T]],
    policy: RetryPolicy,
    *,
    rng: random.Random,
    on_retry: OnRetry | None = None,
    budget: RetryBudget | None = None,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> T:
    """Await `call()` until it succeeds or must not be asked again.

    Each attempt calls `call` anew; `budget` is shared with all other calls of the client. Cancellation passes through at once, in a call and in a wait.

    Raises:
        ReasonerError: the last one. If it was asked more than once, or a wait the server named was too long, its message says
            so; the error of the attempt before is its cause when it has no cause of its own.
    """
    course = _Course(policy, rng, on_retry, clock, budget)
    if budget is not None:
        budget.earn()

    first: list[ReasonerError] = []

    async def attempt() -> T:
        # tenacity awaits coroutine functions only; a lambda that returns an awaitable would come back unawaited.
        if first:
            raise first.pop()
        return await call()

    try:
        # Nearly every call succeeds at once: the loop is set up only for one that did not, and is told of that failure as its first attempt.
        try:
            return await call()
        except ReasonerError as error:
            first.append(error)
        return await AsyncRetrying(retry=course.may_retry, wait=course.wait, sleep=sleep)(attempt)
    except ReasonerError as error:
        if course.attempts > 1 or error.retryable:
            times = "1 attempt" if course.attempts == 1 else f"{course.attempts} attempts"
            error.message = f"{error.message} (gave up after {times}: {course.reason})"
        if error.__cause__ is None and course.previous is not error:
            error.__cause__ = course.previous
        raise
