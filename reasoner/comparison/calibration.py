"""Calibration: how well stated confidence agrees with being right.

A pure function over (confidence, correct) pairs. Where a model's confidence comes from is the caller's choice,
`confidence` turns the mean log probability of an answer's tokens into one.

>>> made = calibrate([(0.9, True), (0.8, True), (0.7, False), (0.2, False)], n_bins=2)
>>> made.n, round(made.brier, 3), round(made.ece, 3)
(4, 0.145, 0.15)

Source: Brier 1950 (the score); Naeini et al. 2015 and Guo et al. 2017 (expected calibration error over bins of equal width).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reasoner.errors import BadConfig

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Bin:
    """The answers whose confidence is in [low, high); the last bin holds 1.0 too. Means are 0 where there are none."""

    low: float
    high: float
    n: int
    confidence: float
    accuracy: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """Brier score and expected calibration error, both 0 at best and 1 at worst, and the reliability bins. Both are None for no pairs."""

    n: int
    brier: float | None
    ece: float | None
    bins: tuple[Bin, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        bins = [{"low": b.low, "high": b.high, "n": b.n, "confidence": b.confidence, "accuracy": b.accuracy} for b in self.bins]
        return {"n": self.n, "brier": self.brier, "ece": self.ece, "bins": bins}


def confidence(mean_logprob: float | None) -> float | None:
    """Return the geometric mean of the token probabilities, in [0, 1]; None where the model gave no log probabilities."""
    if mean_logprob is None or math.isnan(mean_logprob):
        return None
    return math.exp(min(0.0, mean_logprob))


def calibrate(pairs: Iterable[tuple[float, bool]], *, n_bins: int = 10) -> Calibration:
    """Compare confidence with correctness.

    Raises:
        BadConfig: a confidence is not in [0, 1], or there is no bin.
    """
    if n_bins < 1:
        raise BadConfig(f"n_bins = {n_bins}", hint="at least one bin is needed")
    members: list[list[tuple[float, bool]]] = [[] for _ in range(n_bins)]
    for sure, right in pairs:
        if not 0.0 <= sure <= 1.0:
            raise BadConfig(f"the confidence {sure} is not in [0, 1]", hint="give probabilities, not log probabilities")
        members[min(int(sure * n_bins), n_bins - 1)].append((sure, right))
    bins = tuple(_bin(k / n_bins, (k + 1) / n_bins, inside) for k, inside in enumerate(members))
    n = sum(b.n for b in bins)
    if n == 0:
        return Calibration(0, None, None, bins)
    brier = math.fsum((sure - right) ** 2 for inside in members for sure, right in inside) / n
    ece = math.fsum(b.n * abs(b.confidence - b.accuracy) for b in bins) / n
    return Calibration(n, brier, ece, bins)


def _bin(low: float, high: float, inside: list[tuple[float, bool]]) -> Bin:
    n = len(inside)
    if n == 0:
        return Bin(low, high, 0, 0.0, 0.0)
    return Bin(low, high, n, math.fsum(sure for sure, _ in inside) / n, sum(right for _, right in inside) / n)
