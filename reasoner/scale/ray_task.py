"""What a worker of a Ray cluster is sent: one shard to work on under a lease, and what it says at the end.

    work({"place": "/mnt/team/run-7", "shard": 3, "epoch": 2, ...})   -> {"state": "finished", "node": "host-4"}

Nothing of a run passes through Ray: the manifest comes from the shared folder, what is made goes there, and what returns is a state, or a fault in words.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import os
import socket
from pathlib import Path
from typing import TypedDict

from reasoner import errors
from reasoner.errors import MissingAsset, ReasonerError, UsageError
from reasoner.scale.leases import read_lease
from reasoner.scale.local_copy import default_folder, held
from reasoner.scale.ray_cluster import VersionsDiffer, versions
from reasoner.scale.sealing import Sealing
from reasoner.scale.shared import shared
from reasoner.scale.worker import Here, run_shard

SCRATCH_ENV = "REASONER_SCRATCH"
"""Names a folder on a node's local disk for the files of shards; without it `reasoner.scale.local_copy` chooses one."""


class Order(TypedDict):
    """What is to be done. Plain values only: it travels."""

    place: str
    run: str
    shard: int
    epoch: int
    seal_seconds: float
    seal_calls: int
    lease_s: float
    versions: dict[str, str]


class Said(TypedDict, total=False):
    """What came of it."""

    state: str
    node: str
    kind: str
    """Of a fault: the name of its class."""
    message: str
    hint: str
    stops: bool
    exit_code: int


def work(order: Order) -> Said:
    """Work on a shard to its end, to the end of its lease, or until it is told to stop, which parks it."""
    ours = versions() | {"Ray": importlib.metadata.version("ray")}
    node = socket.gethostname()
    try:
        for name, version in order["versions"].items():
            if ours[name] != version:
                raise VersionsDiffer(
                    f"{name} is {version} where the run was started and {ours[name]} on {node}", hint="install the same versions"
                )
        place = shared(order["place"])
        lease = read_lease(place, order["shard"], order["epoch"])
        if lease is None:
            raise MissingAsset(
                f"{place.place} holds no lease of shard {order['shard']}", hint="the shared folder has to be the same on all machines"
            )
        here = Here(local=_scratch(), sealing=Sealing(order["seal_seconds"], order["seal_calls"]), lease_s=order["lease_s"])
        ended = asyncio.run(run_shard(place, order["shard"], lease=lease, here=here))
    except ReasonerError as error:
        return {
            "state": "fault", "node": node, "kind": type(error).__name__, "message": error.message, "hint": error.hint, "stops": error.stops_run,
            "exit_code": error.exit_code,
        }  # fmt: skip
    except KeyboardInterrupt:
        return {"state": "stopped", "node": node}
    return {"state": ended.state, "node": node}


def held_here(run: str) -> dict[int, int]:
    """Return which shards of a run this node's disk has a file of, and of which epoch each is."""
    return held(_scratch() or default_folder(), run)


def _scratch() -> Path | None:
    local = os.environ.get(SCRATCH_ENV)
    return Path(local) if local else None


class ShardFailed(UsageError):
    """A shard met a fault on its node that every other would meet."""


def fault_of(said: Said, shard: int) -> ReasonerError:
    """Return the fault that a worker told of, of its own class where that can be made from words."""
    message = f"shard {shard} on {said.get('node', '')}: {said.get('message', '')}"
    kind = getattr(errors, said.get("kind", ""), None)
    if isinstance(kind, type) and issubclass(kind, ReasonerError):
        try:
            made: ReasonerError = kind(message, hint=said.get("hint", ""))
        except TypeError:
            return ShardFailed(message, hint=said.get("hint", ""))
        return made
    return ShardFailed(message, hint=said.get("hint", ""))
