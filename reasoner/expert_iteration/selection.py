"""Which right answers are learned: of each problem the shortest, and those that share the fewest word pairs with the ones taken.

A problem that is always solved teaches little, and would crowd out the others: `keep` bounds each alike.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable


class Tried(NamedTuple):
    """One right answer: of which problem, in which trajectory, its text and its length in tokens."""

    problem: str
    trajectory: str
    text: str
    tokens: int


def select(tried: Iterable[Tried], *, keep: int) -> list[str]:
    """Return the trajectories to learn from, at most `keep` of a problem, in the order of the problems; equal texts count once."""
    problems: dict[str, dict[str, Tried]] = {}
    for one in tried:
        texts = problems.setdefault(one.problem, {})
        known = texts.get(one.text)
        if known is None or one.trajectory < known.trajectory:
            texts[one.text] = one
    return [one.trajectory for texts in problems.values() for one in _kept(list(texts.values()), keep)]


def _kept(tried: list[Tried], keep: int) -> list[Tried]:
    left = sorted(tried, key=lambda one: (one.tokens, len(one.text), one.text))
    taken, seen = [left.pop(0)], []
    while left and len(taken) < keep:
        seen.append(_pairs(taken[-1].text))
        # The least alike comes first; of two as alike, the shorter.
        best = min(left, key=lambda one: max(_alike(_pairs(one.text), other) for other in seen))
        left.remove(best)
        taken.append(best)
    return taken


def _pairs(text: str) -> set[tuple[str, ...]]:
    words = text.split()
    return set(pairwise(words)) or {tuple(words)}


def _alike(one: set[tuple[str, ...]], other: set[tuple[str, ...]]) -> float:
    return len(one & other) / len(one | other)
