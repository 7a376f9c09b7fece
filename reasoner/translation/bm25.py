"""BM25 over the lines of an index, counted from the places that the index holds anyway: nothing is built before the first query.

    bm25 = Bm25(index.side("Italian"))
    next(bm25.ranked(side.numbers(["il", "cane"])))      the number of the most similar line

The variant is Lucene's (k1 = 1.5, b = 0.75), in the number formats and the order of additions of the package `bm25s`, so that both rank
alike. A query costs about the number of places of its words. Knows numbers of words and lines; does not know their texts.

Source: Kamphuis et al., ECIR 2020 (variants of BM25); bm25s 0.3 for the number formats.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from reasoner.errors import MissingDependency

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reasoner.translation.index import Side

K1 = 1.5
B = 0.75
FIRST_RANKED = 512
"""Lines that are put in order first; the others only when these do not suffice."""


class Bm25:
    """Ranks the lines of one language. Safe to use from several threads."""

    def __init__(self, side: Side) -> None:
        """Measure the lines.

        Raises:
            MissingDependency: numpy is not installed.
        """
        try:
            import numpy as np  # noqa: PLC0415 - an optional dependency
        except ImportError as error:
            raise MissingDependency("numpy, which BM25 needs,", extra="translation") from error
        self._np: Any = np
        self._side = side
        self._starts = np.frombuffer(side.starts, dtype=np.int32)
        self._places = np.frombuffer(side.places, dtype=np.int32)
        lengths = np.diff(self._starts) - 1
        self._n_lines = len(lengths)
        self._norms = K1 * ((1 - B) + B * lengths / (lengths.mean() or 1.0))

    def scores(self, numbers: Sequence[int]) -> Any:
        """Return a score for every line (an array of 32-bit floats), 0 where a line has none of the words.

        Raises:
            IndexError: the index is damaged.
        """
        np = self._np
        made = np.zeros(self._n_lines, dtype=np.float32)
        # 32-bit sums depend on the order; bm25s is given words in the order of their numbers' spelling.
        for number in sorted({number for number in numbers if number}, key=str):
            lines, counts = self._lines(number)
            idf = np.float32(math.log(1 + (self._n_lines - len(lines) + 0.5) / (len(lines) + 0.5)))
            made[lines] += (np.float64(idf) * (counts / (self._norms[lines] + counts))).astype(np.float32)
        return made

    def _lines(self, number: int) -> tuple[Any, Any]:
        """Return the lines that have a word, in order, and how often each has it."""
        np = self._np
        places = np.sort(self._places[self._side.first[number] : self._side.first[number + 1]])
        lines = np.searchsorted(self._starts, places, side="right") - 1
        first = np.flatnonzero(np.diff(lines, prepend=-1))
        return lines[first], np.diff(first, append=len(lines)).astype(np.float32)

    def ranked(self, numbers: Sequence[int]) -> Iterator[int]:
        """Yield the lines that share a word with the query, the highest score first, then by their number.

        Raises:
            IndexError: the index is damaged.
        """
        np = self._np
        scores = self.scores(numbers)
        found = np.flatnonzero(scores > 0)
        best = found
        if len(found) > FIRST_RANKED:
            of_found = scores[found]
            # All lines that score like the last of the first are among them, so that ties go by number.
            least = np.partition(of_found, len(found) - FIRST_RANKED)[len(found) - FIRST_RANKED]
            best = found[of_found >= least]
        yield from self._in_order(best, scores)
        if len(best) < len(found):
            yield from self._in_order(found[of_found < least], scores)

    def _in_order(self, lines: Any, scores: Any) -> list[int]:
        made: list[int] = lines[self._np.argsort(-scores[lines], kind="stable")].tolist()
        return made
