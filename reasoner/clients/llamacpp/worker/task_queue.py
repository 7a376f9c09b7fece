"""What both layouts of a cache share: the tasks that wait, those that run, and what was done so far.

`scheduler` keeps all tasks in one cache in which prefixes are shared; `streams` gives every task a part of its own. Knows tasks and places.
Imports no llama.cpp.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, field
from typing import Any, Generic, TypeVar

from reasoner.clients.llamacpp.worker.decoder import Decoder, Slice, Task


@dataclass(slots=True, eq=False)
class Place:
    """A task in the cache: which sequence it has, and what of its tokens is read; `n_shared` of them were there when it came."""

    task: Task
    seq: int
    tokens: list[int]
    n_read: int
    n_shared: int
    n_given: int = field(init=False)
    """How many tokens it came with; those after them it wrote here."""

    def __post_init__(self) -> None:
        self.n_given = len(self.tokens)

    @property
    def n_left(self) -> int:
        """How many of its tokens are still to be read."""
        return len(self.tokens) - self.n_read

    @property
    def reads_prompt(self) -> bool:
        """Whether more than the last drawn token is still to be read of what it came with."""
        return self.n_read < self.n_given and (self.n_left > 1 or not self.task.written)


@dataclass(slots=True)
class Counts:
    """What was done so far, in tokens and steps."""

    prompt_tokens: int = 0
    cached_tokens: int = 0
    restored_tokens: int = 0
    drawn_tokens: int = 0
    forced_tokens: int = 0
    steps: int = 0
    preempted: int = 0

    @classmethod
    def of(cls, several: Iterable[Counts]) -> Counts:
        """Return the sums of several."""
        return cls(*(sum(column) for column in zip(*map(astuple, several), strict=True)))


P = TypeVar("P", bound=Place)


@dataclass(slots=True)
class TaskQueue(ABC, Generic[P]):
    """The tasks of one cache. `step` decodes one batch; what a place is beyond `Place` is the layout's own."""

    decoder: Decoder
    max_running: int
    n_batch: int
    beside: list[TaskQueue[Any]] = field(default_factory=list, kw_only=True)
    """The queues of one process, this one among them: a task that runs alone runs beside none of their tasks either."""
    counts: Counts = field(default_factory=Counts, init=False)
    entered: list[Task] = field(default_factory=list, init=False)
    """Tasks that were let in since somebody last emptied this list."""
    _waiting: deque[Task] = field(default_factory=deque, init=False)
    _running: list[P] = field(default_factory=list, init=False)

    @property
    def busy(self) -> bool:
        """Whether there is anything to do."""
        return bool(self._waiting or self._running)

    @property
    def n_running(self) -> int:
        """How many tasks have a place in the cache."""
        return len(self._running)

    @property
    def runs_alone(self) -> bool:
        """Whether a task has a place that wants nothing beside it."""
        return any(place.task.alone for place in self._running)

    @property
    def next_is_alone(self) -> bool:
        """Whether the task that is let in next wants nothing beside it."""
        return bool(self._waiting) and self._waiting[0].alone

    def add(self, task: Task) -> None:
        """Queue a task."""
        self._waiting.append(task)

    def cancel(self, task: Task) -> bool:
        """Drop a task and free what it holds at once; False when it is not here (any more)."""
        if task in self._waiting:
            self._waiting.remove(task)
            return True
        place = next((p for p in self._running if p.task is task), None)
        if place is None:
            return False
        self._leave(place)
        return True

    @property
    @abstractmethod
    def n_kept(self) -> int:
        """How many tokens are kept of tasks that are done."""

    @abstractmethod
    def step(self) -> list[Task]:
        """Decode one batch and return the tasks it completed."""

    @abstractmethod
    def clear(self) -> None:
        """Drop what is kept and not in use."""

    @abstractmethod
    def _finish(self, place: P) -> None:
        """Take a completed task out and keep what it read for those that continue it."""

    @abstractmethod
    def _leave(self, place: P) -> None:
        """Take a task out that is not complete."""

    def _has_place_for(self, task: Task) -> bool:
        if task.alone or any(each.runs_alone for each in self.beside):
            return not any(each.n_running for each in self.beside)
        # Another one's task that waits to be alone would wait for ever if this one went on letting in.
        if any(each.next_is_alone for each in self.beside if each is not self):
            return False
        return len(self._running) < self.max_running

    def _is_being_read(self, tokens: list[int], length: int, *, worth: int) -> bool:
        """Tell whether a running task is reading all of these tokens, or `worth` more of them than are cached."""
        if not self.decoder.shares_prefixes:
            return False
        if any(p.reads_prompt and p.tokens == tokens for p in self._running):
            return True
        wanted = length + worth
        if len(tokens) <= wanted:
            return False
        beyond, head = tokens[length:wanted], tokens[:length]
        return any(p.reads_prompt and p.tokens[length:wanted] == beyond and p.tokens[:length] == head for p in self._running)

    def _begin(self, place: P) -> P:
        """Count a task in that has got its place."""
        if not place.task.written:
            place.task.n_cached = place.n_shared
            self.counts.cached_tokens += place.n_shared
        self._running.append(place)
        self.entered.append(place.task)
        return place

    def _plan(self, room: int) -> tuple[list[Slice], list[P]]:
        """Choose the tokens of the next batch: one of every answer, then prompts in the order they came, as many as fit."""
        slices: list[Slice] = []
        places: list[P] = []
        for place in sorted(self._running, key=lambda p: p.reads_prompt):
            n_tokens = min(place.n_left, room)
            if n_tokens == 0:
                break
            room -= n_tokens
            tokens: Sequence[int] = place.tokens[place.n_read : place.n_read + n_tokens]
            slices.append(Slice(place.seq, place.n_read, tokens, wants_logits=n_tokens == place.n_left))
            places.append(place)
        return slices, places

    def _draw(self, place: P, row: int) -> bool:
        """Let a task draw its next token; True when it is complete by that."""
        n_before = len(place.task.written)
        complete = place.task.take(row)
        self.counts.drawn_tokens += 1
        self.counts.forced_tokens += max(0, len(place.task.written) - n_before - 1)
        if complete:
            self._finish(place)
            return True
        place.tokens += place.task.written[n_before:]
        return False
