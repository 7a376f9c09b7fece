"""Cut a sentence into the longest fragments the corpus has, and show each in sentences that hold it.

    "the old woman sees the red river"  ->  [the old woman] [sees] [the red river]      every word known: coverage 1.0

The longest fragments of the whole sentence first, leftmost among equally long ones, none overlapping; what is left is unknown. A
fragment's examples are up to k different pairs, ranked:

    shuffle    in a random order, as published
    shortest   fewest words first
    similar    most words in common with the rest of the sentence first
    diverse    each brings the most words that the ones before it did not, for its length

Preferred lines (what a person corrected) come before all others, the newest first. Where more than MAX_CANDIDATES lines hold a fragment, a random draw of that many of them is ranked. All of it follows from the seed.

Source: arXiv 2505.22293 (segmentation, coverage, shuffle); written anew.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from itertools import chain, islice
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from reasoner.translation.index import Index, Run, Side

Ranking = Literal["shuffle", "shortest", "similar", "diverse"]

MAX_CANDIDATES = 256
"""More lines than this are not ranked: the article of a language stands in most of them."""
FEW_PLACES = 16
"""Up to here all lines are listed and shuffled; above, lines are drawn until there are enough."""
MAX_DRAWS = 2_000
"""After that many draws what is left is listed: nearly every line was drawn, or very few hold the fragment very often."""
MAX_LISTED = 1 << 16
MAX_QUERY_WORDS = 2_000
"""A longer sentence is cut here: it is no sentence."""


@dataclass(frozen=True, slots=True)
class Pair:
    """One aligned pair of the corpus, as it was read. `line` is its number there, from 0."""

    line: int
    source: str
    target: str


@dataclass(frozen=True, slots=True)
class Fragment:
    """Neighbouring words of the sentence that the corpus has, with examples. `start` counts words; `n_found` occurrences."""

    start: int
    words: tuple[str, ...]
    n_found: int
    pairs: tuple[Pair, ...]

    @property
    def text(self) -> str:
        """The words with blanks between them."""
        return " ".join(self.words)


@dataclass(frozen=True, slots=True)
class Cover:
    """A sentence cut into fragments, in the order of the sentence; `unknown` are the words in none of them."""

    words: tuple[str, ...]
    fragments: tuple[Fragment, ...]
    unknown: tuple[str, ...]

    @property
    def coverage(self) -> float | None:
        """The share of known words; None for a sentence without words."""
        return (len(self.words) - len(self.unknown)) / len(self.words) if self.words else None

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """All examples, each once, in the order they would be shown."""
        return tuple(dict.fromkeys(pair for fragment in self.fragments for pair in fragment.pairs))


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for, and how."""

    sentence: str
    source: str
    target: str
    window: int = 7
    k: int = 3
    ranking: Ranking = "shuffle"
    seed: int = 0
    leave_out: bool = True
    """Leave out lines whose source is the sentence itself, so that no sentence is its own example."""


