"""How much memory there is.

    available()   # 22_355_484_672, or None

Knows /proc and control groups; where there is neither, it cannot tell.
"""

from __future__ import annotations

from pathlib import Path


def available() -> int | None:
    """Return how many bytes this process can still get, by the machine and by its control group; None where that cannot be told."""
    found: list[int] = []
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        found += [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")]
    except (OSError, ValueError, IndexError):
        pass
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii").strip()
        used = int(Path("/sys/fs/cgroup/memory.current").read_text(encoding="ascii"))
        if limit.isdigit():
            found.append(max(0, int(limit) - used))
    except (OSError, ValueError):
        pass
    return min(found, default=None)
