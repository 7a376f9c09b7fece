"""How many cores there really are for this process: physical ones, that it may run on, within the quota of its control group.

    physical_cores() -> 2
    free_cores() -> 1

Knows /sys and /proc of Linux; elsewhere it returns what the system says of processors. `free_cores` leaves out
those that are busy.
"""

from __future__ import annotations

import math
import os
from pathlib import Path

_CPUS = Path("/sys/devices/system/cpu")
_CGROUP = Path("/sys/fs/cgroup")


def physical_cores(cpus: Path = _CPUS, cgroup: Path = _CGROUP) -> int:
    """Return how many threads can run without sharing a core with each other; at least one."""
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))
    siblings = {_siblings(cpus, cpu) for cpu in allowed}
    return max(1, min(len(siblings), _quota(cgroup)))


def free_cores() -> int:
    """Return how many threads a model should begin with: the physical cores this process may use, less those that are busy, at least one."""
    try:
        n_busy = round(os.getloadavg()[0])
    except OSError:
        n_busy = 0
    # Threads of llama.cpp wait for each other by spinning: one more than there are free cores costs a factor of ten.
    return max(1, physical_cores() - n_busy)


def _siblings(cpus: Path, cpu: int) -> str:
    """Return the list of logical processors that share a core with this one, as the system writes it."""
    try:
        return (cpus / f"cpu{cpu}" / "topology" / "thread_siblings_list").read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return str(cpu)


def _quota(cgroup: Path) -> int:
    """Return how many cores the control group may keep busy; a great number where nothing limits it."""
    try:
        relative = next(line[3:] for line in Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines() if line.startswith("0::"))
    except (OSError, StopIteration, UnicodeDecodeError):
        relative = "/"
    found = 1 << 16
    folder = cgroup / relative.strip().lstrip("/")
    for place in (folder, *folder.parents):
        try:
            quota, period = (place / "cpu.max").read_text(encoding="ascii").split()
            found = min(found, max(1, math.floor(int(quota) / int(period))))
        except (OSError, ValueError):
            continue  # no limit here ("max"), or no such file
        if place == cgroup:
            break
    return found
