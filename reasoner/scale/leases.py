"""Who works on which shard: epochs, each granted once, and the sign of life of whoever has the newest.

    lease = grant(place, 3, holder="node-7")       the next epoch, at once: for a coordinator that knows the one before is gone
    lease = await take(place, 3)                   the same once the holder of the one before was silent for `lease_s`: for commands without a coordinator
    newest(place, 3)                               the lease that counts, None before the first

A lease names the segments of earlier epochs that count (`adopts`). What an earlier holder writes after that is not among them: it is refused at the merge,
so a process that only seemed dead can add nothing. Nothing here compares the clocks of two machines.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel

from reasoner.canonical import canonical_json
from reasoner.errors import BadConfig, StoreError, TakenOver
from reasoner.scale.segments import counted, names_of
from reasoner.scale.small_files import read_as
from reasoner.store.claims import LEASE_S, identity, presence
from reasoner.store.times import now

if TYPE_CHECKING:
    from reasoner.scale.segments import SegmentName
    from reasoner.scale.storage import Shared

State = Literal["running", "parked", "exhausted", "failed", "finished"]
"""How a holder says its shard stands; all but `running` are said when it lets go."""

_NAME = re.compile(r"e([0-9]{4,9})\.json")
ATTEMPTS = 100
LOOK_S = 0.2
"""How often a waiting process looks whether the holder before it says something, in seconds, or sooner where a lease is shorter."""


@dataclass(frozen=True, slots=True)
class Lease:
    """An epoch of a shard, and what of earlier epochs counts in it."""

    shard: int
    epoch: int
    holder: str
    adopts: tuple[str, ...] = ()
    node: str = ""


@dataclass(frozen=True, slots=True)
class Beat:
    """The sign of life of a lease's holder: how far it is."""

    state: State
    count: int = 0
    """How many signs were given; two that are the same are from a holder that is silent."""
    closed: int = 0
    total: int = 0
    calls: int = 0
    segments: int = 0
    at: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


class _Granted(BaseModel):
    """What of a lease stands in its file."""

    holder: str
    node: str
    adopts: tuple[str, ...]


def _folder(shard: int) -> str:
    return f"leases/{shard:05d}"


def leases(place: Shared, shard: int) -> list[int]:
    """Return the epochs that were granted, in their order."""
    return sorted(int(found[1]) for name in place.names(_folder(shard)) if (found := _NAME.fullmatch(name)))


def newest(place: Shared, shard: int) -> Lease | None:
    """Return the lease of the newest epoch of a shard."""
    epochs = leases(place, shard)
    return read_lease(place, shard, epochs[-1]) if epochs else None


def read_lease(place: Shared, shard: int, epoch: int) -> Lease | None:
    """Return a lease; None where there is none.

    Raises:
        StoreError: its file cannot be read as one.
    """
    name = f"{_folder(shard)}/e{epoch:04d}.json"
    try:
        told = read_as(place, name, _Granted)
    except ValueError as error:
        raise StoreError(f"{place.place}/{name} is no lease", hint="it was changed by hand; put it back") from error
    return None if told is None else Lease(shard, epoch, told.holder, told.adopts, told.node)


def accepted(place: Shared, shard: int) -> tuple[Lease | None, list[SegmentName], list[str]]:
    """Return the lease that counts, the segments that count with it, and the names of those that do not."""
    lease = newest(place, shard)
    found, foreign = names_of(place, shard)
    good, bad = counted(found, lease.epoch, lease.adopts) if lease is not None else ([], [each.name for each in found])
    return lease, good, [*bad, *foreign]


def grant(place: Shared, shard: int, *, holder: str = "", node: str = "") -> Lease:
    """Grant the next epoch of a shard, at once. Whoever had the one before finds out when it seals, and stops.

    Raises:
        StoreError: the shared folder cannot be written.
    """
    for _ in range(ATTEMPTS):
        before, good, _ = accepted(place, shard)
        epoch = 1 if before is None else before.epoch + 1
        made = Lease(shard, epoch, holder or identity(), tuple(each.name for each in good), node or socket.gethostname())
        text = canonical_json({"epoch": epoch, "holder": made.holder, "node": made.node, "adopts": list(made.adopts), "granted": now()})
        if place.create(f"{_folder(shard)}/e{epoch:04d}.json", text.encode()):
            return made
    raise StoreError(f"shard {shard} in {place.place}: its lease is taken again and again", hint="let one process work on it")


async def take(place: Shared, shard: int, *, lease_s: float = LEASE_S, wait: bool = True) -> Lease:
    """Grant the next epoch once nobody is at work on the shard: the holder before has let go, its process is gone, or it was silent for `lease_s`.

    Raises:
        BadConfig: somebody is at work on it, and says so again and again.
        StoreError: the shared folder cannot be used.
    """
    before = newest(place, shard)
    if before is not None and not await _is_silent(place, before, lease_s=lease_s, wait=wait):
        raise BadConfig(
            f"shard {shard} is being run on {before.node or 'another machine'} (epoch {before.epoch})",
            hint="let it work; a holder that is gone is replaced once it was silent for its lease",
        )
    return grant(place, shard)


async def _is_silent(place: Shared, lease: Lease, *, lease_s: float, wait: bool) -> bool:
    """Tell whether the holder of a lease is gone: it said so, or it gives no sign of life for as long as a lease is good."""
    first = read_beat(place, lease)
    if first is not None and first.state != "running":
        return True
    with contextlib.suppress(ValueError):  # a holder that a coordinator named in its own way
        if presence(lease.holder) == "gone" and lease.node == socket.gethostname():
            return True
    if not wait:
        return False
    end = time.monotonic() + lease_s
    while time.monotonic() < end:
        await asyncio.sleep(min(LOOK_S, lease_s / 4))
        if read_beat(place, lease) != first:
            return False
    return True


def read_beat(place: Shared, lease: Lease) -> Beat | None:
    """Return the last sign of life of a lease's holder, None where it gave none that can be read."""
    try:
        return read_as(place, f"{_folder(lease.shard)}/e{lease.epoch:04d}.beat", Beat)
    except ValueError:
        return None


def beat(place: Shared, lease: Lease, sign: Beat) -> None:
    """Give a sign of life."""
    told = {name: getattr(sign, name) for name in Beat.__slots__} | {"at": now()}
    place.write(f"{_folder(lease.shard)}/e{lease.epoch:04d}.beat", canonical_json(told).encode())


def check(place: Shared, lease: Lease) -> None:
    """Find out whether a lease still counts.

    Raises:
        TakenOver: a newer epoch was granted.
    """
    epochs = leases(place, lease.shard)
    if epochs and epochs[-1] > lease.epoch:
        raise TakenOver(
            f"shard {lease.shard} was granted to another process (epoch {epochs[-1]}), which took this one (epoch {lease.epoch}) for dead",
            hint="nothing is lost; this process stops, the other continues",
        )
