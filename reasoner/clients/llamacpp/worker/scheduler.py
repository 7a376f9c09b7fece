"""Which tokens go into the next step: running answers advance together, prompts are read in pieces beside them, shared prefixes once.

    scheduler.add(task)
    while scheduler.busy:
        finished = scheduler.step()

A task waits until a place is free, until its tokens fit in the cache, and while another one is reading a prefix it shares. When the
cache runs full in spite of that, the task that came last gives its cells back and goes on later with what it has written so far.
Knows tasks, sequences and the prefix tree; asks a `Decoder` to decode and each task to take its next token. Imports no llama.cpp.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from reasoner.clients.llamacpp.worker.decoder import Decoder, OutOfCells, Prefixes, Slice, Task
from reasoner.clients.llamacpp.worker.prefix_files import MIN_GAIN_TOKENS
from reasoner.clients.llamacpp.worker.prefix_tree import Node, PrefixTree
from reasoner.clients.llamacpp.worker.task_queue import Place, TaskQueue
from reasoner.sequences import n_common

HEADROOM_TOKENS = 64
"""Cells a task must find free for its answer before it is let in; more it gets as it needs them."""
WORTH_WAITING_TOKENS = 16
"""A shared prefix shorter than this is read twice rather than waited for."""
LOOK_EVERY_TOKENS = 64
SHARED_BATCH = 128
"""Tokens of a step in which several tasks take part. Every token of a batch looks at the cells of all others in it, so what is gained by
larger batches is lost again; a lone task reads as much at once as the model takes."""


@dataclass(slots=True, eq=False)
class _Place(Place):
    """A task in the cache, and what of the prefix tree it builds on."""

    pinned: Node | None = field(kw_only=True)


@dataclass(slots=True)
class Scheduler(TaskQueue[_Place]):
    """See the module. `exact` runs one task at a time, each on an empty cache."""

    n_sequences: int
    patience_tokens: int
    exact: bool = False
    prefixes: Prefixes | None = None
    """Prefixes that outlive this process; None keeps none and looks for none."""
    tree: PrefixTree = field(init=False)
    _free: list[int] = field(init=False)
    _looked_at: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._free = list(range(self.n_sequences - 1, -1, -1))
        self.tree = PrefixTree(_Recycler(self.decoder, self._free), patience_tokens=self.patience_tokens)
        if self.exact:
            self.max_running = 1
        self.beside.append(self)

    @property
    def n_kept(self) -> int:
        """How many cells the prefix tree holds."""
        return self.tree.n_cells

    def clear(self) -> None:
        """Drop what is kept and not in use."""
        self.tree.clear()

    def n_known(self, tokens: list[int]) -> int:
        """Return how many tokens of a prompt are in the cache, or in another one that is read or waits."""
        others = [*(place.tokens for place in self._running), *(task.prompt for task in self._waiting)]
        return max(self._match(tokens)[0], max((n_common(other, tokens) for other in others), default=0))

    def step(self) -> list[Task]:
        """Decode one batch and return the tasks it completed."""
        self._admit()
        slices, places = self._plan(self.n_batch if len(self._running) == 1 else min(self.n_batch, SHARED_BATCH))
        self._look_for_stale(sum(len(piece.tokens) for piece in slices))
        rows = self._decode(slices, places)
        finished: list[Task] = []
        for place, piece, row in zip(places, slices, rows, strict=True):
            if place not in self._running:
                continue  # it was sent back to wait when the cache ran full
            prompt_read = self._read(place, len(piece.tokens))
            if row is not None:
                twins = self._enter_twins(place) if prompt_read else []
                finished += [p.task for p in (place, *twins) if self._draw(p, row)]
        return finished

    def _enter_twins(self, first: _Place) -> list[_Place]:
        """Let in the waiting tasks whose tokens are the very same: they draw from the logits that are there, and read nothing."""
        twins: list[_Place] = []
        for task in [t for t in self._waiting if len(t.prompt) + len(t.written) == len(first.tokens)]:
            tokens = [*task.prompt, *task.written]
            if tokens != first.tokens or not self._has_place_for(task) or not self._make_room(min(task.max_tokens, HEADROOM_TOKENS)):
                continue
            self._waiting.remove(task)
            twins.append(self._enter(task, tokens, self.tree.pin(tokens, len(tokens), counts=False)))
        return twins

    def _admit(self) -> None:
        """Give waiting tasks a place, first come first served; one that waits for a prefix lets others pass."""
        held: list[Task] = []
        while self._waiting and self._has_place_for(self._waiting[0]):
            task = self._waiting.popleft()
            tokens = [*task.prompt, *task.written]
            length, source = self._match(tokens)
            if self._is_being_read(tokens, length, worth=WORTH_WAITING_TOKENS):
                held.append(task)
                continue
            if self._restore(tokens, length):
                length, source = self._match(tokens)
            # Pinned before room is made: what it builds on must not be what is evicted.
            pinned = None if source is None else self.tree.pin(tokens, length)
            if not self._make_room(len(tokens) - length + min(task.max_tokens, HEADROOM_TOKENS)):
                if pinned is not None:
                    self.tree.unpin(pinned)
                held.append(task)
                break
            self._keep(self._enter(task, tokens, pinned))
        self._waiting.extendleft(reversed(held))

    def _restore(self, tokens: list[int], length: int) -> bool:
        """Put a prefix of these tokens into the tree that is longer on disk than in memory; False where there is none."""
        if self.prefixes is None or self.exact or not self.decoder.shares_prefixes:
            return False
        found = self.prefixes.longest(tokens[:-1])
        if found is None or found.length < length + MIN_GAIN_TOKENS or not self._make_room(found.n_tokens):
            return False
        state = self.prefixes.read(found)
        if state is None:
            return False
        seq = self._free.pop()
        if not self.decoder.restore(seq, state):
            self.prefixes.forget(found)
            self._free.append(seq)
            return False
        self.decoder.trim(seq, found.length)
        self.tree.insert(tokens[: found.length], seq)
        self.counts.restored_tokens += found.length - length
        return True

    def _keep(self, place: _Place) -> None:
        """Write down what a task found in the cache and shares with another one: the sequence holds just that until it reads on."""
        if self.prefixes is not None and not self.exact and self.prefixes.wants(place.tokens[: place.n_shared]):
            state = self.decoder.state(place.seq)
            if state:
                self.prefixes.keep(place.tokens[: place.n_shared], state)

    def _match(self, tokens: list[int]) -> tuple[int, int | None]:
        """Return how many tokens are cached, and in which sequence. The last one is always read: its logits are needed."""
        if self.exact or not self.decoder.shares_prefixes:
            return 0, None
        found = self.tree.match(tokens[:-1])
        return found.length, found.seq

    def _make_room(self, n_cells: int) -> bool:
        """Evict until so many cells and a sequence number are free; False when running tasks hold too many."""
        while self._n_used() + n_cells > self.decoder.n_cells or not self._free:
            if not self.tree.evict():
                # A lone task is let in all the same: it fits in the cache by itself, and there is nothing to wait for.
                return not self._running and bool(self._free)
        return True

    def _n_used(self) -> int:
        return self.tree.n_cells + sum(len(p.tokens) - p.n_shared for p in self._running)

    def _enter(self, task: Task, tokens: list[int], pinned: Node | None) -> _Place:
        if self.exact:
            self.decoder.clear()
        seq = self._free.pop()
        length = 0
        if pinned is not None:
            length = pinned.end
            # Looked up anew: making room may have given the prefix another holder.
            source = self.tree.match(tokens[:length]).seq
            assert source is not None
            self.decoder.copy(source, seq, length)
        return self._begin(_Place(task, seq, tokens, n_read=length, n_shared=length, pinned=pinned))

    def _decode(self, slices: list[Slice], places: list[_Place]) -> list[int | None]:
        while slices:
            try:
                rows = self.decoder.decode(slices)
            except OutOfCells:
                if not self._give_way(slices, places):
                    raise
            else:
                self.tree.clock += sum(len(piece.tokens) for piece in slices)
                self.counts.steps += 1
                return rows
        return []

    def _give_way(self, slices: list[Slice], places: list[_Place]) -> bool:
        """Free cells for a batch that did not fit: evict, or else send the youngest task back to wait; False when nothing is left to give."""
        if self.tree.evict():
            return True
        if len(self._running) < 2:
            return False
        place = self._running[-1]
        if place in places:
            at = places.index(place)
            del places[at], slices[at]
        self._leave(place)
        self._waiting.appendleft(place.task)
        self.counts.preempted += 1
        return True

    def _read(self, place: _Place, n_tokens: int) -> bool:
        """Note that tokens were read. A prompt that is read whole goes into the tree at once, so that others can build on it: True then."""
        was_prompt = place.reads_prompt
        place.n_read += n_tokens
        if not was_prompt:
            return False
        self.counts.prompt_tokens += n_tokens
        if place.n_left or self.exact or not self.decoder.shares_prefixes or not self._make_sequence():
            return False
        found = self.tree.match(place.tokens)
        if found.seq is not None:
            self.decoder.share(found.seq, place.seq, found.length)
        seq = self._free.pop()
        self.decoder.copy(place.seq, seq, place.n_read)
        self.tree.insert(place.tokens, seq)
        if place.pinned is not None:
            self.tree.unpin(place.pinned)
        place.pinned = self.tree.pin(place.tokens, place.n_read, counts=False)
        place.n_shared = place.n_read
        return True

    def _make_sequence(self) -> bool:
        return bool(self._free) or (self.tree.evict() and bool(self._free))

    def _finish(self, place: _Place) -> None:
        """Take a completed task out and keep what it read for those that continue it."""
        self._running.remove(place)
        if place.pinned is not None:
            self.tree.unpin(place.pinned)
        if self.exact or place.task.discard_cache or not self.decoder.shares_prefixes:
            self.decoder.free(place.seq)
            self._free.append(place.seq)
            if place.task.discard_cache and place.pinned is not None:
                self.tree.drop_unused(place.pinned)
        else:
            self.tree.insert(place.tokens, place.seq, continued=place.task.continued)

    def _leave(self, place: _Place) -> None:
        """Take a task out and keep nothing of it."""
        self._running.remove(place)
        if place.pinned is not None:
            self.tree.unpin(place.pinned)
        self.decoder.free(place.seq)
        self._free.append(place.seq)

    def _look_for_stale(self, ahead: int) -> None:
        """Drop what is not worth keeping, before a batch of so many tokens would have to look at it."""
        if self._is_foreign():
            self.tree.evict_unused()
        if self.tree.clock + ahead - self._looked_at >= LOOK_EVERY_TOKENS:
            self._looked_at = self.tree.clock + ahead
            self.tree.evict_stale(ahead=ahead)

    def _is_foreign(self) -> bool:
        """Tell whether a lone task reads more than it found: whoever asks one thing after another has gone on to something else by then."""
        place = self._running[0] if len(self._running) == 1 and not self._waiting else None
        return place is not None and place.reads_prompt and place.n_left > place.n_shared


class _Recycler:
    """The cells as the tree sees them: a freed sequence number can be given out again."""

    def __init__(self, decoder: Decoder, free: list[int]) -> None:
        self._decoder = decoder
        self._free = free

    def trim(self, seq: int, length: int) -> None:
        """Drop what a sequence holds beyond its first tokens."""
        self._decoder.trim(seq, length)

    def free(self, seq: int) -> None:
        """Drop a sequence."""
        self._decoder.free(seq)
        self._free.append(seq)

    def share(self, source: int, target: int, length: int) -> None:
        """Let a sequence hold its first tokens in the cells of another."""
        self._decoder.share(source, target, length)
