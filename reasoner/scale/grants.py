"""A shard's own budget: what it was granted so far, raised when its calls need more, and its part of the run's rates.

grants = Grants(ledger, store, lease, run_id, among=8)
await grants.begin(); options = replace(options, run_limits=grants.limits, renew=grants.renew)
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from reasoner.budget import Limits
from reasoner.scale.complete import complete
from reasoner.store import crash
from reasoner.store.spending import limits_of, set_limits, used

if TYPE_CHECKING:
    from reasoner.budget import Reserve
    from reasoner.calling.limiter import Limiter
    from reasoner.scale.leases import Lease
    from reasoner.scale.ledger import Amounts, Ledger
    from reasoner.scale.storage import Shared
    from reasoner.store import Store
    from reasoner.store.connection import Connection

SETTLED_S = 60.0
"""How long after a shard is known to be complete its part of a rate goes to the others: what it sent last counts for a minute."""


class Grants:
    """What a shard may use, of the kinds that the run has a budget of."""

    def __init__(self, ledger: Ledger, store: Store, lease: Lease, run_id: str, *, among: int) -> None:
        self._ledger = ledger
        self._store = store
        self._lease = lease
        self._run = run_id
        self._among = among
        self._turn = asyncio.Lock()
        self.limits = Limits()

    def begin(self, *, carried: bool) -> Limits:
        """Return the limits to begin with: those the file had where it was carried on; else what is used by now, so that all more has to be granted.

        What a holder whose file is gone was granted may have been used, and stays given out.
        """

        def job(c: Connection) -> Limits:
            before = limits_of(c, self._run) if carried else None
            if before is None:
                return self._limits(self._used(c))
            return before

        self.limits = self._store.write_now(job)
        return self.limits

    def _used(self, c: Connection) -> Amounts:
        return dict(zip(("calls", "tokens", "seconds", "cost"), map(float, used(c, self._run)), strict=True))

    def _limits(self, amounts: Amounts) -> Limits:
        return Limits(**{kind: int(amounts[kind]) if kind in {"calls", "tokens"} else amounts[kind] for kind in self._ledger.cap})  # type: ignore[arg-type]

    async def renew(self, reserve: Reserve) -> bool:
        """Have the shard's limits raised for a call that does not fit; False where the run's budget has no room for it."""
        before = self.limits
        async with self._turn:
            if self.limits != before:
                return True  # somebody else's call raised them meanwhile
            need = {"calls": 1.0, "tokens": float(reserve.tokens), "cost": reserve.cost or 0.0, "seconds": 0.0}
            given = await asyncio.to_thread(
                self._ledger.ask, shard=self._lease.shard, epoch=self._lease.epoch, need=need, among=self._among
            )
            if given is None:
                return False
            crash.passing("in_grant")
            self.limits = await self._store.write(lambda c: self._raise(c, given))
            return True

    def _raise(self, c: Connection, given: Amounts) -> Limits:
        """Add to the limits that stand in the file: a holder before this one may have lowered them after this one began."""
        before = limits_of(c, self._run) or self._limits(dict.fromkeys(given, 0.0))
        more = self._limits({kind: float(getattr(before, kind) or 0) + given[kind] for kind in given})
        set_limits(c, self._run, more)
        return more

    def end(self) -> None:
        """Give back what was not used; the file is held to what it has used before anything is given back, so that a kill in between loses, never gains."""

        def job(c: Connection) -> Amounts:
            spent, held = self._used(c), limits_of(c, self._run) or Limits()
            unused = {kind: float(getattr(held, kind) or 0) - spent[kind] for kind in self._ledger.cap}
            set_limits(c, self._run, self._limits({kind: float(getattr(held, kind) or 0) - max(0.0, unused[kind]) for kind in unused}))
            return unused

        unused = self._store.write_now(job)
        self._ledger.give_back(shard=self._lease.shard, epoch=self._lease.epoch, unused=unused)


class Rates:
    """A shard's part of the run's rates: the rate over the shards that may be at work, which are fewer as shards are declared complete."""

    def __init__(self, place: Shared, *, rpm: int | None, tpm: int | None, of: int, at_once: int) -> None:
        self._place = place
        self._rpm, self._tpm = rpm, tpm
        self._of, self._at_once = of, at_once
        self._seen: dict[int, float] = {}

    def __bool__(self) -> bool:
        return self._rpm is not None or self._tpm is not None

    def part(self) -> tuple[int | None, int | None]:
        """Return the part of the rates (requests, tokens) that this shard may use now."""
        now, n_done = time.monotonic(), len(complete(self._place))
        self._seen.setdefault(n_done, now)
        settled = max((n for n, at in self._seen.items() if n <= n_done and now - at >= SETTLED_S), default=0)
        at_work = max(1, min(self._at_once, self._of - settled))
        return (None if self._rpm is None else max(1, self._rpm // at_work)), (None if self._tpm is None else max(1, self._tpm // at_work))

    def apply(self, limiters: list[Limiter], *, used: bool = False) -> None:
        """Hold limiters to the part; `used`: whoever had the shard before may have used as much in this minute."""
        rpm, tpm = self.part()
        for limiter in limiters:
            limiter.pace(rpm=rpm, tpm=tpm, used=used)
