"""A parallel corpus as strategies see it: ask it for a cover, or for similar pairs; no file, no index, no database in sight.

    corpus.cover("the river sleeps", source="English", target="Selvan", seed=3)          fragments with examples
    corpus.similar("the river sleeps", source="English", target="Selvan", method="bm25", n=6)

Everything is deterministic under the seed. Knows an index; does not know how it was found or opened.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from itertools import islice
from typing import TYPE_CHECKING, Literal

from reasoner.errors import BadConfig
from reasoner.translation import memory
from reasoner.translation.bm25 import Bm25
from reasoner.translation.build import Builder
from reasoner.translation.cover import Cover, Pair, Query, Ranking, Search
from reasoner.translation.index import Index, sound

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reasoner.translation.index import Side
    from reasoner.translation.memory import Match

Method = Literal["random", "bm25", "ngram"]

RERANKED = 100
"""Pairs BM25 hands to the n-gram re-rank, as published."""
MAX_NGRAM = 4
COVERED_WEIGHT = 0.1
"""What an n-gram that an earlier example already has still counts."""


class Corpus:
    """One opened corpus."""

    def __init__(self, index: Index) -> None:
        self.index = index
        self.name = index.name
        self.languages = index.languages
        self.fingerprint = index.fingerprint
        self._bm25: dict[str, Bm25] = {}
        self._joined: dict[tuple[str, str, str, str], Corpus] = {}

    def cover(
        self,
        sentence: str,
        *,
        source: str,
        target: str,
        window: int = 7,
        k: int = 3,
        ranking: Ranking = "shuffle",
        seed: int = 0,
        leave_out: bool = True,
    ) -> Cover:
        """Cut a sentence into known fragments with up to k examples each; `leave_out` ignores lines that are the sentence itself.

        Raises:
            BadConfig: the corpus has no such language, or it was not indexed.
            DataError: the index is damaged.
        """
        with sound(self.index):
            return Search(self.index, Query(sentence, source, target, window, k, ranking, seed, leave_out)).cover()

    def matches(
        self, sentence: str, *, source: str, target: str, n: int = 3, least: float = 70.0, leave_out: bool = False
    ) -> tuple[Match, ...]:
        """Return up to n translations of the sentence itself and, after them, up to n pairs like it with a score of `least` or more (0 to 100).

        `leave_out` ignores lines that are the sentence itself; with `least` 100 only these are looked for.

        Raises:
            BadConfig: the corpus has no such language, or it was not indexed.
            DataError: the index is damaged.
            MissingDependency: similar sentences are asked for, and rapidfuzz or numpy is not installed.
        """
        with sound(self.index):
            same = () if leave_out else memory.exact(self.index, sentence, source=source, target=target)
            if least >= memory.EXACT:
                return same[:n]
            similar = self._ranked(source, self.index.words(sentence, source))
            like = memory.fuzzy(self.index, sentence, similar, source=source, target=target, least=least, leave_out=leave_out)
        return (*same[:n], *like[:n])

    def similar(
        self, sentence: str, *, source: str, target: str, method: Method, n: int, seed: int = 0, leave_out: bool = True
    ) -> tuple[Pair, ...]:
        """Return up to n different pairs, the best first; `leave_out` ignores lines whose source is the sentence itself.

        `random` draws; `bm25` ranks by BM25 over the corpus's own words; `ngram` re-ranks the hundred best of these so that together
        they hold as many n-grams of the sentence as they can.

        Raises:
            MissingDependency: numpy is not installed.
        """
        if n < 1:
            return ()
        with sound(self.index):
            return self._similar(sentence, source, target, method, n, seed, leave_out=leave_out)

    def _similar(self, sentence: str, source: str, target: str, method: Method, n: int, seed: int, *, leave_out: bool) -> tuple[Pair, ...]:
        source_at, target_at = self.index.column(source), self.index.column(target)
        own = self.index.words(sentence, source)
        if method == "random":
            lines: Iterator[int] | Sequence[int] = self._shuffled(seed, sentence)
        else:
            lines = self._ranked(source, own)
            if method == "ngram":
                lines = self._reranked(list(islice(lines, RERANKED + 1)), self.index.side(source), own)
        left_out = memory.own_lines(self.index, sentence, source) if leave_out and source in self.index.searched else frozenset[int]()
        made: dict[tuple[str, str], Pair] = {}
        for line in lines:
            pair = Pair(line, self.index.text(line, source_at), self.index.text(line, target_at))
            is_own = leave_out and (line in left_out or self.index.words(pair.source, source) == own)
            if pair.source and pair.target and not is_own:
                made.setdefault((pair.source, pair.target), pair)
            if len(made) == n:
                break
        return tuple(made.values())

    def joined(self, other: Corpus, *, source: str, pivot: str, target: str) -> Corpus:
        """Join this corpus (source, pivot) with another (pivot, target) on equal pivot sentences: a source-target corpus.

        Raises:
            BadConfig: a language is missing, or no pivot sentence stands in both.
        """
        key = (other.fingerprint, source, pivot, target)
        if key not in self._joined:
            self._joined[key] = self._join(other, source, pivot, target)
        return self._joined[key]

    def _join(self, other: Corpus, source: str, pivot: str, target: str) -> Corpus:
        from_pivot: defaultdict[tuple[str, ...], list[str]] = defaultdict(list)
        for pivot_text, target_text in other.texts(pivot, target):
            from_pivot[tuple(other.index.words(pivot_text, pivot))].append(target_text)
        builder = Builder((source, target), normalisation=self.index.normalisation, window=self.index.window, searched=(source,))
        for source_text, pivot_text in self.texts(source, pivot):
            for target_text in from_pivot.get(tuple(other.index.words(pivot_text, pivot)), ()):
                builder.add((source_text, target_text))
        if not builder.n_lines:
            raise BadConfig(f"{self.name} and {other.name} have no {pivot} sentence in common", hint="there is nothing to join")
        return Corpus(Index.of_bytes(builder.in_memory(), f"{self.name} joined with {other.name}"))

    def texts(self, first: str, second: str) -> Iterator[tuple[str, str]]:
        """Yield the lines that have both of two languages, in order."""
        one, two = self.index.column(first), self.index.column(second)
        for line in range(self.index.n_lines):
            texts = self.index.text(line, one), self.index.text(line, two)
            if all(texts):
                yield texts

    def _shuffled(self, seed: int, sentence: str) -> Iterator[int]:
        rng = random.Random(f"{seed}|{sentence}")
        drawn: set[int] = set()
        for _ in range(20 * self.index.n_lines):
            line = rng.randrange(self.index.n_lines)
            if line not in drawn:
                drawn.add(line)
                yield line

    def _ranked(self, source: str, own: Sequence[str]) -> Iterator[int]:
        """Yield the lines that share a word with the sentence, by BM25, then by their number."""
        side = self.index.side(source)
        if source not in self._bm25:
            self._bm25[source] = Bm25(side)
        return self._bm25[source].ranked(side.numbers(own))

    def _reranked(self, lines: Sequence[int], side: Side, words: Sequence[str]) -> list[int]:
        """Pick one after another the line that holds most of the sentence's n-grams, those already held counting little."""
        wanted = _ngrams(side.numbers(words))
        held = {line: wanted & _ngrams(side.line_numbers(line)) for line in lines}
        rank = {line: number for number, line in enumerate(lines)}
        seen: Counter[tuple[int, ...]] = Counter()
        picked: list[int] = []
        while held:
            best = min(
                held, key=lambda line: (-sum((COVERED_WEIGHT if g in seen else 1.0) / len(g) for g in sorted(held[line])), rank[line])
            )
            seen.update(held.pop(best))
            picked.append(best)
        return picked


def _ngrams(of: Sequence[int]) -> set[tuple[int, ...]]:
    return {tuple(of[at : at + n]) for n in range(1, MAX_NGRAM + 1) for at in range(len(of) - n + 1)}
