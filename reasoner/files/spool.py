"""Sequences that may be too long for memory: up to `IN_MEMORY` values as they are, longer ones in a temporary file that has no name.

    rows = keep(made_one_by_one, write=lambda row: (row.line, row.text), read=lambda values: Row(*values))
    len(rows), rows[3], rows[:10], list(rows)

Knows plain values (texts, numbers, truths, None, and tuples, lists and dictionaries of these, at most 2,000 deep) and where they begin; what they mean is for those
who write and read them. They are written as Python writes constants, which is several times faster than JSON: the file has no name, so nobody
else can have written what is read.
"""

from __future__ import annotations

import marshal
import os
import tempfile
import weakref
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Any, Generic, TypeVar

from reasoner.sequences import Lazy

T = TypeVar("T")
U = TypeVar("U")

IN_MEMORY = 2_000
"""Sequences up to this length are kept as tuples."""
_FORM = 2
"""The form of `marshal` that looks for no value that was written before: there is none."""
_CHUNK = 256
"""Values that are read at once where all are read in their order."""


def keep(values: Iterable[T], *, write: Callable[[T], Any], read: Callable[[Any], T]) -> Sequence[T]:
    """Return the values as a sequence; many are written to a temporary file, and read back one by one when they are asked for."""
    line = iter(values)
    first = tuple(islice(line, IN_MEMORY + 1))
    return first if len(first) <= IN_MEMORY else Spool(chain(first, line), write=write, read=read)


def reordered(values: Sequence[T], places: Sequence[int]) -> Sequence[T]:
    """Return some places of what `keep` returned, in an order of their own; of a file the bytes are copied, not read."""
    return values.reordered(places) if isinstance(values, Spool) else tuple(values[place] for place in places)


class Spool(Lazy[T]):
    """Values in a temporary file. Each access reads them anew: two of the same place are equal, not the same."""

    def __init__(self, values: Iterable[T], *, write: Callable[[T], Any], read: Callable[[Any], T]) -> None:
        self._begin((marshal.dumps(write(value), _FORM) for value in values), read)

    def _begin(self, written: Iterable[bytes], read: Callable[[Any], T]) -> None:
        self._read = read
        self._ends = array("Q", [0])
        self._file = tempfile.TemporaryFile(prefix="reasoner-")  # noqa: SIM115 - it lives as long as the sequence
        weakref.finalize(self, self._file.close)
        for data in written:
            self._ends.append(self._ends[-1] + self._file.write(data))
        self._file.flush()

    def reordered(self, places: Sequence[int]) -> Spool[T]:
        """Return some places of it, in an order of their own, as a file of its own."""
        made: Spool[T] = Spool.__new__(type(self))
        made._begin((self._bytes(place) for place in places), self._read)
        return made

    def _bytes(self, place: int) -> bytes:
        return os.pread(self._file.fileno(), self._ends[place + 1] - self._ends[place], self._ends[place])

    def __len__(self) -> int:
        return len(self._ends) - 1

    def items(self, places: range) -> Iterator[T]:
        """Read values, those that follow each other a chunk at a time."""
        if places.step != 1:
            for place in places:
                yield from self._values(place, place + 1)
            return
        for begin in range(places.start, places.stop, _CHUNK):
            yield from self._values(begin, min(begin + _CHUNK, places.stop))

    def _values(self, begin: int, end: int) -> list[T]:
        start = self._ends[begin]
        data = os.pread(self._file.fileno(), self._ends[end] - start, start)  # it moves no position: threads need not take turns
        places = (slice(self._ends[k] - start, self._ends[k + 1] - start) for k in range(begin, end))
        return [self._read(marshal.loads(data[place])) for place in places]  # noqa: S302 - bytes of our own, see above


class Chosen(Lazy[U], Generic[T, U]):
    """Some places of a sequence, in an order of their own, each seen through a function."""

    def __init__(self, base: Sequence[T], places: Sequence[int], seen: Callable[[T], U]) -> None:
        self._base = base
        self._places = places
        self._seen = seen

    def __len__(self) -> int:
        return len(self._places)

    def items(self, places: range) -> Iterator[U]:
        """See the base's items at the chosen places, those that follow each other read at once."""
        if isinstance(self._base, Lazy) and isinstance(self._places, range) and places.step == 1:
            return map(self._seen, self._base.items(self._places[places.start : places.stop]))
        return (self._seen(self._base[self._places[place]]) for place in places)
