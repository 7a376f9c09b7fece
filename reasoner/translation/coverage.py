"""How much of held-out sentences a corpus covers, as published: the share of known words, as a mean over sentences.

    coverage_of(corpus, sentences, source="Italian", target="Ligurian", window=7).coverage      0.92

Sentences without a word have no coverage and are counted apart. Knows covers; does not know translations.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any

from reasoner.errors import BadConfig

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reasoner.translation.corpus import Corpus


@dataclass(frozen=True, slots=True)
class Coverage:
    """Means over sentences; `fragment_words` is the mean length of all fragments."""

    source: str
    target: str
    window: int
    sentences: int
    empty: int
    coverage: float
    whole: float
    """The share of sentences without an unknown word."""
    fragments: float
    fragment_words: float

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return asdict(self)


def coverage_of(corpus: Corpus, sentences: Iterable[str], *, source: str, target: str, window: int = 7, leave_out: bool = True) -> Coverage:
    """Cover sentences and sum up.

    Raises:
        BadConfig: none of them has a word.
    """
    covers = [corpus.cover(s, source=source, target=target, window=window, k=0, leave_out=leave_out) for s in sentences]
    shares = [cover.coverage for cover in covers if cover.coverage is not None]
    if not shares:
        raise BadConfig("there are no sentences to cover", hint="name a file that has some")
    lengths = [len(fragment.words) for cover in covers for fragment in cover.fragments]
    return Coverage(
        source, target, window, len(shares), len(covers) - len(shares), fmean(shares), fmean(share == 1 for share in shares),
        len(lengths) / len(shares), fmean(lengths) if lengths else 0.0,
    )  # fmt: skip
