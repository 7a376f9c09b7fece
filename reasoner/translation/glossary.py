"""Terms with fixed translations: those of a sentence, and whether a translation keeps to them.

    found = terms(glossary, "The old river sleeps.", source="English", target="Selvan")     river: meris
    missed(found, "Meris sokl tudasas.", "full")                                            ()

A glossary is a corpus like any other whose lines are terms. Lines with the same source are accepted forms of one term; a term whose target is its
source is not to be translated. Where terms overlap in a sentence the longer one counts, then the one further left. A translation keeps to a
term when it has the words of one of its forms next to each other; case and whatever else the normalisation folds do not count. Knows
corpora and words; does not know models.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from reasoner.translation.index import sound
from reasoner.translation.normalise import words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reasoner.translation.corpus import Corpus
    from reasoner.translation.normalise import Normalisation

MAX_TERM_WORDS = 16
MAX_SENTENCE_WORDS = 2000


@dataclass(frozen=True, slots=True)
class Term:
    """One term of a sentence, as the glossary writes it, and the forms its translation may have."""

    source: str
    targets: tuple[str, ...]

    @property
    def stays(self) -> bool:
        """Whether it is not to be translated."""
        return self.targets == (self.source,)


def terms(glossary: Corpus, sentence: str, *, source: str, target: str) -> tuple[Term, ...]:
    """Return the terms of a sentence, each once, in its order.

    Raises:
        BadConfig: the glossary has no such language.
        DataError: its index is damaged.
    """
    index = glossary.index
    source_at, target_at, side = index.column(source), index.column(target), index.side(source)
    found: dict[int, Term] = {}
    with sound(index):
        for reading in index.readings(sentence, source):
            numbers = side.numbers(reading[:MAX_SENTENCE_WORDS])
            taken = [False] * len(numbers)
            for length in range(min(MAX_TERM_WORDS, len(numbers)), 0, -1):
                for start in range(len(numbers) - length + 1):
                    term = numbers[start : start + length]
                    if not all(term) or any(taken[start : start + length]) or start in found:
                        continue
                    if lines := sorted(side.whole_lines(term, window=index.window)):
                        taken[start : start + length] = [True] * length
                        targets = tuple(dict.fromkeys(index.text(line, target_at) for line in lines))
                        found[start] = Term(index.text(lines[0], source_at), targets)
    return tuple(dict.fromkeys(found[start] for start in sorted(found)))


def missed(found: Sequence[Term], translation: str, normalisation: Normalisation) -> tuple[Term, ...]:
    """Return the terms that a translation has in none of their forms."""
    lower = f" {' '.join(words(translation.casefold(), normalisation))} "
    return tuple(
        term for term in found if not any(f" {' '.join(words(form.casefold(), normalisation))} " in lower for form in term.targets)
    )
