"""Whether one of several servers of a model may be asked now: a circuit that opens after failures and tries again with one call.

    circuit = ServerCircuit("127.0.0.1:8001")
    sent = circuit.begin()
    circuit.ended(sent, ConnectFailed("..."))   -> "127.0.0.1:8001 fails: ...; it rests for 1 s"
    circuit.ready                                -> False, until the rest is over; then one call tries it, and closes the circuit or doubles the rest

Knows outcomes and a clock. Sends nothing, chooses nothing (`several` does), and does not retry.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from reasoner.errors import BadResponse, ClientError, ConnectFailed, RateLimited, ServerFailed, StreamCut, TimedOut, UnreadableAnswer

if TYPE_CHECKING:
    from collections.abc import Callable

FAILURES = 3
"""Failures in a row that open the circuit; one is enough where nothing listens at the address."""
FIRST_REST_S = 1.0
LONGEST_REST_S = 60.0
"""A rest is doubled by each trial that fails, up to this."""
_FAILURES = (ConnectFailed, TimedOut, ServerFailed, StreamCut, BadResponse)


class ServerCircuit:
    """What is known of one server: how many calls it has now, and whether it may have another."""

    def __init__(self, where: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.where = where
        self.in_flight = 0
        self._clock = clock
        self._failures = 0
        self._rest_s = FIRST_REST_S
        self._until_s: float | None = None  # None: closed
        self._failed = False  # open because it failed, not because it asked to wait
        self._trials = 0
        self._era = 0

    @property
    def rests_s(self) -> float:
        """How long it still rests, in seconds; 0 where a call may try it."""
        return 0.0 if self._until_s is None else max(0.0, self._until_s - self._clock())

    @property
    def ready(self) -> bool:
        """Whether a call may be sent: the circuit is closed, or its rest is over and no other call is trying it."""
        return self._until_s is None or (self.rests_s == 0 and self._trials == 0)

    def begin(self) -> int:
        """Count a call that is sent now; what is returned is for `ended`."""
        self.in_flight += 1
        self._trials += self._until_s is not None
        return self._era

    def ended(self, era: int, error: BaseException | None) -> str:
        """Learn from what became of a call. Return what a user should know of it: that the circuit opened or closed; mostly nothing."""
        self.in_flight -= 1
        if era != self._era:
            return ""  # sent before the circuit opened or closed: nothing new
        trial = self._until_s is not None
        self._trials -= trial
        if isinstance(error, RateLimited) or (isinstance(error, ServerFailed) and (error.overload or error.loading)):
            asked_s = error.retry_after_s
            self._open(FIRST_REST_S if asked_s is None else asked_s, failed=self._failed)
            return ""
        if isinstance(error, _FAILURES) and not isinstance(error, UnreadableAnswer):
            return self._failure(error, trial=trial)
        if error is not None and not isinstance(error, ClientError):
            return ""  # cancelled: it says nothing of the server
        told = f"{self.where} answers again" if self._failed else ""
        if trial:
            self._era += 1
            self._trials = 0
        self._failures, self._rest_s, self._until_s, self._failed = 0, FIRST_REST_S, None, False
        return told

    def _failure(self, error: ClientError, *, trial: bool) -> str:
        if trial:
            if self.rests_s == 0:  # of several that were sent because nobody else was left, only the first doubles it
                self._rest_s = min(2 * self._rest_s, LONGEST_REST_S)
            self._until_s = self._clock() + self._rest_s
            self._failed = True
            return ""
        self._failures += 1
        if self._failures < FAILURES and not isinstance(error, ConnectFailed):
            return ""
        self._open(self._rest_s, failed=True)
        return f"{self.where} fails: {error.message}; it rests for {self._rest_s:g} s, and longer each time it fails again"

    def _open(self, rest_s: float, *, failed: bool) -> None:
        if self._until_s is None:
            self._era += 1
            self._trials = 0
        self._failed = failed
        self._until_s = self._clock() + rest_s
