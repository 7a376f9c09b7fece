"""The claim of autonomous tree search, made checkable: as accurate as Tree of Thoughts, with fewer calls and tokens.

For every `ats` and every `tot` of a comparison: the paired test of their accuracies, and calls and tokens of `tot` over those of `ats`.
That two accuracies cannot be told apart is no proof that they are equal; the interval of their difference says how far apart they may
be. Where neither solved anything there is no accuracy at which to compare, whatever the ratio.

    ats_claims(trials, rows, scope="pooled") -> [AtsClaim(strategy="ats", against="tot", calls_ratio=41.0, verdict="indistinguishable", ...)]
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from reasoner.comparison.paired_tests import PairedTest, paired_test
from reasoner.comparison.standings import Scope, Standing, by_contender

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from reasoner.comparison.trials import Trial

CLAIMED = "ats"
AGAINST = "tot"
ALPHA = 0.05

ClaimVerdict = Literal["indistinguishable", "more accurate", "less accurate", "nothing solved"]

_WORDS: dict[ClaimVerdict, str] = {
    "indistinguishable": "accuracies cannot be told apart",
    "more accurate": "is more accurate",
    "less accurate": "is less accurate: the accuracies are not equal",
    "nothing solved": "neither solved anything, so there is no accuracy to compare",
}


@dataclass(frozen=True, slots=True)
class AtsClaim:
    """`ats` against `tot` on the same problems."""

    pair: PairedTest
    accuracy: float
    against_accuracy: float
    calls_ratio: float | None
    """Calls of `tot` over calls of `ats`; None when `ats` made none."""
    tokens_ratio: float | None
    tokens_to_solve_ratio: float | None
    """Tokens a correct answer of `tot` cost over those of `ats`; None when either solved nothing."""

    @property
    def verdict(self) -> ClaimVerdict:
        """What the paired test says of the accuracies at the 5 % level."""
        if not self.accuracy and not self.against_accuracy:
            return "nothing solved"
        if self.pair.p >= ALPHA:
            return "indistinguishable"
        return "more accurate" if self.pair.gained > self.pair.lost else "less accurate"

    @property
    def holds(self) -> bool | None:
        """Whether `ats` used fewer calls and tokens and was not seen to be less accurate; None where it cannot be said."""
        if self.verdict == "nothing solved" or self.calls_ratio is None or self.tokens_ratio is None:
            return None
        return self.verdict != "less accurate" and self.calls_ratio > 1 and self.tokens_ratio > 1

    def as_dict(self) -> dict[str, Any]:
        """Return the claim as JSON values."""
        return {
            "claim": f"{self.pair.strategy} is as accurate as {self.pair.against} with fewer calls and tokens",
            **self.pair.as_dict(),
            "accuracy": self.accuracy,
            "against_accuracy": self.against_accuracy,
            "verdict": self.verdict,
            "calls_ratio": self.calls_ratio,
            "tokens_ratio": self.tokens_ratio,
            "tokens_to_solve_ratio": self.tokens_to_solve_ratio,
            "holds": self.holds,
        }

    def sentence(self) -> str:
        """Return the claim and what came of it on one line."""
        one, low, high = self.pair, *(100 * bound for bound in self.pair.interval)
        return (
            f"{one.strategy} against {one.against} ({one.solver or 'all solvers'}, {one.model}, {one.n} problems): "
            f"{100 * self.accuracy:.1f} % against {100 * self.against_accuracy:.1f} %, {_WORDS[self.verdict]} "
            f"(McNemar p = {one.p:.3g}, difference {low:+.1f} to {high:+.1f} points); {one.against} used {_times(self.calls_ratio)} the calls, "
            f"{_times(self.tokens_ratio)} the tokens, {_times(self.tokens_to_solve_ratio)} the tokens per correct answer"
        )


def _times(ratio: float | None) -> str:
    return "(unknown) times" if ratio is None else f"{ratio:.3g} times"


def ats_claims(trials: Iterable[Trial], rows: Sequence[Standing], *, scope: Scope) -> list[AtsClaim]:
    """Return a claim for each `ats` and each `tot` of the same model and scope; `rows` are the standings of that scope."""
    groups = by_contender(trials, scope)
    standing = {(row.model, row.solver, row.level, row.strategy): row for row in rows}
    return [
        _claim(paired_test(mine[1], mine[0], groups[mine], groups[theirs]), standing[mine], standing[theirs])
        for mine in groups
        for theirs in groups
        if mine[:3] == theirs[:3] and _is(mine[3], CLAIMED, groups[mine]) and _is(theirs[3], AGAINST, groups[theirs])
    ]


def _is(strategy: str, name: str, group: Sequence[Trial]) -> bool:
    return strategy.partition(":")[0] == name and not group[0].upper_bound


def _claim(paired: PairedTest, mine: Standing, theirs: Standing) -> AtsClaim:
    return AtsClaim(
        pair=paired,
        accuracy=mine.accuracy,
        against_accuracy=theirs.accuracy,
        calls_ratio=_ratio(theirs.spent.calls, mine.spent.calls),
        tokens_ratio=_ratio(theirs.spent.tokens, mine.spent.tokens),
        tokens_to_solve_ratio=_ratio(theirs.tokens_per_correct, mine.tokens_per_correct),
    )


def _ratio(one: float | None, other: float | None) -> float | None:
    return one / other if one is not None and other else None
