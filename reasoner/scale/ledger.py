"""The budget of a run, given out to its shards in grants whose sum never passes it.

    ledger = Ledger(place, Limits(calls=1000))
    ledger.ask(shard=3, epoch=1, need=Limits(calls=1), among=8) -> Limits(calls=62)      what the shard may use besides; None where too little is left

    grants/000001.json    {"shard": 3, "epoch": 1, "given": {"calls": 62}, "total": {"calls": 62}}

Each grant is a file that only one can create, and holds the total so far: who creates the next has seen the one before, so no two give out the same. What a
shard did not use comes back as a grant of less than nothing. A shard whose local file is gone may have used all it was granted; that stays given out.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from pydantic import BaseModel, FiniteFloat

from reasoner.budget import Limits
from reasoner.canonical import canonical_json
from reasoner.errors import StoreError
from reasoner.scale.small_files import parsed

if TYPE_CHECKING:
    from reasoner.scale.storage import Shared

KINDS = ("calls", "tokens", "cost", "seconds")
WHOLE = frozenset({"calls", "tokens"})
ATTEMPTS = 1000
_NAME = re.compile(r"([0-9]{6,9})\.json")
Amounts = dict[str, float]


class _Grant(BaseModel):
    total: dict[str, FiniteFloat]


class Ledger:
    """The grants of a run, in the shared folder. `cap` is the budget of all its shards."""

    def __init__(self, place: Shared, cap: Limits) -> None:
        self._place = place
        self.cap: Amounts = {name: float(value) for name in KINDS if (value := getattr(cap, name)) is not None}

    def _last(self) -> tuple[int, Amounts]:
        """Return the number of the last grant, and what all grants come to."""
        found = [int(each[1]) for name in self._place.names("grants") if (each := _NAME.fullmatch(name))]
        if not found:
            return 0, dict.fromkeys(self.cap, 0.0)
        name = f"grants/{max(found):06d}.json"
        data = self._place.read(name)
        try:
            total = parsed(_Grant, data or b"").total
            return max(found), {kind: total[kind] for kind in self.cap}
        except (ValueError, KeyError) as error:
            raise StoreError(f"{self._place.place}/{name} is no grant", hint="it was changed by hand; put it back") from error

    def total(self) -> Amounts:
        """Return what has been given out and not come back."""
        return self._last()[1]

    def ask(self, *, shard: int, epoch: int, need: Amounts, among: int) -> Amounts | None:
        """Give a shard a part of what is left: at least what it needs, at most its share of half the rest. None where less than that is left.

        Raises:
            StoreError: the shared folder cannot be used.
        """
        for _ in range(ATTEMPTS):
            number, total = self._last()
            left = {kind: cap - total[kind] for kind, cap in self.cap.items()}
            if any(left[kind] < need.get(kind, 0.0) or left[kind] <= 0 for kind in left):
                return None
            given = {kind: self._part(kind, left[kind], need.get(kind, 0.0), among) for kind in left}
            if self._write(number + 1, shard, epoch, given, total):
                return given
        raise StoreError(f"the grants in {self._place.place} are taken by others again and again", hint="run fewer shards at a time")

    @staticmethod
    def _part(kind: str, left: float, need: float, among: int) -> float:
        share = max(need, left / (2 * among))
        return float(min(left, max(1, math.ceil(share)))) if kind in WHOLE else min(left, share)

    def give_back(self, *, shard: int, epoch: int, unused: Amounts) -> None:
        """Take back what a shard did not use and will not use any more.

        Raises:
            StoreError: the shared folder cannot be used.
        """
        less = {kind: -max(0.0, unused.get(kind, 0.0)) for kind in self.cap}
        if not any(less.values()):
            return
        for _ in range(ATTEMPTS):
            number, total = self._last()
            if self._write(number + 1, shard, epoch, less, total):
                return

    def _write(self, number: int, shard: int, epoch: int, given: Amounts, total: Amounts) -> bool:
        after = {kind: total[kind] + given[kind] for kind in self.cap}
        text = canonical_json({"shard": shard, "epoch": epoch, "given": given, "total": after})
        return self._place.create(f"grants/{number:06d}.json", text.encode())
