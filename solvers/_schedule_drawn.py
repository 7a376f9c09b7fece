"""Schedules drawn at random: meetings of a day, shifts of a week, steps of jobs on machines; five sizes of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from solvers._clock import clock
from solvers._schedule_task import GRID

if TYPE_CHECKING:
    import random

MEETINGS = ("budget", "review", "hiring", "design", "planning", "training", "audit", "launch", "support", "sales")
PEOPLE = ("Ada", "Bela", "Carla", "David", "Elin", "Franz")
MACHINES = ("saw", "drill", "lathe", "press")
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
OPENS, CLOSES = 9 * 60, 17 * 60
_MEETINGS = {1: (1, 2), 2: (2, 2), 3: (3, 3), 4: (4, 3), 5: (6, 4)}
"""How many meetings, of how many people."""
_SHIFTS = {1: (2, 2), 2: (3, 3), 3: (5, 3), 4: (7, 4), 5: (10, 4)}
"""How many shifts, for how many workers."""
_JOBS = {1: (1, 3), 2: (2, 2), 3: (2, 3), 4: (3, 2), 5: (3, 3)}
"""How many jobs, of how many steps."""


def meetings(rng: random.Random, size: int) -> dict[str, Any]:
    """Draw meetings of 30 to 120 minutes with two or three people, and when who is busy."""
    n, n_people = _MEETINGS[size]
    people = rng.sample(PEOPLE, n_people)
    items = [
        {
            "name": name,
            "length": GRID * rng.randint(1, 4),
            "needs": sorted(rng.sample(people, min(n_people, rng.randint(1, 3) if size > 2 else 2))),
        }
        for name in rng.sample(MEETINGS, n)
    ]
    busy = []
    for who in people:
        if rng.random() < (0.5 if size <= 2 else 0.7):
            begin = OPENS + GRID * rng.randint(0, 7 if size > 1 else 1)
            busy.append((who, _hour(begin), _hour(begin + GRID * rng.randint(1, 4))))
    return {"kind": "meetings", "items": items, "hours": (_hour(OPENS), _hour(CLOSES)), "busy": busy}


def shifts(rng: random.Random, size: int) -> dict[str, Any]:
    """Draw shifts, and workers with their pay, their days off, and how often they may work."""
    n, n_workers = _SHIFTS[size]
    names = list(DAYS[:n]) if n <= len(DAYS) else [f"{day}-{half}" for day in DAYS[: n // 2] for half in ("early", "late")]
    pays = rng.sample(range(8, 30), n_workers)
    workers = [
        {
            "name": name,
            "pay": 10 * pay,
            "most": rng.randint(max(1, n // n_workers), n // 2 + 1),
            "off": sorted(rng.sample(names, rng.randint(0, n // 3)), key=names.index),
        }
        for name, pay in zip(rng.sample(PEOPLE, n_workers), pays, strict=True)
    ]
    return {"kind": "shifts", "items": [{"name": name} for name in names], "workers": workers}


def jobs(rng: random.Random, size: int) -> dict[str, Any]:
    """Draw jobs whose steps need different machines, one after the other."""
    n, n_steps = _JOBS[size]
    machines = MACHINES[: max(2, n_steps)]
    items = []
    for job in "ABC"[:n]:
        for step, machine in enumerate(rng.sample(machines, n_steps), start=1):
            items.append(
                {"name": f"{job}{step}", "length": rng.randint(1, 6), "needs": [machine], "after": f"{job}{step - 1}" if step > 1 else ""}
            )
    return {"kind": "jobs", "items": items}


def _hour(value: int) -> str:
    return clock(value, padded=False)
