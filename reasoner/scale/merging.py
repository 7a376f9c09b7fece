"""Put the segments of all shards together into one store, at any time and any number of times.

    merged = merge(place, Path("t.db"))
    merged.complete, merged.of            3, 8

What comes of it does not depend on the order of the segments, nor on how often they were merged: of each trajectory the newest version counts. When all
shards are complete the store holds what one uninterrupted run would have recorded, and the run's own command reads it back from there.

Whoever merges is the coordinator: only here a shard is declared complete (`done/`), after which nothing more counts for it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from reasoner.canonical import digest
from reasoner.errors import BadConfig, CorruptRecord, DataError
from reasoner.runs.saved_plan import saved_plan_json
from reasoner.scale.complete import declare, declared
from reasoner.scale.leases import newest, read_beat
from reasoner.scale.manifest import read_run, whole_problems
from reasoner.scale.sealing import holds_all
from reasoner.scale.segments import counted, named, names_of, unpacked
from reasoner.store import Store
from reasoner.store.claims import TrajectoryRow
from reasoner.store.merged import SegmentRow, merge_segment, merged_segments, n_trajectories, plant, worked_on
from reasoner.store.records import close_run, starting
from reasoner.store.run_queries import plan_row
from reasoner.store.spending import recount

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from reasoner.runs.plan import Plan
    from reasoner.scale.leases import Lease
    from reasoner.scale.manifest import ShardedRun
    from reasoner.scale.segments import SegmentName
    from reasoner.scale.storage import Shared
    from reasoner.store.records import RunRow, RunStatus

MAX_TOLD = 20
Fault = Literal["torn", "foreign", "refused"]


@dataclass(slots=True)
class Merged:
    """What came of a merge: segments that were merged now, those that had been, and those left out, by why; `told` says it of the first of these.

    `torn`: a copy that is not what was sealed. `foreign`: no segment of this run. `refused`: written by a holder after its lease was another's.
    """

    run: str
    of: int
    complete: int = 0
    merged: int = 0
    known: int = 0
    newer: int = 0
    """Trajectories that were newer than what the store had."""
    left_out: Counter[str] = field(default_factory=Counter)
    told: list[str] = field(default_factory=list)
    failed_too: bool = False
    declare: bool = True
    states: Counter[str] = field(default_factory=Counter)
    """Shards by how they stand: `complete`, or what their holder said last, `waiting` where nobody has begun."""

    @property
    def is_complete(self) -> bool:
        """Whether all shards are."""
        return self.complete == self.of

    def leave_out(self, why: Fault, what: str) -> None:
        """Count a file that is left out."""
        self.left_out[why] += 1
        if len(self.told) < MAX_TOLD:
            self.told.append(f"{why}: {what}")


def merge(place: Shared, db: Path | str | Store | None = None, *, failed_too: bool = False, declare: bool = True) -> Merged:
    """Merge what counts into a store, and declare shards complete that are; `failed_too` also those that ended with trajectories that failed.

    Without `declare` it only merges, for who looks.

    Raises:
        BadConfig: the store has worked on this run itself.
        ReasonerError: the folder or the store cannot be used.
    """
    run = read_run(place)
    if isinstance(db, Store):
        return _into(place, run, db, Merged(run.run, run.of, failed_too=failed_too, declare=declare))
    with Store.open(db) as store:
        return _into(place, run, store, Merged(run.run, run.of, failed_too=failed_too, declare=declare))


def _into(place: Shared, run: ShardedRun, store: Store, merged: Merged) -> Merged:
    if worked_on(store, run.run):
        raise BadConfig(
            f"{store.path} has worked on run {run.run} itself, and what is merged would take its place",
            hint="merge into another file; 'reasoner resume' goes on with this one",
        )
    row = _begun(place, run, store)
    status: RunStatus = "interrupted"
    try:
        known = merged_segments(store, run.run)
        for shard in range(run.of):
            merged.states[_shard(place, run, store, shard, known, merged)] += 1
        if run.budget is not None:
            store.write_now(lambda c: recount(c, run.run))
        merged.complete = merged.states["complete"]
        status = _status(merged)
    finally:
        close_run(store, row, status)
    return merged


def _status(merged: Merged) -> RunStatus:
    if merged.is_complete:
        return "finished"
    at_work = merged.states["running"] + merged.states["waiting"] + merged.states["parked"]
    return "exhausted" if merged.states["exhausted"] and not at_work else "interrupted"


def _begun(place: Shared, run: ShardedRun, store: Store) -> RunRow:
    """Find the run's row or make it, with all its trajectories as open ones."""
    there = plan_row(store, run.run)
    text: str | None = None
    plan: Plan | None = None
    if not (there or {}).get("plan") or n_trajectories(store, run.run) < sum(run.sizes) * run.per_problem:
        plan, options = run.opened(whole_problems(place, run))
        text = saved_plan_json(store, plan, run.models, options, forms=run.plan.get("forms"))
    begin = starting(
        run.manifest, plan=text, limits=run.budget, command=run.how.command, version=str(run.manifest["version"]), run_id=run.run
    )  # fmt: skip
    row = store.write_now(begin)
    if plan is not None:
        plant(store, _rows(run, plan))
    return row


