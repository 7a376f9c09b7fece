"""An end for work that would take minutes or hours without its guard.

The bounds are far from what any machine takes: a test tells a linear reading from a quadratic one and a cut from a hang. How fast something
is, the benches measure.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

MAX_SECONDS = 60.0


@contextmanager
def ends(what: object = "it", seconds: float = MAX_SECONDS, clock: Callable[[], float] = time.process_time) -> Iterator[None]:
    """Fail where the block takes more than `seconds` of `clock`: this process's processor time, or `time.monotonic` where others work for it."""
    began = clock()
    yield
    assert clock() - began < seconds, f"{str(what)[:80]!r} took {clock() - began:.1f} s"
