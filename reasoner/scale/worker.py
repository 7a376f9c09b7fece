"""Carry out one shard: an ordinary run into a file on local disk, sealed into segments on the way.

    ended = await run_shard(place, 3, local=Path("/scratch"))
    ended.state                "finished"

A further run of the same shard, here or on another machine, goes on from what is there: the file, where nobody else had the shard since, else its
segments. What they hold is not asked, and not paid, again.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reasoner.errors import Abandoned, BadConfig, ReasonerError, StoreError, TakenOver, first_fault
from reasoner.runs.events import TrajectoryClosed
from reasoner.runs.pool import ModelPool
from reasoner.runs.runner import open_run
from reasoner.scale.adapter_file import fetch
from reasoner.scale.complete import declared
from reasoner.scale.grants import Grants, Rates
from reasoner.scale.leases import accepted, check, newest, read_beat, take
from reasoner.scale.ledger import Ledger
from reasoner.scale.local_copy import default_folder, prepare
from reasoner.scale.manifest import Manifest, read_manifest, read_run
from reasoner.scale.sealing import Sealer, Sealing, holds_all
from reasoner.scale.segments import is_whole
from reasoner.store import Store
from reasoner.store.claims import LEASE_S, has_ended

if TYPE_CHECKING:
    from collections.abc import Callable

    from reasoner.clients import ClientOptions
    from reasoner.runs.events import Event
    from reasoner.runs.runner import Run
    from reasoner.scale.leases import Lease, State
    from reasoner.scale.storage import Shared

LOOK_S = 0.5
"""How often it is looked whether a segment is due, in seconds, or sooner where one is due sooner."""
MAX_MISSED = 10
"""So many segments in a row may fail to reach the shared folder; after that no further call is paid for."""


@dataclass(frozen=True, slots=True)
class ShardEnded:
    """How the work on a shard ended here. `calls` were begun under this lease; `carried` and `restored` say what it went on from."""

    shard: int
    epoch: int
    state: State
    closed: int = 0
    total: int = 0
    failed: int = 0
    calls: int = 0
    segments: int = 0
    carried: bool = False
    restored: int = 0
    torn: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Here:
    """What of a shard's work is chosen on the machine it runs on."""

    local: Path | None = None
    """Folder on a local disk; a folder for each run and shard is made in it."""
    sealing: Sealing = field(default_factory=Sealing)
    client: ClientOptions | None = None
    """How models are opened here; what is set takes the place of what the manifest says."""
    lease_s: float = LEASE_S
    retry_poisoned: bool = False
    """Try again what was set aside because processes died on it three times."""
    pool: ModelPool | None = None
    tell: Callable[[Event], None] | None = None


async def run_shard(place: Shared, shard: int | Manifest, *, lease: Lease | None = None, here: Here | None = None) -> ShardEnded:
    """Work on a shard until it has ended, or this is cancelled: then what was committed is sealed, and another can go on.

    Args:
        place: the shared folder.
        shard: its number, or its manifest.
        lease: what a coordinator granted; None takes the next epoch once nobody else is at work on it.
        here: what this machine says.

    Raises:
        BadConfig: the manifest is not of the run in the shared folder, or somebody is at work on the shard.
        TakenOver: a newer epoch of the shard was granted; nothing more is written.
        ReasonerError: see `reasoner.errors`; what was committed is sealed.
    """
    here = here or Here()
    manifest = shard if isinstance(shard, Manifest) else await asyncio.to_thread(read_manifest, place, shard)
    number = manifest.head.shard
    await asyncio.to_thread(lambda: read_run(place).check(manifest))
    if lease is None:
        if (done := await asyncio.to_thread(_finished, place, manifest)) is not None:
            return done
        lease = await take(place, number, lease_s=here.lease_s)
    folder = (here.local or default_folder()) / manifest.head.run / f"{number:05d}"
    copy = await asyncio.to_thread(prepare, place, lease, manifest, folder)
    with Store.open(copy.db) as store:
        work = _Work(place, lease, manifest, here, Sealer(place, lease, manifest, folder=folder, store=store), store, folder)
        await asyncio.to_thread(work.sealer.beat, "running")
        if copy.carried:
            await asyncio.to_thread(work.sealer.seal, everything=True)
        state = await work.carry_out(carried=copy.carried)
        return ShardEnded(
            number, lease.epoch, state, work.sealer.n_closed, manifest.n_trajectories, work.failed, work.sealer.n_calls,
            work.sealer.n_segments, copy.carried, copy.restored, copy.torn,
        )  # fmt: skip


def given_lease(place: Shared, manifest: Manifest, epoch: int) -> Lease:
    """Return a lease that a coordinator granted.

    Raises:
        BadConfig: it granted none such, or a newer one.
    """
    shard = manifest.head.shard
    lease = newest(place, shard)
    if lease is None or lease.epoch != epoch:
        raise BadConfig(
            f"epoch {epoch} of shard {shard} is not the one that counts ({'none was granted' if lease is None else lease.epoch})",
            hint="the coordinator grants it; without one, leave it out",
        )
    return lease


