"""Splits: which part of a dataset a problem belongs to, by the hash of its family, so that no problem stands in two.

    Split.parse("train=0.9,test=0.1").of("game24", "(4, 9, 10, 13)") -> "train"

The same family goes to the same part whatever else is exported, so a later export never moves a problem from test to train. Shares
are met on average, not to the row.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from reasoner.errors import BadConfig
from reasoner.types import digest

_NAME = re.compile(r"[a-z][a-z0-9_]{0,30}")


@dataclass(frozen=True, slots=True)
class Split:
    """Named shares that add up to one, and the seed that shuffles."""

    shares: tuple[tuple[str, float], ...] = (("train", 1.0),)
    seed: int = 0

    @classmethod
    def parse(cls, text: str, *, seed: int = 0) -> Self:
        """Read `train=0.9,test=0.1`; an empty text is one part, `train`.

        Raises:
            BadConfig: a share is no number, a name is used twice, or they do not add up to 1.
        """
        if not text:
            return cls(seed=seed)
        shares: list[tuple[str, float]] = []
        for piece in text.split(","):
            name, _, share = piece.strip().partition("=")
            try:
                value = float(share)
            except ValueError:
                value = -1.0
            if not _NAME.fullmatch(name) or not 0 < value <= 1 or name in {n for n, _ in shares}:
                raise BadConfig(f"the split {piece.strip()!r} cannot be read", hint="write name=share,name=share: train=0.9,test=0.1")
            shares.append((name, value))
        if abs(sum(value for _, value in shares) - 1) > 1e-6:
            raise BadConfig(f"the shares of {text!r} add up to {sum(v for _, v in shares):g}", hint="they have to add up to 1")
        return cls(tuple(shares), seed)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the parts, in order."""
        return tuple(name for name, _ in self.shares)

    def of(self, solver: str, family: str) -> str:
        """Return the part a family of problems belongs to."""
        if len(self.shares) == 1:
            return self.shares[0][0]
        at = int(digest("split", str(self.seed), solver.partition(":")[0], family)[:13], 16) / 16**13
        for name, share in self.shares:
            at -= share
            if at < 0:
                return name
        return self.shares[-1][0]
