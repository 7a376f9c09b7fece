"""The table of a run: accuracy with its interval, measures, calls, tokens, seconds, per solver, strategy, model and level.

An answer that could not be read, or never came, counts as wrong and is shown as such; nothing is dropped. What a model judged stands in rows
of its own, which name it; what nobody judged is counted beside.

    tabulate(results) -> [Row(solver="game24", strategy="ats", n=50, correct=31, ...)]
"""

from __future__ import annotations

from collections import defaultdict
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
    """Sum results into rows, in the order solver, strategy and model were first met; `levels` tells difficulty levels apart."""
    groups: dict[tuple[str, str, str, int | None, str], list[Result]] = defaultdict(list)
    for result in results:
        level = result.problem.level if levels else None
        groups[result.problem.solver, result.strategy, result.model, level, judge_of(result)].append(result)
    return [_row(place, group) for place, group in groups.items()]


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


def _row(place: tuple[str, str, str, int | None, str], group: list[Result]) -> Row:
    solver, strategy, model, level, judge = place
    verdicts = [o.verdict for o in group if o.verdict is not None]
    return Row(
        solver=solver,
        strategy=strategy,
        model=model,
        level=level,
        n=len(group),
        correct=sum(bool(o.correct) for o in group),
        unparsed=sum(v.unparsed for v in verdicts),
        failed=sum(o.status == "failed" for o in group),
        calls=sum(o.spent.calls for o in group),
        prompt_tokens=sum(o.spent.prompt_tokens for o in group),
        completion_tokens=sum(o.spent.completion_tokens for o in group),
        seconds=sum(o.spent.seconds for o in group),
        judge=judge,
        unjudged=sum(v.correct is None for v in verdicts),
        at_limit=sum(o.at_limit for o in group),
        metrics=means(v.metrics for v in verdicts),
    )
