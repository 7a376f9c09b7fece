"""Seal what a shard commits, again and again, and say that its holder is alive.

    sealer = Sealer(place, lease, manifest, db=Path("shard.db"), store=store)
    sealer.closed("9b21...")            a trajectory that has ended since the last segment
    sealer.seal()                       writes, copies and verifies one segment; nothing where nothing was committed

A segment holds every trajectory that was worked on since the last one. Before its lease is over a holder looks at all its segments once more, and seals
everything anew where one of them is not whole.
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reasoner.errors import StoreError
from reasoner.scale.leases import Beat, beat, check
from reasoner.scale.segments import head_of, is_whole, named, seal
from reasoner.store import crash
from reasoner.store.merged import all_of_run, ended_of_run, in_order, last_call, last_written, under_way, written_since
from reasoner.store.transfer import Version, snapshot

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from collections.abc import Set as AbstractSet

    from reasoner.scale.leases import Lease, State
    from reasoner.scale.manifest import Manifest
    from reasoner.scale.segments import SegmentName
    from reasoner.scale.storage import Shared
    from reasoner.store import Store

COPIES = 3
"""How often a segment is copied whose copy is not what was written."""


@dataclass(frozen=True, slots=True)
class Sealing:
    """When a segment is sealed: after so many seconds, or so many calls, whichever comes first. What is not sealed is lost with its disk."""

    seconds: float = 10.0
    calls: int = 500


class Sealer:
    """The segments of one lease."""

    def __init__(self, place: Shared, lease: Lease, manifest: Manifest, *, folder: Path, store: Store) -> None:
        self._place = place
        self._lease = lease
        self._head = manifest.head
        self._total = manifest.n_trajectories
        self._folder = folder
        self._store = store
        self._turn = threading.RLock()
        """Held by who seals or beats: a thread that does goes on when the task that waits for it is cancelled."""
        self._over = False
        self._own: list[SegmentName] = []
        self._number = 0
        self._pending: deque[str] = deque()
        self._before: set[str] = set()
        self._sealed = last_written(store.tuples)
        """The newest call and action when the last segment was made."""
        self._calls_at_start = self._sealed[0]
        self._ended = ended_of_run(store, self._head.run)
        """What needed no more work when the lease began; it stands in segments that count, or in the first of this lease."""
        self._beats = 0
        self.n_closed = 0

    def closed(self, trajectory_id: str) -> None:
        """Note a trajectory that has ended, or stands still, since the last segment."""
        if trajectory_id not in self._ended:
            self._pending.append(trajectory_id)

    @property
    def n_segments(self) -> int:
        """How many segments were sealed under this lease."""
        return len(self._own)

    @property
    def n_calls(self) -> int:
        """How many calls were begun under this lease."""
        return last_call(self._store) - self._calls_at_start

    def n_unsealed(self) -> int:
        """Return how many calls were begun since the last segment."""
        return last_call(self._store) - self._sealed[0]

    def seal(self, *, everything: bool = False, **facts: Any) -> int:
        """Seal what was worked on since the last segment, or everything; return how many trajectories that were.

        Raises:
            TakenOver: the lease is another's by now.
            StoreError: the shared folder cannot be written.
        """
        with self._turn:
            check(self._place, self._lease)
            pending = [self._pending.popleft() for _ in range(len(self._pending))]
            try:
                with snapshot(self._store.path) as read:
                    now, written = under_way(read, self._head.run), last_written(read)
                    # Where the run was parked nobody has them any more, and nobody was told that they stand still.
                    wanted = {*pending, *self._before, *now, *written_since(read, *self._sealed)}
                    ids = all_of_run(read, self._head.run) if everything else in_order(read, wanted)
                    if ids or facts:
                        self._write(read, ids, facts)
            except BaseException:
                self._pending.extend(pending)
                raise
            self._before, self._sealed = now, written
        return len(ids)

    def _write(self, read: Any, ids: Sequence[str], facts: dict[str, Any]) -> None:
        self._number += 1  # also where the last could not be copied: two segments of one version would be merged by chance
        version = Version(self._lease.epoch, self._number)
        head = {"run": self._head.run, "of": self._head.of, **facts}
        crash.passing("before_seal")
        made = seal(read, ids, head=head, shard=self._lease.shard, version=version, folder=self._folder)
        crash.passing("in_seal")
        try:
            for _ in range(COPIES):
                self._place.put(made.name.path, made.path)
                if is_whole(self._place, made.name):
                    self._own.append(made.name)
                    crash.passing("after_seal")
                    return
            raise StoreError(
                f"{self._place.place}/{made.name.path} is not what was copied, {COPIES} times", hint="check the shared folder's disk"
            )
        finally:
            made.path.unlink(missing_ok=True)

    def finish(self, state: State) -> None:
        """Seal what is left, with the word that no more comes; everything, where a segment that counts is not whole.

        Raises:
            TakenOver: the lease is another's by now.
            StoreError: the shared folder cannot be written.
        """
        with self._turn:
            self._finish(state)

    def _finish(self, state: State) -> None:
        adopted = [each for name in self._lease.adopts if (each := named(self._lease.shard, name)) is not None]
        torn = [each.name for each in (*adopted, *self._own) if not is_whole(self._place, each)]
        self.seal(
            everything=bool(torn), final="whole" if torn else "rest", state=state, own=_ranges(each.version.number for each in self._own)
        )
        self.beat(state, torn=len(torn))

    def beat(self, state: State, **facts: Any) -> None:
        """Say that the shard is worked on, and how far it is."""
        with self._turn:
            if state == "running" and self._over:
                return  # a thread that was late
            self._over = state != "running"
            self._beat(state, facts)

    def _beat(self, state: State, facts: dict[str, Any]) -> None:
        self._beats += 1
        sign = Beat(state, self._beats, self.n_closed, self._total, self.n_calls, self.n_segments, facts=facts)
        beat(self._place, self._lease, sign)

    def settle(self) -> None:
        """Wait until no thread seals any more."""
        with self._turn:
            pass

    def let_go(self, state: State, **facts: Any) -> None:
        """Say so for the last time, if the shared folder is there at all."""
        with contextlib.suppress(StoreError):
            self.beat(state, **facts)


def _ranges(numbers: Iterable[int]) -> list[list[int]]:
    """Return ascending numbers as ranges, both ends included: there are gaps only where a copy failed."""
    made: list[list[int]] = []
    for number in numbers:
        if made and made[-1][1] == number - 1:
            made[-1][1] = number
        else:
            made.append([number, number])
    return made


def holds_all(place: Shared, lease: Lease, good: Sequence[SegmentName], whole: AbstractSet[str], *, failed_too: bool = False) -> bool:
    """Tell whether a shard has finished and all that was sealed of it is there.

    Args:
        place: the shared folder.
        lease: the lease that counts.
        good: the segments that count with it, oldest first.
        whole: the names of those of them whose bytes are what was sealed.
        failed_too: take a shard for finished that ended with trajectories that failed.
    """
    own = [each for each in good if each.version.epoch == lease.epoch]
    if not own or own[-1].name not in whole:
        return False
    head = head_of(place, own[-1])
    if head is None or head.state not in ({"finished", "failed"} if failed_too else {"finished"}):
        return False
    if head.final == "whole":
        return True
    return head.lists({each.version.number for each in own if each.name in whole}) and all(name in whole for name in lease.adopts)
