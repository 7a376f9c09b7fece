"""The coordinator of a run's shards on a Ray cluster: who works on what, and what becomes of a worker, a node or a copy that is lost.

    await Coordinator(cluster, place, db, run, lease_s=30, alone=False, tell=print).run()

Ray starts processes on nodes and says when they have ended; everything else is said through the shared folder. So a coordinator keeps nothing: killed, the
same command goes on from what is there. A shard is granted anew (the next epoch) when its worker ended before it was finished, or gave no sign of life for as
long as a lease is good; first on the node it was on, which may still hold what was not sealed yet (`holders`). Only what was merged whole is declared complete.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reasoner.errors import ReasonerError, StoreError
from reasoner.runs.events import Note, ShardsMoved
from reasoner.scale.complete import complete
from reasoner.scale.holders import Holders
from reasoner.scale.leases import Lease, grant, read_beat
from reasoner.scale.merging import merge
from reasoner.scale.ray_cluster import asked, check, versions
from reasoner.scale.ray_task import Order, Said, fault_of, held_here, work
from reasoner.scale.sealing import Sealing
from reasoner.text import clean, shorten

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from reasoner.runs.events import Event
    from reasoner.scale.manifest import ShardedRun
    from reasoner.scale.ray_cluster import Cluster, Node
    from reasoner.scale.storage import Shared

TRIES = 6
"""Workers that may be lost on one shard without its getting on; then something is wrong with the shard, not with the nodes."""
LOOK_S = 0.5
"""How often the coordinator looks, in seconds."""
MERGE_S = 5.0
"""How often it merges while shards run, in seconds."""
START_S = 120.0
"""How long a worker may take to begin: Ray starts a process, which opens the shard and its models, in seconds. The first sign of life comes before that."""
PARK_S = 60.0
"""How long parked workers are waited for, in seconds."""


class ShardLost(ReasonerError):
    """A shard lost one worker after another without getting on."""


@dataclass(slots=True)
class Worker:
    """A shard that somebody was told to work on."""

    lease: Lease
    node: Node
    sign: tuple[int, int] = (-1, -1)
    """The last sign of life: its count, and how many trajectories are closed."""
    at_s: float = 0.0
    """When that came."""


class Coordinator:
    """Carries the shards of one run out. `alone`: one worker a node, for models that fill it."""

    def __init__(
        self, cluster: Cluster, place: Shared, db: Path | None, run: ShardedRun, *, lease_s: float, alone: bool = False, sealing: Sealing | None = None, tell: Callable[[Event], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._cluster = cluster
        self._place = place
        self._db = db
        self._run = run
        self._lease_s = lease_s
        self._alone = alone
        self._sealing = sealing or Sealing()
        self._clock = clock
        self._tell = tell or (lambda _: None)
        self._versions = versions() | {"Ray": str(cluster.ray.__version__)}
        self._checked: set[str] = set()
        self._left: deque[int] = deque()
        self._working: dict[Any, Worker] = {}
        self._closed: dict[int, int] = {}
        self._tries: dict[int, int] = {}
        self._holders = Holders(place, clock=clock, tell=self._tell)
        self._complete: set[int] = set()
        self._finished: dict[int, Worker] = {}
        self._merged_s = -MERGE_S
        self._task: Any = None

    async def run(self) -> None:
        """Carry all shards out and merge them. Cancelled, it parks them: what they made so far is sealed and merged.

        Raises:
            ReasonerError: a fault that every shard would meet, or a shard that loses one worker after another; the same command goes on.
        """
        try:
            await _to_its_end(self._begin)
            while self._left or self._working:
                await _to_its_end(self._look)
        except BaseException:
            await _to_its_end(self._park)
            raise
        await _to_its_end(self._merge)

    def _begin(self) -> None:
        self._task = self._cluster.ray.remote(work)
        self._merge()
        self._left.extend(number for number in range(self._run.of) if number not in self._complete)
        if self._left:
            self._free(self._cluster.nodes())
        self._moved([])

    # -- one look

    def _look(self) -> None:
        """Hand out what can be, wait a moment, and take what came."""
        self._hand_out()
        ready, _ = (
            self._cluster.ray.wait(list(self._working), num_returns=len(self._working), timeout=LOOK_S) if self._working else ([], [])
        )
        if not self._working:
            time.sleep(LOOK_S)
        for ref in ready:
            self._ended(ref)
        self._replace_silent()
        if ready or self._clock() - self._merged_s >= MERGE_S:
            self._merge()

    def _hand_out(self) -> None:
        """Give shards to free places; no more are under way than there are places, and nothing waits inside Ray."""
        for shard in self._complete.intersection(self._left):  # its worker was lost after it had sealed everything
            self._left.remove(shard)
        if not self._left:
            return
        nodes = self._cluster.nodes()
        for shard, node in self._holders.places(self._left, self._free(nodes), nodes):
            self._left.remove(shard)
            lease = grant(self._place, shard, node=node.name)
            order = Order(
                place=self._place.place, run=self._run.run, shard=shard, epoch=lease.epoch, seal_seconds=self._sealing.seconds,
                seal_calls=self._sealing.calls, lease_s=self._lease_s, versions=self._versions,
            )  # fmt: skip
            self._working[self._sent(order, node)] = Worker(lease, node, at_s=self._clock())
            self._holders.note(node.id, {shard: lease.epoch})

    def _sent(self, order: Order, node: Node) -> Any:
        needs = {name: amount for name, amount in self._cluster.where.needs.items() if amount}
        on_node = self._cluster.ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(node.id, soft=False)
        told = {"num_cpus": needs.pop("CPU", 0), "num_gpus": needs.pop("GPU", 0), "memory": needs.pop("memory", None), "resources": needs}
        name = f"reasoner {order['run']} shard {order['shard']}"
        return self._task.options(**told, max_retries=0, scheduling_strategy=on_node, name=name).remote(order)

    def _free(self, nodes: list[Node]) -> list[Node]:
        """Return the free places, one node after the other in turn. New nodes are first asked for their versions, and for the files of shards that they have.

        Raises:
            ReasonerError: a node has other versions, or none of them offers what a worker needs.
        """
        needs = self._cluster.where.needs
        places = {node.id: min(node.holds(needs), 1 if self._alone else node.holds(needs)) for node in nodes}
        able = [node for node in nodes if places[node.id]]
        if not able and not self._working and not any(self._holders.waits(shard, nodes) for shard in self._left):
            offered = ", ".join(sorted({name for node in nodes for name in node.offers if ":" not in name and "memory" not in name}))
            raise ReasonerError(
                f"no node of the cluster offers {', '.join(f'{amount:g} {name}' for name, amount in needs.items())} (there is: {offered})",
                hint="name what a worker needs in `on`: ray,num_cpus=0.5",
            )
        if new := [node for node in able if node.id not in self._checked]:
            check(self._cluster, new)
            for node, held in asked(self._cluster, new, held_here, self._run.run):
                self._holders.note(node.id, held)
                self._checked.add(node.id)
        for worker in self._working.values():
            if worker.node.id in places:
                places[worker.node.id] -= 1
        turns = max(places.values(), default=0)
        return [node for turn in range(turns) for node in able if places[node.id] > turn]

    def _ended(self, ref: Any) -> None:
        """Take what became of a worker."""
        worker = self._working.pop(ref)
        shard = worker.lease.shard
        ray = self._cluster.ray
        try:
            said: Said = ray.get(ref)
        except ray.exceptions.RayError as error:  # the process, its node or its raylet is gone
            first = next((line for line in clean(str(error)).splitlines() if line.strip()), type(error).__name__)
            self._lost(worker, f"{type(error).__name__}: {shorten(first, 120)}")
            return
        except KeyboardInterrupt:  # ours, not the worker's
            self._working[ref] = worker
            raise
        if said["state"] == "fault" and said["kind"] != "TakenOver":
            fault = fault_of(said, shard)
            if said["stops"] and not isinstance(fault, StoreError):  # a disk may be the node's own
                raise fault
            self._lost(worker, fault.message)
        elif said["state"] == "finished":
            self._finished[shard] = worker
        elif said["state"] in {"fault", "stopped"}:
            self._lost(worker, said["state"])
        # Others are over for this command: out of budget, with calls that failed, waiting for a person.

    def _lost(self, worker: Worker, why: str) -> None:
        """Put a shard back into the line, at its front.

        Raises:
            ShardLost: that happened too often without its getting on.
        """
        shard = worker.lease.shard
        now = self._n_closed(worker.lease)
        self._tries[shard] = 1 if now > self._closed.get(shard, 0) else self._tries.get(shard, 0) + 1
        self._closed[shard] = max(now, self._closed.get(shard, 0))
        if self._tries[shard] >= TRIES:
            raise ShardLost(
                f"shard {shard} lost {TRIES} workers in a row without getting on, the last on {worker.node.name}: {why}",
                hint="look at the node's memory and logs; the same command goes on",
            )
        self._tell(Note(f"shard {shard} goes on elsewhere or anew: its worker on {worker.node.name} ended ({why})"))
        self._left.appendleft(shard)

    def _n_closed(self, lease: Lease) -> int:
        sign = read_beat(self._place, lease)
        return sign.closed if sign is not None else 0

    def _replace_silent(self) -> None:
        """Take a worker that gives no sign of life for as long as a lease is good for dead; what it writes later is refused at the merge."""
        now = self._clock()
        for ref, worker in list(self._working.items()):
            beat = read_beat(self._place, worker.lease)
            sign = (beat.count, beat.closed) if beat is not None else (-1, -1)
            if sign != worker.sign:
                worker.sign, worker.at_s = sign, now
            begun = beat is not None and beat.count > 1
            patience_s = self._lease_s if begun else max(START_S, self._lease_s)
            if now - worker.at_s > patience_s:
                del self._working[ref]
                self._cluster.ray.cancel(ref, force=True)
                self._lost(worker, f"no sign of life for {patience_s:g} s")
        self._moved(list(self._working.values()))

    # -- what there is

    def _merge(self) -> None:
        """Merge what was sealed; shards that are whole with it are declared complete. One that is not, though its worker said so, is run again."""
        merge(self._place, self._db)
        self._merged_s = self._clock()
        self._complete = complete(self._place)
        finished, self._finished = self._finished, {}
        for shard, worker in finished.items():
            if shard not in self._complete:
                self._lost(worker, "what it sealed did not arrive whole")

    def _moved(self, working: list[Worker]) -> None:
        """Say how far all shards are."""
        sizes = [size * self._run.per_problem for size in self._run.sizes]
        for worker in working:
            self._closed[worker.lease.shard] = max(self._closed.get(worker.lease.shard, 0), worker.sign[1])
        done = sum(
            sizes[shard] if shard in self._complete else min(sizes[shard], self._closed.get(shard, 0)) for shard in range(self._run.of)
        )
        nodes = tuple(worker.node.name for worker in working)
        self._tell(ShardsMoved(self._run.run, done, sum(sizes), len(self._complete), self._run.of, nodes))

    def _park(self) -> None:
        """Tell all workers to stop in good order, wait for them, and merge what they sealed."""
        ray = self._cluster.ray
        for ref in self._working:
            ray.cancel(ref, force=False)
        if self._working:
            ray.wait(list(self._working), num_returns=len(self._working), timeout=PARK_S)
        self._merge()


async def _to_its_end(step: Callable[[], None]) -> None:
    """Take a step in a thread; a cancellation waits until it is taken, so that no two are taken at once."""
    task = asyncio.ensure_future(asyncio.to_thread(step))
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise
