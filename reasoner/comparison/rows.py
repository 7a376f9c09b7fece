"""The table of a run: accuracy with its interval, calls, tokens, seconds, per solver, strategy, model and level.

Knows counts. An answer that could not be read, or never came, counts as wrong and is shown as such; nothing is dropped.

    tabulate(results) -> [Row(solver="game24", strategy="ats", n=50, correct=31, ...)]
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reasoner.comparison.statistics import wilson

if TYPE_CHECKING:
    from collections.abc import Iterable

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

    @property
    def accuracy(self) -> float:
        """Correct over n."""
        return self.correct / self.n if self.n else 0.0

    def as_dict(self) -> dict[str, Any]:
        """Return the row as JSON values, with accuracy and its 95 % Wilson interval."""
        low, high = wilson(self.correct, self.n)
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
            "failed": self.failed,
            "calls": self.calls,
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "seconds": round(self.seconds, 3),
        }


def tabulate(results: Iterable[Result]) -> list[Row]:
    """Sum results into rows, in the order solver, strategy and model were first met."""
    groups: dict[tuple[str, str, str, int | None], list[Result]] = defaultdict(list)
    for result in results:
        groups[result.problem.solver, result.strategy, result.model, result.problem.level].append(result)
    return [_row(place, group) for place, group in groups.items()]


def _row(place: tuple[str, str, str, int | None], group: list[Result]) -> Row:
    solver, strategy, model, level = place
    return Row(
        solver=solver,
        strategy=strategy,
        model=model,
        level=level,
        n=len(group),
        correct=sum(bool(o.correct) for o in group),
        unparsed=sum(o.verdict is not None and o.verdict.unparsed for o in group),
        failed=sum(o.status == "failed" for o in group),
        calls=sum(o.spent.calls for o in group),
        prompt_tokens=sum(o.spent.prompt_tokens for o in group),
        completion_tokens=sum(o.spent.completion_tokens for o in group),
        seconds=sum(o.spent.seconds for o in group),
    )
