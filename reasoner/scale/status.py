"""How far every shard is, who has it, and how long ago it was heard of: from the small files of the shared folder alone.

for each in status(place): each.shard, each.state, each.node, each.epoch, each.closed, each.total, each.lag_s
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from reasoner.scale.complete import complete
from reasoner.scale.leases import Beat, newest, read_beat
from reasoner.scale.ledger import Ledger
from reasoner.scale.manifest import read_run

if TYPE_CHECKING:
    from reasoner.scale.storage import Shared


@dataclass(frozen=True, slots=True)
class ShardStatus:
    """A shard as it stands.

    `state`: `waiting` (nobody had it yet), `running`, `parked`, `exhausted`, `failed`, `finished` (as its holder said), or `complete` (declared at a
    merge). `lag_s` is how long ago it was heard of, None where it never was; the clocks of two machines may differ.
    """

    shard: int
    state: str
    epoch: int = 0
    node: str = ""
    closed: int = 0
    total: int = 0
    calls: int = 0
    segments: int = 0
    lag_s: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self)


def status(place: Shared) -> list[ShardStatus]:
    """Return how every shard of a run stands.

    Raises:
        ReasonerError: the folder cannot be read.
    """
    run = read_run(place)
    done = complete(place)
    made = []
    for shard, size in enumerate(run.sizes):
        lease, total = newest(place, shard), size * run.per_problem
        if lease is None:
            made.append(ShardStatus(shard, "waiting", total=total))
            continue
        sign = read_beat(place, lease) or Beat("running")
        state = "complete" if shard in done else sign.state
        made.append(ShardStatus(shard, state, lease.epoch, lease.node, sign.closed, total, sign.calls, sign.segments, _ago(sign.at)))
    return made


def granted(place: Shared) -> dict[str, tuple[float, float]]:
    """Return what of the run's budget is given out, and the budget, by kind; empty where there is none."""
    run = read_run(place)
    if run.budget is None:
        return {}
    ledger = Ledger(place, run.budget)
    total = ledger.total()
    return {kind: (total[kind], cap) for kind, cap in ledger.cap.items()}


def _ago(at: str) -> float | None:
    try:
        return max(0.0, (datetime.now(UTC) - datetime.fromisoformat(at)).total_seconds())
    except (ValueError, TypeError):
        return None
