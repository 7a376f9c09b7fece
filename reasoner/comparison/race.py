"""A race: contenders on the same problems, round by round, and the better half goes on (successive halving).

    race = Race(["direct", "cot", "draft"], tokens=800)
    race.add(results)                      # the results of a round, of everyone who is still in
    race.close_round(keep=2)               # the others are out, and why
    race.best()                            -> "draft"

All who are still in have answered the same problems, so what one got right more than another is no matter of luck in the draw. Whoever used more tokens
an answer than is allowed is out, however good. Knows results; runs nothing.

Source: successive halving: Karnin, Koren and Somekh, "Almost Optimal Exploration in Multi-Armed Bandits", ICML 2013.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from reasoner.comparison.rows import Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from reasoner.comparison.rows import Row
    from reasoner.runs.results import Result

OVER = "too many tokens"


@dataclass(frozen=True, slots=True)
class Contender:
    """One strategy: how it did on all problems it was tried on, and in which round it went out (None: it did not)."""

    strategy: str
    row: Row
    out: int | None = None
    why: str = ""

    @property
    def tokens(self) -> float:
        """Prompt and completion tokens of one answer, on average."""
        return (self.row.prompt_tokens + self.row.completion_tokens) / self.row.n

    @property
    def seconds(self) -> float:
        """Seconds of one answer's calls, on average."""
        return self.row.seconds / self.row.n

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            **self.row.as_dict(),
            "tokens_per_answer": self.tokens,
            "seconds_per_answer": self.seconds,
            "out": self.out,
            "why": self.why,
        }


class Race:
    """Contenders and their results so far."""

    def __init__(self, strategies: Sequence[str], *, tokens: int) -> None:
        self.going: list[str] = list(strategies)
        """Those who are still in, in the order given and from the first round's end on the best first."""
        self._tokens = tokens
        self._table = Table()
        self._out: dict[str, tuple[int, str]] = {}
        self._round = 0

    def add(self, results: Iterable[Result]) -> None:
        """Count the results of a round."""
        for result in results:
            self._table.add(result)

    def close_round(self, *, keep: int) -> None:
        """Let the best `keep` of those that keep to their tokens go on: more answers right, of equals fewer tokens, then the first."""
        self._round += 1
        found = {each.strategy: each for each in self.contenders()}
        fit = [name for name in self.going if found[name].tokens <= self._tokens]
        ranked = sorted(fit, key=lambda name: (-found[name].row.correct, found[name].tokens))  # stable
        for name in self.going:
            if name not in fit:
                self._out[name] = self._round, OVER
        for name in ranked[keep:]:
            self._out[name] = self._round, f"{found[name].row.correct} right, and {keep} had more, or as many with fewer tokens"
        self.going = ranked[:keep]

    def best(self) -> str | None:
        """Return the strategy that is ahead, None where all used too many tokens."""
        return self.going[0] if self.going else None

    def contenders(self) -> list[Contender]:
        """Return everyone who was tried: those still in first, then those who went out last."""
        made = [Contender(row.strategy, row) for row in self._table.rows()]
        made = [
            replace(each, out=self._out[each.strategy][0], why=self._out[each.strategy][1]) if each.strategy in self._out else each
            for each in made
        ]

        def place(each: Contender) -> tuple[float, ...]:
            if each.out is None:
                return 0, self.going.index(each.strategy)
            return 1, each.why == OVER, -each.out, -each.row.accuracy, each.tokens

        return sorted(made, key=place)


def rounds_of(n_problems: int, n_strategies: int) -> list[tuple[int, int]]:
    """Return for each round (its last problem, how many go on after it): problems double from round to round, contenders are halved.

    >>> rounds_of(40, 12), rounds_of(10, 2), rounds_of(3, 5)
    ([(10, 6), (20, 3), (40, 1)], [(10, 1)], [(3, 1)])
    """
    n_rounds = 1
    while n_strategies > 2 * n_rounds and n_problems >> n_rounds >= 5 and n_rounds < 3:
        n_rounds += 1
    made = []
    left = n_strategies
    for place in range(n_rounds):
        left = 1 if place == n_rounds - 1 else max(2, -(-left // 2))
        made.append((n_problems >> (n_rounds - 1 - place), left))
    return made
