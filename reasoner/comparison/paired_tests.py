"""Paired tests: each strategy against the baseline, on the same problems.

Only the first sample of a problem takes part: samples of one problem are not independent. An upper bound is not tested.

    paired_tests(trials, baseline="cot", scope="solver") -> [PairedTest(solver="game24", strategy="ats", gained=9, lost=1, p=0.021, ...)]
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from reasoner.comparison.standings import Scope, by_contender
from reasoner.comparison.statistics import holm, mcnemar, paired_difference

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from reasoner.comparison.trials import Trial


@dataclass(frozen=True, slots=True)
class PairedTest:
    """One strategy against another: on how many problems both, one, or neither was correct, and what follows."""

    solver: str | None
    model: str
    strategy: str
    against: str
    both: int
    gained: int
    """Problems only `strategy` solved."""
    lost: int
    """Problems only `against` solved."""
    neither: int
    p_holm: float | None = None
    """p, corrected for all tests of the same table; None where nothing was corrected for."""

    @property
    def n(self) -> int:
        """Problems compared."""
        return self.both + self.gained + self.lost + self.neither

    @property
    def p(self) -> float:
        """Two-sided p of the exact McNemar test."""
        return mcnemar(gained=self.gained, lost=self.lost)

    @property
    def difference(self) -> float:
        """Accuracy of `strategy` less that of `against`."""
        return (self.gained - self.lost) / self.n if self.n else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the difference."""
        return paired_difference(self.n, gained=self.gained, lost=self.lost)

    def as_dict(self) -> dict[str, Any]:
        """Return the pair as JSON values."""
        return {
            "solver": self.solver, "model": self.model, "strategy": self.strategy, "against": self.against, "problems": self.n,
            "both": self.both, "gained": self.gained, "lost": self.lost, "neither": self.neither, "difference": self.difference,
            "difference_ci95": list(self.interval), "p": self.p, "p_holm": self.p_holm,
        }  # fmt: skip


def paired_test(solver: str | None, model: str, one: Sequence[Trial], other: Sequence[Trial]) -> PairedTest:
    """PairedTest two strategies' first answers by problem."""
    mine, theirs = ({t.problem_id: t.correct for t in group if t.sample == 0} for group in (one, other))
    cells = [(mine[problem], theirs[problem]) for problem in mine.keys() & theirs.keys()]
    return PairedTest(
        solver=solver,
        model=model,
        strategy=one[0].strategy,
        against=other[0].strategy,
        both=cells.count((True, True)),
        gained=cells.count((True, False)),
        lost=cells.count((False, True)),
        neither=cells.count((False, False)),
    )


def paired_tests(trials: Iterable[Trial], *, baseline: str, scope: Scope) -> list[PairedTest]:
    """Test every strategy that is no upper bound against the baseline, and correct for the number of tests in this list."""
    groups = by_contender(trials, scope)
    made = [
        paired_test(solver, model, group, groups[model, solver, level, baseline])
        for (model, solver, level, strategy), group in groups.items()
        if strategy != baseline and not group[0].upper_bound and (model, solver, level, baseline) in groups
    ]
    return [replace(one, p_holm=p) for one, p in zip(made, holm([one.p for one in made]), strict=True)]
