"""Example-Shot: the baselines of Fragment-Shot, with as many examples as it would show.

    example_shot:method=none      zero-shot
    example_shot:method=random    drawn at random
    example_shot:method=bm25      the most similar ones
    example_shot:method=ngram     of the hundred most similar those that together hold most n-grams of the sentence
    example_shot:method=join      fragments of the corpus that joining two corpora on equal pivot sentences gives

Without `n` the number of examples is that of `fragment_shot` on the same sentence and corpus with the same k, so that methods are
compared on the same budget. Knows one template, `example_shot/translate`.

Source: BM25 and n-gram re-rank after Agrawal et al., arXiv 2212.02437 (R-BM25). Written anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from reasoner.strategies._parts import TranslationStrategy
from reasoner.strategies._translating import (
    Question,
    RetrievalParams,
    as_dicts,
    n_first,
    n_shown,
    place_of,
    recalled,
    record,
    shown,
    sizes,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reasoner.session import Session
    from reasoner.strategies._translating import Sentence
    from reasoner.translation.corpus import Corpus
    from reasoner.translation.cover import Pair
    from reasoner.types import Answer


class ExampleShot(TranslationStrategy):
    """Show whole-sentence examples, in one call."""

    name = "example_shot"
    summary = "translate after examples chosen at random, by BM25 or by n-grams, or none: the baselines of fragment_shot"

    class Params(RetrievalParams):
        """Parameters of `example_shot`."""

        method: Literal["none", "random", "bm25", "ngram", "join"] = Field(default="bm25", description="how examples are chosen")
        n: int = Field(default=0, ge=0, le=1000, description="examples shown; 0: as many as fragment_shot would show")
        pivot: str = Field(default="Selvan", description="join: the language between")
        pivot_corpus: str = Field(default="invented-pivot", description="join: corpus index with pivot and target")

    params: Params

    def corpora(self) -> tuple[str, ...]:
        """Name the corpora that are read."""
        return self.params.corpora(*([self.params.pivot_corpus] if self.params.method == "join" else []))

    def question(self, session: Session, sentence: Sentence) -> Question | Answer:
        """Choose examples: all of them, then fewer."""
        params = self.params
        corpus = session.corpus(params.corpus)
        if params.method == "join":
            other = session.corpus(params.pivot_corpus)
            corpus = corpus.joined(other, source=sentence.source, pivot=params.pivot, target=sentence.target)
        matches = recalled(session, params, sentence, [corpus], self.name) if params.method != "none" else []
        if not isinstance(matches, list):
            return matches
        seed, leave_out = session.rng.getrandbits(32), params.leaves_out(sentence)
        note, first = sentence.above or session.root, 0
        pairs: Sequence[Pair] = ()
        # Zero-shot needs no corpus of its languages; where there is one, coverage is measured for it as for the others.
        if params.method != "none" or {sentence.source, sentence.target} <= set(corpus.languages):
            cover = params.cover(corpus, sentence.text, source=sentence.source, target=sentence.target, seed=seed, leave_out=leave_out)
            budget = params.n or n_shown(shown(cover, params.max_pairs))
            found = cover.pairs[:budget] if params.method == "join" else self._chosen(corpus, sentence, budget, seed)
            pairs = list({(pair.source, pair.target): pair for pair in (*matches, *found)}.values())[: max(budget, len(matches))]
            note = record(session, cover, sentence, self.name, n_examples=len(pairs))
            first = len(matches) + n_first(cover, params.max_pairs)
        shares = sizes(len(pairs))
        return Question(
            "example_shot/translate",
            note,
            [{"pairs": as_dicts(pairs[:n])} for n in shares],
            shares,
            kept=place_of(shares, first),
            room=sentence.room(),
            measures_examples=note is not (sentence.above or session.root),
        )

    def _chosen(self, corpus: Corpus, sentence: Sentence, n: int, seed: int) -> Sequence[Pair]:
        method = self.params.method
        if method in {"none", "join"}:
            return ()
        return corpus.similar(
            sentence.text, source=sentence.source, target=sentence.target, method=method, n=n, seed=seed,  # type: ignore[arg-type]
            leave_out=self.params.leaves_out(sentence),
        )  # fmt: skip
