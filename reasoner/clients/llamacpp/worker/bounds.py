"""Bounds on Python work whose input comes out of a model file: CPU seconds and memory. For the worker process only.

Knows signals and resource limits of the process it runs in, and must be used in its main thread. Does not know what is bounded.

    with bounded(cpu_s=2.0, memory_bytes=512 << 20):
        text = template.render(...)   # Overrun after two seconds of CPU, MemoryError past 512 MiB more than now
"""

from __future__ import annotations

import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType


class Overrun(BaseException):
    """The CPU deadline has passed. No `Exception`, so that nothing on the way up takes it for an ordinary fault."""


@contextmanager
def bounded(*, cpu_s: float, memory_bytes: int) -> Iterator[None]:
    """Run the block with at most so many seconds of CPU and so many bytes more than the process has now.

    Raises:
        Overrun: the CPU time is used up.
        MemoryError: the memory is.
    """
    armed = True

    def strike(_number: int, _frame: FrameType | None) -> None:
        if armed:
            raise Overrun

    # CPU time, not wall time: a stopped or crowded process is not a runaway template.
    handler = signal.signal(signal.SIGPROF, strike)
    limit = _lower_memory_limit(memory_bytes)
    try:
        # Strikes again and again, in case a C function swallowed the first exception.
        signal.setitimer(signal.ITIMER_PROF, cpu_s, 0.1)
        yield
    finally:
        armed = False
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, handler)
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_AS, limit)


def _lower_memory_limit(memory_bytes: int) -> tuple[int, int] | None:
    """Set the soft limit of the address space to what is in use plus so much; return the old limits, None where it cannot be set."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):
        return None  # not Linux: the deadline and the size bounds remain
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    wanted = pages * resource.getpagesize() + memory_bytes
    if soft != resource.RLIM_INFINITY and soft <= wanted:
        return None
    resource.setrlimit(resource.RLIMIT_AS, (wanted, hard))
    return soft, hard
