"""How each strategy did: accuracy of a single answer, pass@k beside it, what it used; per solver, pooled, and per level.

A strategy that was shown the verifier's judgement (`upper_bound`) has a standing but no rank.

    standings(trials, scope="solver") -> [Standing(solver="game24", strategy="cot", model="local", correct=12, n_answers=50, ...)]
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal

from reasoner.budget import Spent
from reasoner.comparison.rows import means
from reasoner.comparison.statistics import pass_at_k, wilson

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from reasoner.comparison.equal_tokens import EqualTokens
    from reasoner.comparison.trials import Trial

Scope = Literal["solver", "pooled", "level"]


@dataclass(frozen=True, slots=True)
class Standing:
    """One strategy of one model on the problems of one solver (None: of all), at one level (None: at all).

    Counts and amounts are sums over `n_answers`, which are `n_problems` times the samples of each.
    """

    solver: str | None
    level: int | None
    strategy: str
    model: str
    upper_bound: bool
    n_problems: int
    n_answers: int
    correct: int
    pass_at: tuple[tuple[int, float], ...]
    """(k, the unbiased estimate of pass@k) for k = 1, 2, 4, … and the number of samples."""
    unparsed: int
    failed: int
    exhausted: int
    spent: Spent
    unknown_calls: int
    at_limit: int = 0
    """Answers that ended at the token limit."""
    unjudged: int = 0
    """Answers that nobody could judge; they are in no accuracy."""
    judges: tuple[str, ...] = ()
    """The judges whose verdicts these are; empty for exact ones alone."""
    metrics: Mapping[str, float] = field(default_factory=dict)
    """Means of the verdicts' measures over the answers that have them."""
    rank: int | None = None
    """1 is the most accurate of the same model and scope, equals share a rank; None for an upper bound."""
    equal_tokens: EqualTokens | None = None

    @property
    def accuracy(self) -> float:
        """The chance that a single answer is correct: correct over all answers that could be judged, never any-of-k."""
        n = self.n_answers - self.unjudged
        return self.correct / n if n else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval for as many independent answers as there are problems: samples of one problem are not independent."""
        share = Fraction(self.correct * self.n_problems, self.n_answers) if self.n_answers else Fraction(0)
        return wilson(float(share), self.n_problems)

    @property
    def mean_tokens(self) -> float:
        """Prompt and completion tokens of one answer, on average."""
        return self.spent.tokens / self.n_answers if self.n_answers else 0.0

    @property
    def tokens_per_correct(self) -> float | None:
        """All tokens over correct answers: what one correct answer cost; None when there is none."""
        return self.spent.tokens / self.correct if self.correct else None

    @property
    def calls_per_correct(self) -> float | None:
        """All calls over correct answers; None when there is none."""
        return self.spent.calls / self.correct if self.correct else None

    def as_dict(self) -> dict[str, Any]:
        """Return the standing as JSON values."""
        spent = self.spent
        return {
            "solver": self.solver, "level": self.level, "strategy": self.strategy, "model": self.model, "upper_bound": self.upper_bound,
            "rank": self.rank, "problems": self.n_problems, "answers": self.n_answers, "correct": self.correct, "accuracy": self.accuracy,
            "ci95": list(self.interval), "pass_at": {str(k): value for k, value in self.pass_at}, "unparsed": self.unparsed,
            "at_token_limit": self.at_limit, "unjudged": self.unjudged, "judged_by": list(self.judges), "metrics": dict(self.metrics),
            "failed": self.failed, "exhausted": self.exhausted, "calls": spent.calls, "prompt_tokens": spent.prompt_tokens,
            "completion_tokens": spent.completion_tokens, "cached_tokens": spent.cached_tokens, "cost": spent.cost,
            "seconds": round(spent.seconds, 3), "unknown_calls": self.unknown_calls, "mean_tokens": self.mean_tokens,
            "tokens_per_correct": self.tokens_per_correct, "calls_per_correct": self.calls_per_correct,
            "at_equal_tokens": self.equal_tokens.as_dict() if self.equal_tokens else None,
        }  # fmt: skip


def by_contender(trials: Iterable[Trial], scope: Scope) -> dict[tuple[str, str | None, int | None, str], list[Trial]]:
    """Group trials by (model, solver, level, strategy), in the order they were met; what a scope does not tell apart is None."""
    groups: dict[tuple[str, str | None, int | None, str], list[Trial]] = defaultdict(list)
    for trial in trials:
        solver = None if scope == "pooled" else trial.solver
        groups[trial.model, solver, trial.level if scope == "level" else None, trial.strategy].append(trial)
    order = list(dict.fromkeys(key[:3] for key in groups))
    return {key: groups[key] for place in order for key in groups if key[:3] == place}


def standings(trials: Iterable[Trial], *, scope: Scope) -> list[Standing]:
    """Sum trials into standings, and rank those that can be ranked within each model and scope; upper bounds stand after them."""
    groups = by_contender(trials, scope)
    made = [_standing(*key, group) for key, group in groups.items()]
    peers: dict[tuple[str, str | None, int | None], list[Fraction]] = defaultdict(list)
    for one in made:
        if not one.upper_bound:
            peers[one.model, one.solver, one.level].append(Fraction(one.correct, one.n_answers))
    ranked = [
        one if one.upper_bound else replace(one, rank=_rank(Fraction(one.correct, one.n_answers), peers[one.model, one.solver, one.level]))
        for one in made
    ]
    places = list(dict.fromkeys(key[:3] for key in groups))
    return sorted(ranked, key=lambda one: (places.index((one.model, one.solver, one.level)), one.upper_bound))


def _rank(share: Fraction, shares: Sequence[Fraction]) -> int:
    return 1 + sum(other > share for other in shares)


def _standing(model: str, solver: str | None, level: int | None, strategy: str, group: Sequence[Trial]) -> Standing:
    unknown = sum(trial.unknown_calls for trial in group)
    spent = sum((trial.spent for trial in group), start=Spent())
    if unknown and not (spent.cost == 0 and any(trial.spent.tokens for trial in group)):
        # A lost call of a model that is not seen to be free may have been billed.
        spent = replace(spent, cost=None)
    return Standing(
        solver=solver,
        level=level,
        strategy=strategy,
        model=model,
        upper_bound=group[0].upper_bound,
        n_problems=len({trial.problem_id for trial in group}),
        n_answers=len(group),
        correct=sum(trial.correct for trial in group),
        pass_at=_pass_at(group),
        unparsed=sum(trial.unparsed for trial in group),
        failed=sum(trial.failed for trial in group),
        exhausted=sum(trial.exhausted for trial in group),
        spent=spent,
        unknown_calls=unknown,
        at_limit=sum(trial.at_limit for trial in group),
        unjudged=sum(trial.unjudged for trial in group),
        judges=tuple(sorted({trial.judge for trial in group if trial.judge})),
        metrics=means(trial.metrics for trial in group),
    )


def _pass_at(group: Sequence[Trial]) -> tuple[tuple[int, float], ...]:
    """Estimate pass@k for k = 1, 2, 4, … and the number of samples every problem has; averaged over problems."""
    samples: dict[str, list[bool]] = defaultdict(list)
    for trial in group:
        samples[trial.problem_id].append(trial.correct)
    most = min(len(tried) for tried in samples.values())
    ks = sorted({2**power for power in range(most.bit_length()) if 2**power <= most} | {most})
    return tuple((k, float(sum(pass_at_k(len(t), sum(t), k) for t in samples.values()) / len(samples))) for k in ks)
