"""Sequences whose items are made or read when they are asked for, and what two have in common.

class Squares(Lazy[int]):
    def __len__(self): return 10
    def items(self, places): return (place * place for place in places)

Squares()[3], Squares()[2:4], list(Squares())   # 9, [4, 9], [0, 1, 4, ...]
n_common((1, 2, 3), [1, 2, 4])                # 2
"""

from __future__ import annotations

from abc import abstractmethod
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import TypeVar, overload

T_co = TypeVar("T_co", covariant=True)


class Lazy(Sequence[T_co]):
    """A sequence that knows its length and the items of some places. Equal to a sequence of equal items; a slice of it is a list."""

    @abstractmethod
    def items(self, places: range) -> Iterator[T_co]:
        """Yield the items of some places, all of which exist, in the order of the places."""

    @overload
    def __getitem__(self, index: int) -> T_co: ...
    @overload
    def __getitem__(self, index: slice) -> list[T_co]: ...
    def __getitem__(self, index: int | slice) -> T_co | list[T_co]:
        places = range(len(self))[index]
        if isinstance(places, int):
            return next(self.items(range(places, places + 1)))
        return list(self.items(places))

    def __iter__(self) -> Iterator[T_co]:
        return self.items(range(len(self)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or len(self) != len(other):
            return False
        return all(mine == theirs for mine, theirs in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]


def n_common(one: Sequence[int], other: Sequence[int]) -> int:
    """Return how many items two sequences begin with in common."""
    ours, theirs = tuple(one), tuple(other)
    shorter = min(len(ours), len(theirs))
    return bisect_left(range(shorter), 1, key=lambda at: int(ours[: at + 1] != theirs[: at + 1]))
