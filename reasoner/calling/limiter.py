"""Bound how many calls of a client are under way at once, and how many requests and tokens go out in a minute.

Knows counts, an order (first come, first served) and what became of a call. Does not know clients, retries or money.

    limiter = Limiter(8, pacing=Pacing(adaptive=True, rpm=60))
    async with limiter.place(tokens=900) as place:
        completion = await model.complete(request)
        place.used(700)

An adaptive limiter looks for what a server bears: half as many calls at once after a 429 or an overload, down to one; back by one for
each round of successes up to the level that was too much; past that by one only after many quiet rounds, sooner each time it holds.
`n` is its ceiling. Local and in-process clients are not adaptive: what they bear is known.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

from reasoner.calling.retry import RetryBudget
from reasoner.errors import BadConfig, KeyRefused, QuotaExhausted, RateLimited, Refused, ServerFailed
from reasoner.types import Pacing

QUIET_ROUNDS = 16
"""Rounds of successes before one call more is tried at a level that was too much; halved each time that holds."""
RETRIES_FLOOR = 10
MINUTE_S = 60.0


class Circuit:
    """Closed until a call with a key is refused for good; open, it lets no further call with that key through."""

    def __init__(self) -> None:
        self._fault: Refused | None = None

    def check(self) -> None:
        """Raise what opened the circuit, if anything has."""
        if self._fault is not None:
            raise type(self._fault)(f"not sent, since an earlier call met: {self._fault.message}", hint=self._fault.hint)

    def saw(self, error: BaseException | None) -> None:
        """Open on a refused key or an exhausted account."""
        if isinstance(error, KeyRefused | QuotaExhausted) and self._fault is None:
            self._fault = error


class Rate:
    """At most `amount` in any 60 seconds, exactly: what went out is remembered for that long. Waits stand in line."""

    def __init__(self, amount: int, *, clock: Callable[[], float], sleep: Callable[[float], Awaitable[None]]) -> None:
        self.amount = amount
        self._clock = clock
        self._sleep = sleep
        self._line = asyncio.Lock()
        self._sent: deque[list[float]] = deque()  # [when, how much]
        self._sum = 0.0

    async def take(self, amount: float) -> list[float]:
        """Wait until so much may go out. What alone is more than a minute allows goes out when nothing else has."""
        async with self._line:
            while True:
                now = self._clock()
                while self._sent and self._sent[0][0] + MINUTE_S <= now:
                    self._sum -= self._sent.popleft()[1]
                if not self._sent or self._sum + amount <= self.amount:
                    break
                await self._sleep(self._sent[0][0] + MINUTE_S - now)
            entry = [now, amount]
            self._sent.append(entry)
            self._sum += amount
            return entry

    def fill(self) -> None:
        """Take all that may go out in the minute that begins now: somebody else may have sent as much just before."""
        self._sent.append([self._clock(), float(self.amount)])
        self._sum += self.amount

    def correct(self, entry: list[float], amount: float) -> None:
        """Replace what was taken for an entry by what it really was."""
        if self._sent and entry[0] >= self._sent[0][0]:
            self._sum += amount - entry[1]
            entry[1] = amount


class Limiter:
    """At most `n` bodies at once, in the order they asked. A cancelled waiter or body gives its place back. One event loop each."""

    def __init__(
        self,
        n: int,
        *,
        pacing: Pacing | None = None,
        circuit: Circuit | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        if n < 1:
            raise BadConfig(f"a limiter for {n} calls would never let one through", hint="concurrency is at least 1")
        self.n = n
        self.line = asyncio.Semaphore(n + n // 2)
        """Who may make ready at once: half as many again as may be under way, so that no place stands empty while a call is announced."""
        self.retries = RetryBudget(floor=RETRIES_FLOOR + 2 * n)
        pacing = pacing or Pacing()
        self._adaptive = pacing.adaptive
        self._circuit = circuit or Circuit()
        self._requests = Rate(pacing.rpm, clock=clock, sleep=sleep) if pacing.rpm else None
        self._tokens = Rate(pacing.tpm, clock=clock, sleep=sleep) if pacing.tpm else None
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._in_flight = 0
        self._limit = float(n)
        self._too_much = float(n)
        self._quiet = QUIET_ROUNDS
        self._era = 0

    @property
    def in_flight(self) -> int:
        """How many bodies are running now."""
        return self._in_flight

    @property
    def limit(self) -> int:
        """How many may run at once now."""
        return int(self._limit)

    def pace(self, *, rpm: int | None, tpm: int | None, used: bool = False) -> None:
        """Let other rates hold from now on, where there are any; `used` takes the whole of them for the minute that begins now."""
        for rate, amount in ((self._requests, rpm), (self._tokens, tpm)):
            if rate is not None and amount is not None:
                rate.amount = amount
                if used:
                    rate.fill()

    def place(self, tokens: int = 0) -> Place:
        """Return the context in which one call is made; `tokens` is the most it may use."""
        return Place(self, tokens)

    async def enter(self, tokens: int) -> tuple[int, list[float] | None]:
        """Wait for a place and for the rates; return the era, and what was taken of the token rate.

        Raises:
            Refused: an earlier call with the same key was refused for good.
        """
        await self._acquire()
        try:
            if self._requests is not None:
                await self._requests.take(1)
            entry = await self._tokens.take(tokens) if self._tokens is not None else None
            self._circuit.check()
        except BaseException:
            self._release()
            raise
        return self._era, entry

    def leave(self, era: int, error: BaseException | None) -> None:
        """Give a place back and learn from what became of the call."""
        full = self._in_flight >= self.limit
        self._circuit.saw(error)
        if self._adaptive:
            if isinstance(error, RateLimited | ServerFailed) and error.overload:
                self._shrink(era)
            elif error is None and era == self._era and full:
                self._grow()
        self._release()

    def correct(self, entry: list[float] | None, tokens: int) -> None:
        """Tell the token rate what a call really used."""
        if self._tokens is not None and entry is not None:
            self._tokens.correct(entry, tokens)

    def _shrink(self, era: int) -> None:
        # Calls sent before the last cut say nothing about the level after it: one overload is one cut, however many calls it hit.
        if era == self._era:
            self._era += 1
            self._too_much = float(self.limit)
            self._quiet = QUIET_ROUNDS
            self._limit = float(max(1, self.limit // 2))

    def _grow(self) -> None:
        if self._limit >= self.n:
            return
        before = self.limit
        near = before + 1 >= self._too_much
        self._limit = min(self._limit + 1 / (before * (self._quiet if near else 1)), float(self.n))
        if self.n - self._limit < 1e-9:
            self._limit = float(self.n)
        if near and self.limit > before:
            self._too_much = float(self.limit)
            self._quiet = max(1, self._quiet // 2)

    async def _acquire(self) -> None:
        if self._in_flight < self.limit and not self._waiting:
            self._in_flight += 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._release()  # the place had been given in the same moment
            with contextlib.suppress(ValueError):
                self._waiting.remove(turn)
            raise

    def _release(self) -> None:
        self._in_flight -= 1
        while self._waiting and self._in_flight < self.limit:
            turn = self._waiting.popleft()
            if not turn.done():
                self._in_flight += 1
                turn.set_result(None)


class Place:
    """One call's place; entered once."""

    def __init__(self, limiter: Limiter, tokens: int) -> None:
        self._limiter = limiter
        self._asked = tokens
        self._era = 0
        self._entry: list[float] | None = None

    def used(self, tokens: int) -> None:
        """Say how many tokens the call really used; 0 says nothing, since some servers do not tell."""
        if tokens:
            self._limiter.correct(self._entry, tokens)

    async def __aenter__(self) -> Self:
        self._era, self._entry = await self._limiter.enter(self._asked)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self._limiter.leave(self._era, error)
