"""Which problems a round samples: levels by what the model solves, more of those where about half of the answers are right.

shares((1, 2, 3), {1: Rate(90, 100), 2: Rate(40, 80)}, 64) -> {1: 12, 2: 35, 3: 17}
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

OPENS_AT = 0.4
"""The share of right answers at a level from which the next one is tried too."""
MASTERED_AT = 0.95
"""The share from which a level is left."""
FLOOR = 0.02
"""The weight of a level where all answers are wrong, against 0.25 where half are right."""
UNTRIED = 0.12
"""The weight of a level that was not tried yet."""


class Rate(NamedTuple):
    """How many answers were right."""

    right: int
    n: int

    @property
    def share(self) -> float:
        """The share of right answers; 0 where there are none."""
        return self.right / self.n if self.n else 0.0


def open_levels(ladder: Sequence[int], rates: Mapping[int, Rate]) -> tuple[int, ...]:
    """Return the levels to sample: up to the first whose share does not open the next, without those that are mastered.

    The highest one that is open stays where all are mastered.
    """
    found: list[int] = []
    for level in ladder:
        found.append(level)
        if level not in rates or rates[level].share < OPENS_AT:
            break
    return tuple(level for level in found if level not in rates or rates[level].share < MASTERED_AT) or (found[-1],)


def mastered(ladder: Sequence[int], rates: Mapping[int, Rate]) -> bool:
    """Tell whether nothing is left to learn on a ladder."""
    return all(level in rates and rates[level].share >= MASTERED_AT for level in ladder)


def shares(ladder: Sequence[int], rates: Mapping[int, Rate], n: int) -> dict[int, int]:
    """Divide n problems among the open levels, by the variance of a single answer (largest remainders)."""
    levels = open_levels(ladder, rates)
    weights = {level: _weight(rates.get(level)) for level in levels}
    total = sum(weights.values())
    exact = {level: n * weight / total for level, weight in weights.items()}
    found = {level: int(part) for level, part in exact.items()}
    for level in sorted(levels, key=lambda level: found[level] - exact[level])[: n - sum(found.values())]:
        found[level] += 1
    return {level: part for level, part in found.items() if part}


def _weight(rate: Rate | None) -> float:
    return UNTRIED if rate is None else max(FLOOR, rate.share * (1 - rate.share))