class Search:
    """One query on one index."""

    def __init__(self, index: Index, query: Query) -> None:
        self.index = index
        self.query = query
        self.side: Side = index.side(query.source)
        self.columns = index.column(query.source), index.column(query.target)
        self.readings = [reading[:MAX_QUERY_WORDS] for reading in index.readings(query.sentence, query.source)]
        self.words = self.readings[0]
        self.numbers = [self.side.numbers(reading) for reading in self.readings]
        self.own = self._own_lines() if query.leave_out else frozenset()
        self.rng = random.Random(f"{query.seed}|{' '.join(self.words)}")

    def cover(self) -> Cover:
        """Return the sentence cut into fragments."""
        window = min(self.query.window, self.index.window)
        runs = [self.side.runs(numbers, window=window) for numbers in self.numbers]
        found, taken = self._segments(runs, window)
        fragments = []
        for start, length, held in sorted(found):
            n_found = sum(high - low for low, high in held)
            fragments.append(Fragment(start, tuple(self.words[start : start + length]), n_found, self._examples(start, length, held)))
        unknown = tuple(word for word, is_taken in zip(self.words, taken, strict=True) if not is_taken)
        return Cover(tuple(self.words), tuple(fragments), unknown)

    def _segments(self, runs: list[list[list[Run]]], window: int) -> tuple[list[tuple[int, int, list[Run]]], list[bool]]:
        """Choose the fragments: longest first, leftmost first, not overlapping."""
        n = len(self.words)
        longest = [max(len(of_reading[start]) for of_reading in runs) for start in range(n)]
        taken = [False] * n
        found: list[tuple[int, int, list[Run]]] = []
        for length in range(min(window, n), 0, -1):
            for start in range(n - length + 1):
                if longest[start] < length or any(taken[start : start + length]):
                    continue
                held = list(dict.fromkeys(r[start][length - 1] for r in runs if len(r[start]) >= length))
                if self.own and not any(self._elsewhere(run) for run in held):
                    continue
                taken[start : start + length] = [True] * length
                found.append((start, length, held))
        return found, taken

    def _own_lines(self) -> frozenset[int]:
        """Return the lines whose source has exactly the words of the sentence."""
        return frozenset().union(*(self.side.whole_lines(numbers, window=self.index.window) for numbers in self.numbers))

    def _elsewhere(self, run: Run) -> bool:
        """Tell whether a fragment stands in any line but the sentence's own."""
        low, high = run
        most = len(self.own) * len(self.words)
        return high - low > most or any(self.side.line_of(self.side.places[at]) not in self.own for at in range(low, high))

    def _examples(self, start: int, length: int, held: Sequence[Run]) -> tuple[Pair, ...]:
        """Return up to k different pairs that hold a fragment, ranked."""
        if self.query.k == 0:
            return ()
        return self._pairs(chain(self._preferred(held, length), self._ordered(start, length, held)))

    def _preferred(self, held: Sequence[Run], length: int) -> list[int]:
        """Return the preferred lines that hold a fragment, the newest first."""
        known = self.index.preferred - self.own
        if not known:
            return []
        if sum(high - low for low, high in held) <= MAX_CANDIDATES:
            return sorted(known.intersection(self._all_lines(held)), reverse=True)
        tokens, firsts = self.side.tokens, [self.side.places[low] for low, high in held if low < high]
        sought = [tokens[place : place + length].tolist() for place in firsts]
        return [line for line in sorted(known, reverse=True) if any(_holds(self.side.line_numbers(line), words) for words in sought)]

    def _ordered(self, start: int, length: int, held: Sequence[Run]) -> Iterable[int]:
        """Return the lines that hold a fragment, ranked."""
        if self.query.ranking == "shuffle":
            return self._drawn(held, length)
        lines = self._candidates(held, length)
        if self.query.ranking == "shortest":
            lines.sort(key=lambda line: (self._length(line), line))
        elif self.query.ranking == "similar":
            lines = self._by_similarity(lines, start, length)
        else:
            lines = self._by_novelty(lines)
        return lines

    def _candidates(self, held: Sequence[Run], length: int) -> list[int]:
        """Return the lines to rank, each once: all that hold a fragment, or a random draw where there are many."""
        if sum(high - low for low, high in held) <= MAX_CANDIDATES:
            return self._all_lines(held)
        return sorted(islice(self._drawn(held, length), MAX_CANDIDATES))

    def _all_lines(self, held: Sequence[Run]) -> list[int]:
        side = self.side
        places = islice((side.places[at] for low, high in held for at in range(low, high)), MAX_LISTED)
        return sorted({side.line_of(place) for place in places} - self.own)

    def _drawn(self, held: Sequence[Run], length: int) -> Iterator[int]:
        """Draw lines that hold a fragment in a random order, each once and each as likely as any other; only as many as are asked for."""
        n_places = sum(high - low for low, high in held)
        drawn: set[int] = set()
        if n_places > FEW_PLACES:
            for _ in range(MAX_DRAWS):
                place = self._place(held, int(self.rng.random() * n_places))
                line = self.side.line_of(place)
                # A line that holds the fragment twice must not be drawn twice as often: only the first of its places counts.
                if line not in drawn and line not in self.own and self._is_first(place, line, length):
                    drawn.add(line)
                    yield line
        rest = [line for line in self._all_lines(held) if line not in drawn]
        self.rng.shuffle(rest)
        yield from rest

    def _place(self, held: Sequence[Run], at: int) -> int:
        for low, high in held:
            if at < high - low:
                return self.side.places[low + at]
            at -= high - low
        raise IndexError(at)

    def _is_first(self, place: int, line: int, length: int) -> bool:
        tokens = self.side.tokens
        before = tokens[self.side.starts[line] : place + length - 1].tolist()
        if length == 1:
            return tokens[place] not in before
        sought = tokens[place : place + length].tolist()
        return not _holds(before, sought)

    def _length(self, line: int) -> int:
        return self.side.starts[line + 1] - self.side.starts[line] - 1

    def _by_similarity(self, lines: list[int], start: int, length: int) -> list[int]:
        rest = {n for numbers in self.numbers for n in (*numbers[:start], *numbers[start + length :]) if n}
        return sorted(lines, key=lambda line: (-len(rest & set(self.side.line_numbers(line))), self._length(line), line))

    def _by_novelty(self, lines: list[int]) -> list[int]:
        """Pick one after another the line with the largest share of words not seen yet; the shorter one where shares are equal."""
        left = {line: set(self.side.line_numbers(line)) for line in lines}
        seen: set[int] = set()
        picked: list[int] = []
        while left and len(picked) < 2 * self.query.k:
            best = min(left, key=lambda line: (-len(left[line] - seen) / (self._length(line) or 1), self._length(line), line))
            seen |= left.pop(best)
            picked.append(best)
        return picked

    def _pairs(self, lines: Iterable[int]) -> tuple[Pair, ...]:
        """Read the first k lines whose texts differ."""
        source, target = self.columns
        made: dict[tuple[str, str], Pair] = {}
        for line in lines:
            pair = Pair(line, self.index.text(line, source), self.index.text(line, target))
            if pair.target:
                made.setdefault((pair.source, pair.target), pair)
            if len(made) == self.query.k:
                break
        return tuple(made.values())


def _holds(numbers: Sequence[int], sought: Sequence[int]) -> bool:
    n = len(sought)
    return any(numbers[at : at + n] == sought for at in range(len(numbers) - n + 1))
