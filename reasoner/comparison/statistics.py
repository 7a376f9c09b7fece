"""The statistics of a comparison: intervals, pass@k, the paired test, the correction for testing several times.

Everything is a closed formula or an exact sum.

    mcnemar(gained=1, lost=9) -> 0.021484375
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

Z95 = 1.959963984540054


def wilson(correct: float, n: int, *, z: float = Z95) -> tuple[float, float]:
    """Return the Wilson score interval of a share, in [0, 1]; (0, 1) when nothing was counted.

    `correct` may be a fraction where each of the n problems counts with the share of its samples that were correct.

    Source: Wilson 1927, "Probable inference, the law of succession, and statistical inference", JASA 22.
    """
    if n == 0:
        return 0.0, 1.0
    share = correct / n
    spread = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    middle = share + z * z / (2 * n)
    scale = 1 + z * z / n
    # The bounds are exactly 0 and 1 at the ends; floating point would leave 5e-17 there.
    low = 0.0 if correct == 0 else (middle - spread) / scale
    high = 1.0 if correct == n else (middle + spread) / scale
    return low, high


def pass_at_k(n: int, correct: int, k: int) -> Fraction:
    """Return the unbiased estimate of the chance that at least one of k samples is correct, from n samples of one problem.

    It is the share of the k-element subsets of the n samples that hold a correct one: 1 - C(n - correct, k) / C(n, k).

    Source: Chen et al. 2021, "Evaluating large language models trained on code", equation 1.

    Raises:
        ValueError: k is not between 1 and n.
    """
    if not 1 <= k <= n:
        raise ValueError(f"pass@{k} cannot be estimated from {n} samples")
    return 1 - Fraction(math.comb(n - correct, k), math.comb(n, k))


def mcnemar(*, gained: int, lost: int) -> float:
    """Return the two-sided p value of the exact McNemar test; 1.0 when no pair is discordant.

    `gained` are the problems only the one solved, `lost` those only the other solved. Under the null hypothesis each discordant pair
    falls either way like a fair coin, so this is twice the smaller binomial tail, at most 1.
    """
    n = gained + lost
    tail = sum(math.comb(n, i) for i in range(min(gained, lost) + 1))
    return float(min(Fraction(1), Fraction(2 * tail, 2**n)))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p values corrected for their number, in the same order; the family-wise error rate is kept under any dependence.

    Source: Holm 1979, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6.
    """
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    corrected = [0.0] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = largest
    return corrected


def paired_difference(n: int, *, gained: int, lost: int, z: float = Z95) -> tuple[float, float]:
    """Return an interval for the difference of two paired shares, (gained - lost) / n, in [-1, 1].

    Half a pair is added to each of the four cells, then it is Wald's interval.

    Source: Agresti and Min 2005, "Simple improved confidence intervals for comparing matched proportions", Statistics in Medicine 24.
    """
    if n == 0:
        return -1.0, 1.0
    more, less, total = gained + 0.5, lost + 0.5, n + 2
    middle = (more - less) / total
    spread = z * math.sqrt((more + less) - (more - less) ** 2 / total) / total
    return max(-1.0, middle - spread), min(1.0, middle + spread)
