"""Reversed pairs: a fact asked both ways, and how often each way was answered right.

A pure function over problems and whether they were solved. A problem takes part when its instance has `pair` and `direction` (`forward` or
`backward`), as rows of `question` files may have.

    directions((o.problem, o.correct) for o in report.results)  ->  Directions(n_forward=20, forward=18, n_backward=20, backward=3, ...)

Source: Berglund et al. 2023, "The Reversal Curse", arXiv 2309.12288.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reasoner.runs.results import Result
    from reasoner.types import Problem

_Pairs = dict[tuple[str, str], dict[str, list[bool]]]
"""Whether each pair, by solver and name, was answered right in each direction."""


@dataclass(frozen=True, slots=True)
class Directions:
    """Counts of answers and of right ones. A pair is counted when it was asked both ways, and is right when all its answers are."""

    n_forward: int
    forward: int
    n_backward: int
    backward: int
    n_pairs: int
    both: int

    @property
    def forward_accuracy(self) -> float | None:
        """Right over asked, forward; None when nothing was asked."""
        return self.forward / self.n_forward if self.n_forward else None

    @property
    def backward_accuracy(self) -> float | None:
        """Right over asked, backward; None when nothing was asked."""
        return self.backward / self.n_backward if self.n_backward else None

    def as_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {
            "forward": {"n": self.n_forward, "correct": self.forward, "accuracy": self.forward_accuracy},
            "backward": {"n": self.n_backward, "correct": self.backward, "accuracy": self.backward_accuracy},
            "pairs": {"n": self.n_pairs, "correct": self.both},
        }


def directions(results: Iterable[tuple[Problem, bool]]) -> Directions:
    """Count both directions over problems and whether they were solved; problems without a pair are passed over."""
    pairs = _no_pairs()
    for problem, right in results:
        _add(pairs, problem, right=right)
    return _counted(pairs)


def by_strategy(results: Iterable[Result]) -> dict[tuple[str, str], Directions]:
    """Count both directions for every (strategy, model) of a run that was asked a pair; a result without an answer is wrong."""
    found: dict[tuple[str, str], _Pairs] = defaultdict(_no_pairs)
    for result in results:
        _add(found[result.strategy, result.model], result.problem, right=bool(result.correct))
    counted = {key: _counted(pairs) for key, pairs in found.items()}
    return {key: each for key, each in counted.items() if each.n_forward or each.n_backward}


def _no_pairs() -> _Pairs:
    return defaultdict(lambda: {"forward": [], "backward": []})


def _add(pairs: _Pairs, problem: Problem, *, right: bool) -> None:
    if '"pair"' not in problem.instance:
        return
    instance = json.loads(problem.instance)
    if instance.get("pair") and str(instance.get("direction")) in {"forward", "backward"}:
        pairs[problem.solver, instance["pair"]][instance["direction"]].append(right)


def _counted(pairs: _Pairs) -> Directions:
    forward = [right for ways in pairs.values() for right in ways["forward"]]
    backward = [right for ways in pairs.values() for right in ways["backward"]]
    whole = [all(ways["forward"] + ways["backward"]) for ways in pairs.values() if ways["forward"] and ways["backward"]]
    return Directions(len(forward), sum(forward), len(backward), sum(backward), len(whole), sum(whole))