def _finished(place: Shared, manifest: Manifest) -> ShardEnded | None:
    """Return how a shard ended that needs no more work: it was declared complete, or its last holder said so and all that was sealed is there and whole."""
    shard = manifest.head.shard
    lease, good, _ = accepted(place, shard)
    if lease is None:
        return None
    if declared(place, shard) is None and not holds_all(place, lease, good, {each.name for each in good if is_whole(place, each)}):
        return None
    sign = read_beat(place, lease)
    return ShardEnded(shard, lease.epoch, "finished", 0 if sign is None else sign.closed, manifest.n_trajectories)


class _Work:
    """A shard under way."""

    def __init__(self, place: Shared, lease: Lease, manifest: Manifest, here: Here, sealer: Sealer, store: Store, folder: Path) -> None:
        self._place = place
        self._lease = lease
        self._manifest = manifest
        self._here = here
        self._store = store
        self._folder = folder
        self.sealer = sealer
        self.failed = 0
        self._missed = 0

    async def carry_out(self, *, carried: bool) -> State:
        """Run it, seal it and let go of it, whatever happens; return how it stands."""
        head = self._manifest.head
        plan, options = self._manifest.opened()
        grants: Grants | None = None
        if head.budget is not None:
            grants = Grants(Ledger(self._place, head.budget), self._store, self._lease, head.run, among=head.at_once)
            options = replace(options, run_limits=grants.begin(carried=carried), renew=grants.renew)
        options = replace(options, retry_poisoned=options.retry_poisoned or self._here.retry_poisoned)
        client = options.client
        rates = Rates(self._place, rpm=client.rpm, tpm=client.tpm, of=head.of, at_once=head.at_once)
        rpm, tpm = rates.part()
        told: dict[str, Any] = {} if self._here.client is None else self._here.client.model_dump(exclude_unset=True)
        if (adapter := await asyncio.to_thread(fetch, self._place, head, self._folder)) is not None:
            told["adapter"] = adapter
        options = replace(options, client=client.model_copy(update={"rpm": rpm, "tpm": tpm} | told), lease_s=self._here.lease_s)
        state: State = "parked"
        try:
            async with ModelPool() as own:
                pool = self._here.pool or own
                async with open_run(plan, head.models, options, db=self._store, pool=pool, tell=self._here.tell) as run:
                    if rates and (self._lease.epoch > 1 or head.at_once < head.of):
                        rates.apply(pool.limiters(), used=True)
                    await self._beside(run, rates, pool)
                    state = self._state_of(run)
        except (Abandoned, asyncio.CancelledError):
            raise
        except ReasonerError:
            state = "failed"
            raise
        finally:
            self._let_go(state, grants)
        return state

    def _state_of(self, run: Run) -> State:
        report = run.report
        if report.cut_short:
            return "exhausted"
        if report.waiting:
            return "parked"
        return "failed" if self.failed else "finished"

    async def _beside(self, run: Run, rates: Rates, pool: ModelPool) -> None:
        """Go through a run while its segments are sealed beside it."""

        async def through() -> None:
            async for event in run:
                self._note(event)
                if self._here.tell is not None:
                    self._here.tell(event)
            tending.cancel()

        try:
            async with asyncio.TaskGroup() as group:
                tending = group.create_task(self._tend(rates, pool))
                group.create_task(through())
        except BaseExceptionGroup as faults:
            raise first_fault(faults) from faults

    def _note(self, event: Event) -> None:
        if not isinstance(event, TrajectoryClosed):
            return
        result = event.result
        self.sealer.closed(result.trajectory_id)
        self.sealer.n_closed += has_ended(result.status, result.error_kind)
        self.failed += result.status == "failed"

    async def _tend(self, rates: Rates, pool: ModelPool) -> None:
        """Seal when it is time to, and say that somebody is there."""
        sealing, sealed_at, beaten_at = self._here.sealing, time.monotonic(), time.monotonic()
        while True:
            await asyncio.sleep(min(LOOK_S, sealing.seconds, self._here.lease_s / 6))
            now = time.monotonic()
            if now - sealed_at >= sealing.seconds or self.sealer.n_unsealed() >= sealing.calls:
                await self._seal()
                sealed_at = time.monotonic()
            if now - beaten_at >= self._here.lease_s / 3:
                beaten_at = now
                with contextlib.suppress(StoreError):
                    await asyncio.to_thread(self.sealer.beat, "running")
                if rates:
                    rates.apply(pool.limiters())

    async def _seal(self) -> None:
        try:
            await asyncio.to_thread(self.sealer.seal)
            self._missed = 0
        except TakenOver:
            raise
        except StoreError:
            self._missed += 1
            if self._missed >= MAX_MISSED:
                raise

    def _let_go(self, state: State, grants: Grants | None) -> None:
        """Seal what is left and give back what was not used. The loop waits: there is nothing else left to do."""
        self.sealer.settle()
        try:
            check(self._place, self._lease)  # what another has by now is not ours to give back
            if grants is not None:
                grants.end()
            self.sealer.finish(state)
        except StoreError:
            self.sealer.let_go("failed")
            raise
