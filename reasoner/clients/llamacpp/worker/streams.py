"""Conversations beside each other, each in a part of the cache of its own: which stream a task gets, and what is decoded next.

    streams = Streams(decoder=model, n_streams=16, n_tokens=4096, max_running=16, n_batch=256)
    streams.add(task)
    while streams.busy:
        finished = streams.step()

In one cache every token is compared with the cells of all that run beside it, also those masked out; for conversations that share little that is most of the work.
Here a token sees its own stream only. What is paid for it: a prefix that two have in common is copied, and a stream has a fixed size.

A task goes on in the stream that holds the turn before it. Any other gets the stream that was used longest ago and is not held for a conversation to go on, with
the longest prefix copied that any stream has in common with it; one that nobody goes on from gets the first such stream, so that those that run are neighbours.
Knows tasks, streams and tokens; imports no llama.cpp.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

from reasoner.clients.llamacpp.worker.decoder import Slice, Task
from reasoner.clients.llamacpp.worker.task_queue import Place, TaskQueue
from reasoner.sequences import n_common

HELD_STEPS = 40
"""So many steps a stream waits at most for the next turn of its conversation while others want one: some seconds, as long as most tools take."""
LEAST_HELD_STEPS = 4
LONGEST_WAIT_KEPT = 0.95
"""The longest wait for a next turn of late, of which a stream is held twice as much, is multiplied by this with every turn that comes."""
WORTH_COPYING_TOKENS = 32
"""A common prefix that is shorter is read as fast as a stream is copied."""
WORTH_WAITING_TOKENS = 64
"""So many more tokens another task must be about to read of a common prefix, to be waited for."""
MAX_BRIDGE = 3
"""llama.cpp takes neighbouring streams through the model in one pass. A pass for itself costs as much as about four tokens that go along in one."""


@dataclass(slots=True, eq=False)
class _Stream:
    """A part of the cache: what it holds while nobody runs in it, the prompt that was answered, and until which step it is held for the next turn."""

    seq: int
    tokens: list[int] = field(default_factory=list)
    n_prompt: int = 0
    n_opening: int = 0
    held_until: int = 0
    used: int = 0
    place: Place | None = None

    def read(self) -> list[int]:
        """Return the tokens that are in the cache."""
        return self.tokens if self.place is None else self.place.tokens[: self.place.n_read]

    def is_continued_by(self, tokens: list[int], n_same: int) -> bool:
        """Tell whether tokens, so many of which are the same, are the next turn of the conversation in it."""
        return bool(self.tokens) and len(tokens) > self.n_prompt and n_same >= self.n_prompt - self.n_opening


@dataclass(slots=True)
class Streams(TaskQueue[Place]):
    """See the module."""

    n_streams: int
    n_tokens: int
    """How many tokens a stream can hold."""
    _streams: list[_Stream] = field(init=False)
    _longest_wait: float = field(default=HELD_STEPS / 2, init=False)
    """Steps between a turn and the next one, the longest of late."""

    def __post_init__(self) -> None:
        self._streams = [_Stream(seq) for seq in range(self.n_streams)]
        self.beside.append(self)

    @property
    def n_kept(self) -> int:
        """How many tokens are kept of tasks that are done."""
        return sum(len(stream.tokens) for stream in self._streams if stream.place is None)

    def clear(self) -> None:
        """Drop what is kept and not in use."""
        for stream in self._streams:
            if stream.place is None:
                self._empty(stream)

    def step(self) -> list[Task]:
        """Decode one batch and return the tasks it completed."""
        self._admit()
        chosen = sorted(zip(*self._plan(self.n_batch), strict=True), key=lambda each: each[1].seq)
        rows = self._decode([piece for piece, _ in chosen]) if chosen else []
        finished: list[Task] = []
        for (piece, place), row in zip(chosen, rows, strict=True):
            if place.reads_prompt:
                self.counts.prompt_tokens += len(piece.tokens)
            place.n_read += len(piece.tokens)
            if row is not None and self._draw(place, row):
                finished.append(place.task)
        return finished

    def _decode(self, slices: list[Slice]) -> list[int | None]:
        """Decode slices in the order of their streams, and where that saves a pass, a token in the idle streams between them, which is dropped again."""
        bridges = [bridge for one, other in pairwise(slices) for bridge in self._bridge(one, other)]
        ordered = sorted([*slices, *bridges], key=lambda piece: piece.seq)
        rows = dict(zip((piece.seq for piece in ordered), self.decoder.decode(ordered), strict=True))
        self.counts.steps += 1
        for bridge in bridges:
            self.decoder.trim(bridge.seq, bridge.start)
        return [rows[piece.seq] for piece in slices]

    def _bridge(self, one: Slice, other: Slice) -> list[Slice]:
        """Return what goes along between two slices, so that they are neighbours; nothing where they are, or too far apart, or somebody runs between them."""
        between = self._streams[one.seq + 1 : other.seq]
        if len(between) > MAX_BRIDGE or any(stream.place is not None or len(stream.tokens) >= self.n_tokens for stream in between):
            return []
        return [Slice(stream.seq, len(stream.tokens), one.tokens[:1], wants_logits=False) for stream in between]

    def _admit(self) -> None:
        """Give waiting tasks a stream, first come first served; those that go on in a stream that waits for them let nobody wait."""
        for task in list(self._waiting):
            if all(stream.place is not None for stream in self._streams) or not self._has_place_for(task):
                return
            tokens = [*task.prompt, *task.written]
            stream = self._stream_for(task, tokens)
            if stream is not None:
                self._waiting.remove(task)
                self._enter(task, tokens, stream)

    def _stream_for(self, task: Task, tokens: list[int]) -> _Stream | None:
        """Return the stream in which a task can begin, holding the longest prefix that there is; None where it has to wait."""
        same = {stream.seq: n_common(stream.read(), tokens[:-1]) for stream in self._streams}
        idle = sorted((stream for stream in self._streams if stream.place is None), key=lambda stream: -same[stream.seq])
        if idle[0].is_continued_by(tokens, same[idle[0].seq]):
            waited = min(HELD_STEPS, self.counts.steps - idle[0].used)  # a person's next turn may come hours later
            self._longest_wait = max(waited, LONGEST_WAIT_KEPT * self._longest_wait)
            self._cut(idle[0], same[idle[0].seq])
            return idle[0]
        source = max(self._streams, key=lambda stream: same[stream.seq])
        if self._is_being_read(tokens, same[source.seq], worth=WORTH_WAITING_TOKENS):
            return None
        free = [stream for stream in idle if stream.held_until <= self.counts.steps] or ([] if self._running else idle)
        if not free:
            return None
        target = free[0] if task.continued else min(free, key=lambda stream: stream.seq)
        if same[source.seq] < same[target.seq] + WORTH_COPYING_TOKENS:
            self._cut(target, same[target.seq])
            return target
        if task.continued:
            target = min(free, key=lambda stream: (stream.used, stream.seq))
        self._empty(target)
        self.decoder.copy(source.seq, target.seq, same[source.seq])
        target.tokens = tokens[: same[source.seq]]
        return target

    def _enter(self, task: Task, tokens: list[int], stream: _Stream) -> None:
        n_read = len(stream.tokens)
        stream.place = self._begin(Place(task, stream.seq, tokens, n_read=n_read, n_shared=n_read))

    def _cut(self, stream: _Stream, length: int) -> None:
        if length == 0:
            self._empty(stream)
        elif length < len(stream.tokens):
            self.decoder.trim(stream.seq, length)
            del stream.tokens[length:]

    def _empty(self, stream: _Stream) -> None:
        if stream.tokens:
            self.decoder.free(stream.seq)
        stream.tokens, stream.n_prompt, stream.held_until = [], 0, 0

    def _finish(self, place: Place) -> None:
        """Take a completed task out, and hold its stream for the next turn."""
        stream = self._vacate(place)
        if place.task.continued:
            stream.held_until = self.counts.steps + min(HELD_STEPS, LEAST_HELD_STEPS + int(2 * self._longest_wait))

    def _leave(self, place: Place) -> None:
        self._vacate(place)

    def _vacate(self, place: Place) -> _Stream:
        self._running.remove(place)
        stream = self._streams[place.seq]
        task, stream.tokens = place.task, place.tokens[: place.n_read]
        stream.n_prompt, stream.n_opening = len(task.prompt), task.n_opening
        stream.place, stream.used, stream.held_until = None, self.counts.steps, 0
        return stream
