"""Sequences that may be too long for memory: up to `IN_MEMORY` values as they are, longer ones in a temporary file that has no name.

    rows = keep(made_one_by_one, write=lambda row: row.as_json(), read=Row.from_json)
    len(rows), rows[3], rows[:10], list(rows)

Knows texts and where they begin; what they mean is for those who write and read them.
"""

from __future__ import annotations

import os
import tempfile
import weakref
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Generic, TypeVar, overload

T = TypeVar("T")
U = TypeVar("U")

IN_MEMORY = 2_000
"""Sequences up to this length are kept as tuples."""
_CHUNK = 256
"""Values that are read at once where all are read in their order."""


def keep(values: Iterable[T], *, write: Callable[[T], str], read: Callable[[str], T]) -> Sequence[T]:
    """Return the values as a sequence; many are written to a temporary file, and read back one by one when they are asked for."""
    line = iter(values)
    first = tuple(islice(line, IN_MEMORY + 1))
    return first if len(first) <= IN_MEMORY else Spool(chain(first, line), write=write, read=read)


class Spool(Sequence[T], Generic[T]):
    """Values in a temporary file. Each access reads them anew: two of the same place are equal, not the same."""

    def __init__(self, values: Iterable[T], *, write: Callable[[T], str], read: Callable[[str], T]) -> None:
        self._read = read
        self._ends = array("Q", [0])
        self._file = tempfile.TemporaryFile(prefix="reasoner-")  # noqa: SIM115 - it lives as long as the sequence
        weakref.finalize(self, self._file.close)
        for value in values:
            self._ends.append(self._ends[-1] + self._file.write(write(value).encode("utf-8", "surrogatepass")))
        self._file.flush()

    def __len__(self) -> int:
        return len(self._ends) - 1

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> list[T]: ...
    def __getitem__(self, index: int | slice) -> T | list[T]:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        place = index + len(self) if index < 0 else index
        if not 0 <= place < len(self):
            raise IndexError(index)
        return self._values(place, place + 1)[0]

    def __iter__(self) -> Iterator[T]:
        for begin in range(0, len(self), _CHUNK):
            yield from self._values(begin, min(begin + _CHUNK, len(self)))

    def _values(self, begin: int, end: int) -> list[T]:
        start = self._ends[begin]
        data = os.pread(self._file.fileno(), self._ends[end] - start, start)  # it moves no position: threads need not take turns
        places = (slice(self._ends[k] - start, self._ends[k + 1] - start) for k in range(begin, end))
        return [self._read(data[place].decode("utf-8", "surrogatepass")) for place in places]


class Chosen(Sequence[U], Generic[T, U]):
    """Some places of a sequence, in an order of their own, each seen through a function."""

    def __init__(self, base: Sequence[T], places: Sequence[int], seen: Callable[[T], U]) -> None:
        self._base = base
        self._places = places
        self._seen = seen

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, index: int) -> U: ...
    @overload
    def __getitem__(self, index: slice) -> list[U]: ...
    def __getitem__(self, index: int | slice) -> U | list[U]:
        if isinstance(index, slice):
            return [self._seen(self._base[place]) for place in self._places[index]]
        return self._seen(self._base[self._places[index]])