def _rows(run: ShardedRun, plan: Plan) -> Iterator[TrajectoryRow]:
    """Yield what identifies the trajectories of a run, in the order in which one process would begin them."""
    for model, fingerprint in run.manifest["models"]:
        for spec in plan.strategies:
            for problem in plan.problems:
                for sample in range(plan.samples):
                    name = digest(run.run, problem.id, spec.name, spec.params, fingerprint, str(sample))[:16]
                    yield TrajectoryRow(name, run.run, problem, spec.label, spec.params, model, fingerprint, sample)


def _shard(place: Shared, run: ShardedRun, store: Store, shard: int, known: set[str], merged: Merged) -> str:
    """Merge what counts of a shard; return how it stands."""
    found, foreign = names_of(place, shard)
    for name in foreign:
        merged.leave_out("foreign", f"segments/{shard:05d}/{name}")
    lease = newest(place, shard)
    final = declared(place, shard)
    if lease is None:
        for each in found:
            merged.leave_out("foreign", f"{each.path}: nobody was granted its shard")
        return "waiting"
    good, bad = counted(found, lease.epoch, lease.adopts)
    if final is not None:
        good = [segment for name in final if (segment := named(shard, name)) is not None]
        bad = [each.name for each in found if each.name not in final]
    for name in bad:
        later = (left := named(shard, name)) is not None and left.version.epoch > lease.epoch
        merged.leave_out("foreign" if later else "refused", f"segments/{shard:05d}/{name}")
    whole = {each.name for each in good if _merge_one(place, run, store, each, known, merged)}
    if final is not None:
        return "complete"
    if merged.declare and holds_all(place, lease, good, whole, failed_too=merged.failed_too) and _declare(place, shard, lease, good):
        return "complete"
    sign = read_beat(place, lease)
    return "running" if sign is None else sign.state


def _merge_one(place: Shared, run: ShardedRun, store: Store, segment: SegmentName, known: set[str], merged: Merged) -> bool:
    """Merge a segment, unless it was; tell whether it is in the store."""
    if segment.name in known:
        merged.known += 1
        return True
    try:
        with unpacked(place, segment, run=run.run) as source:
            row = SegmentRow(segment.name, run.run, segment.shard, segment.version)
            merged.newer += merge_segment(store, source, row)
    except CorruptRecord:
        merged.leave_out("torn", f"{segment.path}: its bytes are not those that were sealed")
        return False
    except DataError as error:
        merged.leave_out("foreign", f"{segment.path}: {error.message}")
        return False
    merged.merged += 1
    return True


def _declare(place: Shared, shard: int, lease: Lease, good: list[SegmentName]) -> bool:
    """Declare a shard complete, unless it was granted anew meanwhile."""
    now = newest(place, shard)
    if now is None or now.epoch != lease.epoch:
        return False
    declare(place, shard, epoch=lease.epoch, segments=[each.name for each in good])
    return True
