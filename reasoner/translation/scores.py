"""How good translations are: BLEU and chrF++ over a set, as sacrebleu computes them, with its signatures; and rank correlation.

    scores = score(["the dog sleeps"], ["the dog sleeps"])
    scores.bleu, scores.chrf, scores.signatures

Knows texts and numbers; does not know who translated.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reasoner.errors import MissingDependency

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Scores:
    """BLEU and chrF++ of a set of translations, both from 0 to 100, and what exactly was computed."""

    n: int
    bleu: float
    chrf: float
    exact: float
    signatures: Mapping[str, str]


def score(translations: Sequence[str], references: Sequence[str]) -> Scores:
    """Score translations, one reference each. A missing translation is an empty text; it counts.

    Raises:
        MissingDependency: sacrebleu is not installed.
    """
    try:
        from sacrebleu.metrics.bleu import BLEU  # noqa: PLC0415 - an optional dependency
        from sacrebleu.metrics.chrf import CHRF  # noqa: PLC0415
    except ImportError as error:
        raise MissingDependency("sacrebleu", extra="translation") from error
    bleu, chrf = BLEU(), CHRF(word_order=2)
    made = bleu.corpus_score(list(translations), [list(references)]), chrf.corpus_score(list(translations), [list(references)])
    exact = sum(a.split() == b.split() for a, b in zip(translations, references, strict=True)) / len(references)
    signatures = {"BLEU": str(bleu.get_signature()), "chrF++": str(chrf.get_signature())}
    return Scores(len(references), made[0].score, made[1].score, exact, signatures)


def spearman(xs: Sequence[float], ys: Sequence[float]) -> float | None:
    """Return Spearman's rank correlation, ties sharing their mean rank; None where one side does not vary."""
    a, b = _ranks(xs), _ranks(ys)
    n = len(a)
    if n < 2:
        return None
    mean = (n + 1) / 2
    var_a, var_b = sum((x - mean) ** 2 for x in a), sum((y - mean) ** 2 for y in b)
    if var_a == 0 or var_b == 0:
        return None
    return float(sum((x - mean) * (y - mean) for x, y in zip(a, b, strict=True)) / (var_a * var_b) ** 0.5)


def _ranks(values: Sequence[float]) -> list[float]:
    in_order = sorted(range(len(values)), key=lambda i: values[i])
    ranks = [0.0] * len(values)
    start = 0
    while start < len(in_order):
        end = start
        while end + 1 < len(in_order) and values[in_order[end + 1]] == values[in_order[start]]:
            end += 1
        for place in range(start, end + 1):
            ranks[in_order[place]] = (start + end) / 2 + 1
        start = end + 1
    return ranks
