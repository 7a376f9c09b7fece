"""What is to be scheduled: meetings and jobs, which are placed in time, or shifts, which are given to people.

Schedule(kind="jobs", items=(Item(name="A1", length=3, needs=("saw",)), Item(name="A2", length=2, needs=("lathe",), after="A1")))
"""

from __future__ import annotations

import re
from collections import Counter
from math import factorial, prod
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from solvers._clock import clock, minutes
from solvers._record import Record

Kind = Literal["meetings", "shifts", "jobs"]
MAX_ORDERS = 20_000
"""In so many orders, at most, may things that are placed in time follow each other: all of them are searched."""
MAX_SHIFTS, MAX_PEOPLE = 14, 6
GRID = 30
"""Meetings begin on the hour or the half hour."""
_NAME = r"^[A-Za-z][A-Za-z0-9_-]{0,29}$"


class Item(BaseModel):
    """A meeting (length in minutes), a step of a job (length in any unit), or a shift (which has a name alone)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=_NAME)
    length: int = Field(default=1, ge=1, le=480)
    needs: tuple[str, ...] = Field(default=(), max_length=8)
    """The people who take part, or the machine."""
    after: str = ""
    """The item that has to end before this one begins."""


class Worker(BaseModel):
    """Somebody who works shifts."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=_NAME)
    pay: int = Field(ge=1, le=10_000)
    most: int = Field(ge=1, le=MAX_SHIFTS)
    off: tuple[str, ...] = ()


class Schedule(Record):
    """Items with their rules: `hours` and `busy` (who, from, to) for meetings, `workers` for shifts."""

    kind: Kind
    items: tuple[Item, ...] = Field(min_length=1, max_length=MAX_SHIFTS)
    hours: tuple[str, str] = ("0:00", "23:30")
    busy: tuple[tuple[str, str, str], ...] = Field(default=(), max_length=40)
    workers: tuple[Worker, ...] = Field(default=(), max_length=MAX_PEOPLE)

    @model_validator(mode="after")
    def _holds_together(self) -> Schedule:
        for what, names in (("items", [item.name for item in self.items]), ("workers", [worker.name for worker in self.workers])):
            if len({name.casefold() for name in names}) != len(names):
                raise ValueError(f"two {what} have one name")
        if self.kind == "shifts":
            self._check_shifts()
        else:
            self._check_times()
        return self

    def _check_shifts(self) -> None:
        names = {item.name for item in self.items}
        if not self.workers:
            raise ValueError("shifts need workers")
        if unknown := sorted({shift for worker in self.workers for shift in worker.off} - names):
            raise ValueError(f"there is no shift {unknown[0][:40]!r} that anybody could be off")

    def _check_times(self) -> None:
        before: set[str] = set()
        for item in self.items:
            if not item.needs or not all(re.fullmatch(_NAME, need) for need in item.needs):
                raise ValueError(f"{item.name} needs people or a machine, named by letters and digits")
            if item.after and item.after not in before:
                raise ValueError(f"{item.name} comes after {item.after[:40]!r}, which does not stand before it")
            before.add(item.name)
        if self.workers or (self.kind == "jobs" and self.busy):
            raise ValueError(f"{self.kind} have no {'workers' if self.workers else 'busy times'}")
        if self.kind == "meetings":
            times = [minutes(text) for text in (*self.hours, *(text for _, *span in self.busy for text in span))]
            if any(time is None or time % GRID for time in times) or any(item.length % GRID for item in self.items):
                raise ValueError("times are H:00 or H:30, and meetings last a multiple of 30 minutes")
        if (n := n_orders(self.items)) > MAX_ORDERS:
            raise ValueError(f"the items can follow each other in up to {n:,} orders; at most {MAX_ORDERS:,} are searched")

    @property
    def opens(self) -> int:
        """When the first item may begin: minutes after midnight; 0 for jobs."""
        return (minutes(self.hours[0]) or 0) if self.kind == "meetings" else 0

    @property
    def closes(self) -> int:
        """When all must have ended; for jobs there is always time enough."""
        return (minutes(self.hours[1]) or 0) if self.kind == "meetings" else sum(item.length for item in self.items)

    def busy_minutes(self) -> tuple[tuple[str, int, int], ...]:
        """Return who is busy from when to when, in minutes after midnight."""
        return tuple((who, minutes(begin) or 0, minutes(end) or 0) for who, begin, end in self.busy)

    def written(self, value: int) -> str:
        """Write what an item is given: a time, or the name of a worker."""
        return clock(value, padded=False) if self.kind == "meetings" else self.workers[value].name if self.kind == "shifts" else str(value)


def n_orders(items: tuple[Item, ...]) -> int:
    """Return how many orders there are at most, with the items of one chain (each after the one before) in theirs."""
    head: dict[str, str] = {}
    for item in items:
        head[item.name] = head.get(item.after, item.name)
    return factorial(len(items)) // prod(factorial(n) for n in _chains(items, head))


def _chains(items: tuple[Item, ...], head: dict[str, str]) -> list[int]:
    """Return the lengths of the chains; items that branch off are counted as chains of their own."""
    followed = Counter(item.after for item in items if item.after)
    lengths: Counter[str] = Counter()
    for item in items:
        alone = followed[item.after] > 1 if item.after else False
        lengths[item.name if alone else head[item.name]] += 1
    return list(lengths.values())
