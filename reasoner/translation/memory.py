"""A translation memory: sentences of the corpus that are the sentence itself, or like it, with a score.

    corpus.matches("Il cane corre.", source="Italian", target="Ladin")
    -> Match(pair=("Il cane corre", "L cian cor"), score=93.3, n=1)

A score of 100 is the same text, apart from Unicode composition, runs of blanks and the form of apostrophes; anything else is below 100: the share
of characters that need no edit (1 - Levenshtein distance / length of the longer). Candidates are the lines with the sentence's words and
the hundred that BM25 finds most similar, and the preferred lines. Knows an index; does not know what is done with a match.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from reasoner.errors import MissingDependency
from reasoner.translation.cover import Pair

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from reasoner.translation.index import Index

EXACT = 100.0
MAX_CORRECTED = 2000
"""So many of the newest preferred lines are compared with every sentence."""
MOST_FUZZY = 99.9
"""The highest score of a text that is not the same."""
CANDIDATES = 100
_APOSTROPHES = str.maketrans("’‘ʼ´`", "'''''")


@dataclass(frozen=True, slots=True)
class Match:
    """One pair whose source is like the sentence. `n` is how many lines of the corpus are this pair."""

    pair: Pair
    score: float
    n: int = 1
    is_preferred: bool = False
    """Whether a person made it so: such a pair comes before others that are as like."""

    @property
    def is_exact(self) -> bool:
        """Whether its source is the sentence itself."""
        return self.score == EXACT


def plain(text: str) -> str:
    """Return a text as matches compare it."""
    return " ".join(unicodedata.normalize("NFC", text).translate(_APOSTROPHES).split())


def own_lines(index: Index, sentence: str, source: str) -> frozenset[int]:
    """Return the lines whose source has exactly the words of the sentence, as the index's normalisation sees them."""
    side = index.side(source)
    found: set[int] = set()
    for reading in index.readings(sentence, source):
        found |= side.whole_lines(side.numbers(reading), window=index.window)
    return frozenset(found)


def exact(index: Index, sentence: str, *, source: str, target: str) -> tuple[Match, ...]:
    """Return the translations that the corpus has of a sentence: a preferred one first, then the most frequent, then the one that stands first."""
    wanted, column = plain(sentence), index.column(source)
    lines = (line for line in sorted(own_lines(index, sentence, source)) if plain(index.text(line, column)) == wanted)
    found = _counted(index, ((line, EXACT) for line in lines), source, target)
    return tuple(sorted(found, key=lambda match: (not match.is_preferred, -match.n, match.pair.line)))


def fuzzy(
    index: Index, sentence: str, similar: Iterator[int], *, source: str, target: str, least: float, leave_out: bool
) -> tuple[Match, ...]:
    """Return the pairs whose source is like the sentence but not the same, the highest score first; `similar` are lines by BM25.

    With `leave_out`, lines with exactly the words of the sentence are no match.

    Raises:
        MissingDependency: rapidfuzz is not installed.
    """
    distance = _levenshtein()
    wanted, column = plain(sentence), index.column(source)
    own = own_lines(index, sentence, source)
    corrected = sorted(index.preferred, reverse=True)[:MAX_CORRECTED]
    candidates = dict.fromkeys([*sorted(own), *corrected, *islice(similar, CANDIDATES + len(own))])
    scored: list[tuple[int, float]] = []
    for line in candidates:
        text = plain(index.text(line, column))
        if not text or text == wanted or (leave_out and line in own):
            continue
        score = min(MOST_FUZZY, round(100 * distance.normalized_similarity(wanted, text, score_cutoff=max(0.0, least / 100 - 0.001)), 1))
        if score >= least:
            scored.append((line, score))
    return tuple(sorted(_counted(index, scored, source, target), key=_likest_first))


def _likest_first(match: Match) -> tuple[float, bool, int, int]:
    return -match.score, not match.is_preferred, -match.n, match.pair.line


def _levenshtein() -> Any:
    try:
        from rapidfuzz.distance import Levenshtein  # noqa: PLC0415 - an optional dependency
    except ImportError as error:
        raise MissingDependency("rapidfuzz, which scores similar sentences,", extra="translation") from error
    return Levenshtein


def _counted(index: Index, scored: Iterable[tuple[int, float]], source: str, target: str) -> list[Match]:
    """Return a match for each different pair of texts, with the number of its lines."""
    source_at, target_at = index.column(source), index.column(target)
    made: dict[tuple[str, str], Match] = {}
    for line, score in scored:
        pair = Pair(line, index.text(line, source_at), index.text(line, target_at))
        key = pair.source if score < EXACT else "", pair.target
        if not pair.target:
            continue  # a preferred line of other languages
        held, is_preferred = made.get(key), line in index.preferred
        made[key] = (
            Match(held.pair, held.score, held.n + 1, held.is_preferred or is_preferred) if held else Match(pair, score, 1, is_preferred)
        )
    return list(made.values())
