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

from reasoner.strategies._translating import (
    RetrievalParams,
    TranslationStrategy,
    as_dicts,
    n_shown,
    record,
    sentence_of,
    shown,
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
        return (self.params.corpus, *([self.params.pivot_corpus] if self.params.method == "join" else []))

    async def run(self, session: Session) -> Answer:
        """Choose examples, then ask once; a reply that was cut off is offered as it is."""
        params, sentence = self.params, sentence_of(session, self.name)
        corpus = session.corpus(params.corpus)
        if params.method == "join":
            other = session.corpus(params.pivot_corpus)
            corpus = corpus.joined(other, source=sentence.source, pivot=params.pivot, target=sentence.target)
        seed = session.rng.getrandbits(32)
        note = session.root
        pairs: Sequence[Pair] = ()
        # Zero-shot needs no corpus of its languages; where there is one, coverage is measured for it as for the others.
        if params.method != "none" or {sentence.source, sentence.target} <= set(corpus.languages):
            cover = params.cover(corpus, sentence.text, source=sentence.source, target=sentence.target, seed=seed)
            budget = params.n or n_shown(shown(cover, params.max_pairs))
            pairs = cover.pairs[:budget] if params.method == "join" else self._chosen(corpus, sentence, budget, seed)
            note = record(session, cover, role="example_shot/cover", n_examples=len(pairs))
        reply = await session.ask(
            "example_shot/translate",
            parent=note,
            truncatable={"pairs": "last"},
            source=sentence.source,
            target=sentence.target,
            pairs=as_dicts(pairs),
        )
        session.mark(reply, status="final")
        return session.offer(reply.text, reply)

    def _chosen(self, corpus: Corpus, sentence: Sentence, n: int, seed: int) -> Sequence[Pair]:
        method = self.params.method
        if method in {"none", "join"}:
            return ()
        return corpus.similar(sentence.text, source=sentence.source, target=sentence.target, method=method, n=n, seed=seed)  # type: ignore[arg-type]
