"""The table of a run: accuracy with its interval, measures, calls, tokens, seconds, per solver, strategy, model and level.

An answer that could not be read, or never came, counts as wrong and is shown as such; nothing is dropped. What a model judged stands in rows
of its own, which name it; what nobody judged is counted beside.

    tabulate(results) -> [Row(solver="game24", strategy="ats", n=50, correct=31, ...)]
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from reasoner.comparison.statistics import wilson
from reasoner.grading.judges import judge_named

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reasoner.runs.results import Result


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. Tokens and seconds are sums over all n trajectories; `failed` are those whose call never came back."""

    solver: str
    strategy: str
    model: str
    level: int | None
    n: int
    correct: int
    unparsed: int
    failed: int
    calls: int
    prompt_tokens: int
    completion_tokens: int
    seconds: float
    judge: str = ""
    """The judge whose verdicts these are; empty for exact ones."""
    unjudged: int = 0
    """Answers that nobody could judge; they are in no accuracy."""
    at_limit: int = 0
    """Answers that ended at the token limit."""
    metrics: Mapping[str, float] = field(default_factory=dict)
    """Means of the verdicts' measures (`em`, `f1`, `chrf`) over the answers that have them."""

    @property
    def n_judged(self) -> int:
        """Answers that were judged, or failed before they could be."""
        return self.n - self.unjudged

    @property
    def accuracy(self) -> float:
        """Correct over judged."""
        return self.correct / self.n_judged if self.n_judged else 0.0

    def as_dict(self) -> dict[str, Any]:
        """Return the row as JSON values, with accuracy and its 95 % Wilson interval."""
        low, high = wilson(self.correct, self.n_judged)
        return {
            "solver": self.solver,
            "strategy": self.strategy,
            "model": self.model,
            "level": self.level,
            "n": self.n,
            "correct": self.correct,
            "accuracy": self.accuracy,
            "ci95": [low, high],
            "unparsed": self.unparsed,
            "unjudged": self.unjudged,
            "at_token_limit": self.at_limit,
            "judged_by": self.judge,
            "metrics": dict(self.metrics),
            "failed": self.failed,
            "calls": self.calls,
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "seconds": round(self.seconds, 3),
        }


def tabulate(results: Iterable[Result], *, levels: bool = True) -> list[Row]:
    """Sum results into rows, in the order solver, strategy and model were first met; `levels` tells difficulty levels apart.

    Results are summed as they come and not held.
    """
    table = Table(levels=levels)
    for result in results:
        table.add(result)
    return table.rows()


class Table:
    """Rows that are being summed."""

    def __init__(self, *, levels: bool = False) -> None:
        self._levels = levels
        self._sums: dict[tuple[str, str, str, int | None, str], Sums] = defaultdict(Sums)

    def add(self, result: Result) -> None:
        """Add a result to the row it belongs to."""
        level = result.problem.level if self._levels else None
        self._sums[result.problem.solver, result.strategy, result.model, level, judge_of(result)].add(result)

    def rows(self) -> list[Row]:
        """Return the rows as they are by now, in the order they were begun."""
        return [sums.row(place) for place, sums in self._sums.items()]


@dataclass(slots=True)
class Sums:
    """What results add up to."""

    counts: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    metrics: dict[str, tuple[float, int]] = field(default_factory=dict)

    def add(self, result: Result) -> None:
        """Add one."""
        verdict, spent = result.verdict, result.spent
        self.counts.update(
            n=1, correct=int(bool(result.correct)), failed=int(result.status == "failed"), at_limit=result.at_limit, calls=spent.calls,
            prompt_tokens=spent.prompt_tokens, completion_tokens=spent.completion_tokens,
        )  # fmt: skip
        self.seconds += spent.seconds
        if verdict is not None:
            self.counts.update(unparsed=verdict.unparsed, unjudged=verdict.correct is None)
            for name, value in verdict.metrics.items():
                total, n = self.metrics.get(name, (0.0, 0))
                self.metrics[name] = total + value, n + 1

    def row(self, place: tuple[str, str, str, int | None, str]) -> Row:
        """Return the line of the table."""
        solver, strategy, model, level, judge = place
        means = {name: total / n for name, (total, n) in self.metrics.items()}
        names = ("n", "correct", "unparsed", "failed", "calls", "prompt_tokens", "completion_tokens", "unjudged", "at_limit")
        counts = {name: self.counts[name] for name in names}
        return Row(solver, strategy, model, level, **counts, seconds=self.seconds, judge=judge, metrics=means)


def judge_of(result: Result) -> str:
    """Return the judge that an result's verdict comes from, or would have come from; empty for an exact verifier."""
    verdict = result.verdict
    if verdict is not None and verdict.judged_by:
        return verdict.judged_by
    return judge_named(result.problem.instance)


def means(metrics: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """Return the mean of each measure over those that have it."""
    found: dict[str, list[float]] = defaultdict(list)
    for each in metrics:
        for name, value in each.items():
            found[name].append(value)
    return {name: sum(values) / len(values) for name, values in found.items()}
