"""Which node's disk holds a shard's file, with what of it was not sealed yet, and where each shard goes on therefore.

    holders = Holders(place, clock=time.monotonic, tell=print)
    holders.note("5f0c...", {3: 2})              that node has the file of shard 3, of epoch 2: it said so, or was sent there
    holders.places(deque([3, 4]), free, alive)   -> [(3, Node("5f0c..."), ...)]

What a disk holds is neither asked nor paid again where the shard goes on beside it. So a shard goes first to the node that has its file; where that node is
not there, as when its Ray process or the head was lost, the shard waits for it for a while, and the others go first. Knows no Ray.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reasoner.runs.events import Note
from reasoner.scale.leases import newest, read_beat

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from reasoner.runs.events import Event
    from reasoner.scale.ray_cluster import Node
    from reasoner.scale.storage import Shared

RETURN_S = 30.0
"""How long a shard waits for a node that is not there and may hold what was not sealed, in seconds."""


class Holders:
    """What is known of the nodes' disks: by what they said, and by what was sent to them."""

    def __init__(self, place: Shared, *, clock: Callable[[], float], tell: Callable[[Event], None]) -> None:
        self._place = place
        self._clock = clock
        self._tell = tell
        self._holder: dict[int, tuple[int, str]] = {}
        self._missed_at: dict[int, float] = {}
        self._last_at: dict[int, str] = {}

    def note(self, node: str, held: Mapping[int, int]) -> None:
        """Note which shards' files a node has, or is about to have, and of which epochs: the newest is the one to go on from."""
        for shard, epoch in held.items():
            if epoch >= self._holder.get(shard, (0, ""))[0]:
                self._holder[shard] = (epoch, node)
                self._missed_at.pop(shard, None)

    def places(self, left: Iterable[int], free: Iterable[Node], alive: Sequence[Node]) -> list[tuple[int, Node]]:
        """Return which shards begin now, and where: those whose file a free node has, then others that need not wait, in their order."""
        free, made, others = list(free), [], []
        for shard in left:
            _, holder = self._holder.get(shard, (0, ""))
            if (node := next((each for each in free if each.id == holder), None)) is not None:
                free.remove(node)
                made.append((shard, node))
            else:
                others.append(shard)
        for shard in others:
            if not free:
                break
            if not self.waits(shard, alive):
                made.append((shard, free.pop(0)))
        return made

    def waits(self, shard: int, alive: Sequence[Node]) -> bool:
        """Tell whether a shard is to wait for a node that is not there and may have its file."""
        if not self._may_be_away(shard, alive):
            return False
        if shard not in self._missed_at:
            self._missed_at[shard] = self._clock()
            self._tell(Note(f"shard {shard} waits up to {RETURN_S:g} s for the node that has its file"))
        return self._clock() - self._missed_at[shard] < RETURN_S

    def _may_be_away(self, shard: int, alive: Sequence[Node]) -> bool:
        if shard in self._holder:
            return all(node.id != self._holder[shard][1] for node in alive)
        if shard not in self._last_at:  # no node has said that it has the file: who had the shard before this coordinator began?
            lease = newest(self._place, shard)
            sign = None if lease is None else read_beat(self._place, lease)
            let_go = sign is not None and sign.state not in {"running", "failed"}  # then everything is sealed
            self._last_at[shard] = "" if lease is None or let_go else lease.node
        name = self._last_at[shard]
        return bool(name) and all(node.name != name for node in alive)
