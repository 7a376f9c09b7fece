"""How many threads compute: fewer while other programs want the cores, as many as there are cores when they do not.

    count = ThreadCount(now=2, most=2)
    count.add(seconds=0.31, cpu_seconds=0.21)     # of time in llama.cpp -> False
    count.add(seconds=0.33, cpu_seconds=0.22)     # -> True: too little of two cores was had, so from now on
    count.now                                     # -> 1

Threads of llama.cpp wait for each other by spinning, so one that is kept from its core holds up all of them while they burn theirs: on
two cores with two other busy threads, two threads wrote 25 tokens a second and one wrote 100. Spinning or computing, a thread that has
its core uses all of it; so CPU time over time and threads tells what share of its cores a model had. Knows no llama.cpp and reads no clock.
"""

from __future__ import annotations

WINDOW_S = 0.5
"""Time in llama.cpp after which the share is looked at."""
ENOUGH = 0.7
"""The share of its cores with which a number of threads is kept."""
RETRY_S, RETRY_MOST_S = 2.0, 64.0
"""Time in llama.cpp after which more threads are tried; twice as long after each try that failed, up to the second figure."""


class ThreadCount:
    """See the module. Never more than `most`, nor less than one; without `most` the number is kept whatever happens."""

    def __init__(self, *, now: int, most: int | None) -> None:
        self.now = now
        self._fixed = most is None
        self._most = max(now, most or now)
        self._seconds = self._cpu_seconds = 0.0
        self._settled_s = 0.0
        """Time since the number was last changed."""
        self._retry_s = RETRY_S
        self._tried_from: int | None = None
        """The number that more are tried from, while they are."""

    def add(self, seconds: float, cpu_seconds: float) -> bool:
        """Take in time spent computing, by the clock and by all threads together; True when the number is another one from now on."""
        if self._fixed:
            return False
        self._seconds += seconds
        self._cpu_seconds += cpu_seconds
        if self._seconds < WINDOW_S:
            return False
        share = self._cpu_seconds / (self._seconds * self.now)
        self._settled_s += self._seconds
        self._seconds = self._cpu_seconds = 0.0
        before = self.now
        if share < ENOUGH and self.now > 1:
            self._fewer(share)
        elif self._tried_from is not None:
            self._tried_from, self._retry_s = None, RETRY_S
        elif self.now < self._most and self._settled_s >= self._retry_s:
            self._tried_from, self.now = self.now, min(self._most, 2 * self.now)
        if self.now == before:
            return False
        self._settled_s = 0.0
        return True

    def _fewer(self, share: float) -> None:
        if self._tried_from is not None:
            self.now, self._tried_from = self._tried_from, None
            self._retry_s = min(RETRY_MOST_S, 2 * self._retry_s)
        else:
            self.now = max(1, int(self.now * share))
