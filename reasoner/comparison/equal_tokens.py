"""Accuracy at equal tokens: what two strategies do when the cheaper one may spend what the dearer one spent.

On each problem the budget is the tokens of the dearer one's first answer. The cheaper one gets as many of its recorded samples, first
to last, as fit into that budget, and answers by plurality (the most frequent answer, however it is spelt, the earliest of equals): what self-
consistency does with the same tokens. Nothing is extrapolated: where a further sample would have fitted and none was recorded, there
is no figure, and `samples_needed` says about how many samples there would have to be.

    at_equal_tokens(ats_trials, cot_trials) -> EqualTokens(accuracy=0.62, baseline_accuracy=0.58, tokens=410.0, ...)
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reasoner.comparison.statistics import wilson
from reasoner.text import plain_answer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reasoner.comparison.trials import Trial


@dataclass(frozen=True, slots=True)
class EqualTokens:
    """A strategy and the baseline at the same tokens. The figures are None when too few samples were recorded."""

    n_problems: int
    tokens: float
    """Mean budget of a problem."""
    correct: int | None
    baseline_correct: int | None
    samples_needed: int | None
    """About how many samples would fill every budget; None when it is filled."""

    @property
    def accuracy(self) -> float | None:
        """The strategy's accuracy within the budget."""
        return None if self.correct is None else self.correct / self.n_problems

    @property
    def baseline_accuracy(self) -> float | None:
        """The baseline's accuracy within the same budget."""
        return None if self.baseline_correct is None else self.baseline_correct / self.n_problems

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        known = self.correct is not None and self.baseline_correct is not None
        return {
            "tokens": self.tokens,
            "accuracy": self.accuracy,
            "ci95": list(wilson(self.correct or 0, self.n_problems)) if known else None,
            "baseline_accuracy": self.baseline_accuracy,
            "baseline_ci95": list(wilson(self.baseline_correct or 0, self.n_problems)) if known else None,
            "samples_needed": self.samples_needed,
        }


def at_equal_tokens(strategy: Sequence[Trial], baseline: Sequence[Trial]) -> EqualTokens:
    """Compare two strategies on the same problems at equal tokens."""
    mine, theirs = _by_problem(strategy), _by_problem(baseline)
    problems = [problem for problem in mine if problem in theirs]
    correct = baseline_correct = needed = 0
    budgets: list[int] = []
    for problem in problems:
        budget = max(mine[problem][0].spent.tokens, theirs[problem][0].spent.tokens)
        budgets.append(budget)
        for samples in (mine[problem], theirs[problem]):
            needed = max(needed, missing_samples(samples, budget))
        correct += plurality(within(mine[problem], budget)).correct
        baseline_correct += plurality(within(theirs[problem], budget)).correct
    mean = sum(budgets) / len(budgets) if budgets else 0.0
    if needed or not problems:
        return EqualTokens(len(problems), mean, None, None, needed or None)
    return EqualTokens(len(problems), mean, correct, baseline_correct, None)


def _by_problem(trials: Sequence[Trial]) -> dict[str, list[Trial]]:
    found: dict[str, list[Trial]] = defaultdict(list)
    for trial in sorted(trials, key=lambda t: t.sample):
        found[trial.problem_id].append(trial)
    return found


def within(samples: Sequence[Trial], budget: int) -> list[Trial]:
    """Return the first samples whose tokens together fit into a budget; the first one is never over it here."""
    taken: list[Trial] = []
    used = 0
    for trial in samples:
        used += trial.spent.tokens
        if used > budget:
            break
        taken.append(trial)
    return taken


def missing_samples(samples: Sequence[Trial], budget: int) -> int:
    """Return about how many samples would fill a budget, 0 when those there are do.

    It is filled when a recorded sample no longer fits, or when less is left than the smallest recorded sample took. A strategy that
    uses no tokens fills nothing and needs nothing: more samples of it are free, and none was judged.
    """
    sizes = [trial.spent.tokens for trial in samples]
    left = budget - sum(sizes)
    if left < min(sizes) or sum(sizes) == 0:
        return 0
    return math.ceil(budget * len(sizes) / sum(sizes))


def plurality(samples: Sequence[Trial]) -> Trial:
    """Return the trial whose answer is most frequent, the earliest of equals; one without an answer counts only when all are."""
    answered = [trial for trial in samples if trial.answer is not None and not trial.unparsed]
    if not answered:
        return samples[0]
    votes = Counter(_vote(trial) for trial in answered)
    return max(answered, key=lambda trial: votes[_vote(trial)])


def _vote(trial: Trial) -> str | None:
    """Return what a vote goes by: the answer however it is spelt, where its family tells, else its plain notation."""
    return trial.answer_key or plain_answer(trial.answer or "") or trial.answer
