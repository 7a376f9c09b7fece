"""CPU run-queue delay of a process: what tells a worker on a crowded machine from one that hangs.

    starved = Starvation(pid)
    starved.seconds(since=41.5)     # 0.0: the count begins when it is first asked about a moment
    starved.seconds(since=41.5)     # 12.3, later: its most held-up thread waited so long for a core meanwhile

A process that is stopped or asleep waits for no core, and one in a loop only for as long as others hold it. Knows /proc of Linux; elsewhere nothing is ever starved.
"""

from __future__ import annotations

from pathlib import Path

_PROC = Path("/proc")


class Starvation:
    """See the module."""

    def __init__(self, pid: int, proc: Path = _PROC) -> None:
        self._tasks = proc / str(pid) / "task"
        self._since: float | None = None
        self._before: dict[str, float] = {}

    def seconds(self, since: float) -> float:
        """Return how long the most held-up thread has waited since this was first asked about the moment `since`."""
        now = self._waited()
        if since != self._since:
            self._since, self._before = since, now
        return max((waited - self._before.get(task, waited) for task, waited in now.items()), default=0.0)

    def _waited(self) -> dict[str, float]:
        """Return for each thread how many seconds it has waited for a core so far."""
        try:
            return {task.name: int((task / "schedstat").read_text(encoding="ascii").split()[1]) / 1e9 for task in self._tasks.iterdir()}
        except (OSError, ValueError, IndexError):
            return {}  # no such file here, or a thread that ended meanwhile
