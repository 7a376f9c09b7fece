"""Pivoted Fragment-Shot: the way from source to target leads over the examples of a third language, all of it inside one prompt.

    reasoner solve translation "English>Mesrin: The river sleeps." --strategy fragment_shot_pivot --model teacher

Each fragment of the sentence is shown in source-pivot pairs; under each pair, its whole pivot sentence is searched again in a
pivot-target corpus. One call, from source to target. Knows one template; does not know where the corpora lie.

The second search leaves out lines whose pivot sentence is the pair's own. The published code drops only their examples, after the
whole sentence has become one fragment with them; here the sentence is cut as if these lines were not there.

Source: Frontull & Ströhle, arXiv 2505.22293. Written anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from reasoner.strategies._translating import RetrievalParams, TranslationStrategy, record, sentence_of, shown

if TYPE_CHECKING:
    from reasoner.session import Session
    from reasoner.strategies._translating import Sentence
    from reasoner.translation.corpus import Corpus
    from reasoner.types import Answer

Rows = list[dict[str, Any]]


class FragmentShotPivot(TranslationStrategy):
    """Show examples of every known fragment in the pivot, and of that in the target, in one call."""

    name = "fragment_shot_pivot"
    summary = "as fragment_shot, over a third language: source-pivot examples with pivot-target examples under them"

    class Params(RetrievalParams):
        """Parameters of `fragment_shot_pivot`."""

        pivot: str = Field(default="Selvan", description="the language between")
        pivot_corpus: str = Field(default="invented-pivot", description="corpus index with pivot and target")
        unknown: Literal["silent", "listed"] = Field(
            default="silent", description="whether words without an example are named in the prompt"
        )
        max_pairs: int = Field(default=90, ge=1, le=2000, description="examples shown in all, of both hops")

    params: Params

    def corpora(self) -> tuple[str, ...]:
        """Name both corpora."""
        return self.params.corpus, self.params.pivot_corpus

    async def run(self, session: Session) -> Answer:
        """Look the sentence up, look its examples up, then ask once."""
        params, sentence = self.params, sentence_of(session, self.name)
        first, second = session.corpus(params.corpus), session.corpus(params.pivot_corpus)
        seed = session.rng.getrandbits(32)
        cover = params.cover(first, sentence.text, source=sentence.source, target=params.pivot, seed=seed)
        outer = shown(cover, max(1, params.max_pairs // 3))
        rows, inner_coverage = self._rows(second, outer, sentence, seed)
        n_examples = sum(row["kind"] in {"pair", "inner pair"} for row in rows)
        note = record(session, cover, role="fragment_shot_pivot/cover", n_examples=n_examples)
        if inner_coverage:
            session.measure(pivot_coverage=round(sum(inner_coverage) / len(inner_coverage), 6))
        reply = await session.ask(
            "fragment_shot_pivot/translate",
            parent=note,
            source=sentence.source,
            pivot=params.pivot,
            target=sentence.target,
            rows=rows,
            unknown=list(cover.unknown) if params.unknown == "listed" else [],
        )
        session.mark(reply, status="final")
        return session.offer(reply.text, reply)

    def _rows(self, second: Corpus, outer: Rows, sentence: Sentence, seed: int) -> tuple[Rows, list[float]]:
        """Return the lines of the prompt in order, and the coverage of every pivot sentence."""
        params = self.params
        n_pairs = sum(len(fragment["pairs"]) for fragment in outer)
        left = params.max_pairs - n_pairs
        rows: Rows = []
        coverage: list[float] = []
        for fragment in outer:
            rows.append({"kind": "fragment", "text": fragment["text"]})
            for pair in fragment["pairs"]:
                rows.append({"kind": "pair", **pair})
                inner = params.cover(second, pair["target"], source=params.pivot, target=sentence.target, seed=seed, leave_out=True)
                if inner.coverage is not None:
                    coverage.append(inner.coverage)
                share = left // n_pairs  # what is left is shared evenly among the pairs still to come
                for piece in shown(inner, share) if share else []:
                    if piece["pairs"]:
                        rows.append({"kind": "inner", "text": piece["text"]})
                        rows += [{"kind": "inner pair", **each} for each in piece["pairs"]]
                        left -= len(piece["pairs"])
                n_pairs -= 1
        return rows, coverage
