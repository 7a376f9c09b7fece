"""What words are looked up by instead of themselves: their lemma where simplemma has the language, else a stem by endings learned from the corpus.

    Stems.learned(["canto", "canti", "canta", "porto", "porti", "porta", ...]).of("cantavo")      "cant-"
    Stems.of_language("it").of("cani")                                                             "cane"

Endings are learned as paradigms: a beginning that occurs with three endings or more speaks for each of these, and the endings for which most beginnings
speak are kept. A word's stem is the beginning that occurs with most of them, two or more, the longer one where two are alike; else the word itself.
Knows words; does not know lines.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from reasoner.errors import DataError, MissingDependency

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MAX_ENDING = 5
MIN_STEM = 3
"""Letters of a beginning; one more in words of five letters and longer."""
MAX_ENDINGS = 60
MIN_SPEAKING = 5
"""So many beginnings speak for an ending that is kept, or one in MOST_RARE words if that is more."""
MOST_RARE = 500
MAX_LEARNED = 400_000
"""Words that are learned from: those first in their order where there are more."""


@dataclass(frozen=True)
class Stems:
    """How the words of one language are looked up."""

    endings: frozenset[str] = frozenset()
    beginnings: Mapping[str, int] = field(default_factory=dict)
    """With how many of the endings each occurs."""
    lemmas: str = ""
    """The language in simplemma; empty where endings were learned."""

    @classmethod
    def of_language(cls, code: str) -> Stems:
        """Return the lemmas of a language of simplemma.

        Raises:
            MissingDependency: it is not installed.
        """
        _simplemma()
        return cls(lemmas=code)

    @classmethod
    def learned(cls, words: Iterable[str]) -> Stems:
        """Learn the endings of a list of different words; the order of the words does not matter."""
        chosen = sorted(word for word in words if word.isalpha())[:MAX_LEARNED]
        paradigms: defaultdict[str, list[str]] = defaultdict(list)
        for word in chosen:
            for beginning, ending in _divisions(word):
                paradigms[beginning].append(ending)
        spoken = Counter(ending for endings in paradigms.values() if len(endings) >= 3 for ending in endings)
        least = max(MIN_SPEAKING, len(chosen) // MOST_RARE)
        kept = sorted((ending for ending, n in spoken.items() if n >= least), key=lambda ending: (-spoken[ending], ending))[:MAX_ENDINGS]
        endings = frozenset(kept)
        counted = ((beginning, sum(ending in endings for ending in found)) for beginning, found in paradigms.items())
        return cls(endings, {beginning: n for beginning, n in counted if n >= 2})

    def of(self, word: str) -> str:
        """Return what a word is looked up by; a learned stem ends in a hyphen, which no word does."""
        if self.lemmas:
            return _lemma(word, self.lemmas)
        found = [(self.beginnings.get(beginning, 0), beginning) for beginning, ending in _divisions(word) if ending in self.endings]
        n, beginning = max(found, key=lambda each: (each[0], len(each[1])), default=(0, ""))
        return f"{beginning}-" if n else word

    def to_json(self) -> bytes:
        """Return it as it is kept in an index."""
        made: dict[str, Any] = {"endings": sorted(self.endings), "beginnings": dict(sorted(self.beginnings.items())), "lemmas": self.lemmas}
        return json.dumps(made | ({"simplemma": _simplemma().__version__} if self.lemmas else {}), ensure_ascii=False).encode()

    @classmethod
    def from_json(cls, data: bytes, name: str) -> Stems:
        """Read it from an index.

        Raises:
            DataError: it is damaged, or another simplemma made it.
            MissingDependency: simplemma is not installed.
        """
        try:
            made = json.loads(data)
            counted = {str(beginning): int(n) for beginning, n in made["beginnings"].items()}
            read = cls(frozenset(map(str, made["endings"])), counted, str(made["lemmas"]))
            version = made.get("simplemma")
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise DataError(f"{name} is damaged: its stems cannot be read", hint="build it again") from error
        if read.lemmas and version != _simplemma().__version__:
            raise DataError(
                f"{name} was made with simplemma {str(version)[:20]}, {_simplemma().__version__} is installed", hint="build it again"
            )
        return read


def _divisions(word: str) -> list[tuple[str, str]]:
    """Return the ways to divide a word into a beginning and an ending, the longest ending first."""
    n = len(word)
    least = max(MIN_STEM if n < 5 else MIN_STEM + 1, n - MAX_ENDING)
    return [(word[:at], word[at:]) for at in range(least, n + 1)]


def _simplemma() -> Any:
    try:
        import simplemma  # noqa: PLC0415 - an optional dependency
    except ImportError as error:
        raise MissingDependency("simplemma, which knows lemmas,", extra="translation") from error
    return simplemma


@lru_cache(maxsize=1 << 16)
def _lemma(word: str, language: str) -> str:
    return str(_simplemma().lemmatize(word, lang=language)).casefold() if word.isalpha() else word
