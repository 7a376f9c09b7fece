"""Fragment-Shot: cut the sentence into the longest pieces a parallel corpus has, show how each was translated, ask once.

    reasoner solve translation "English>Selvan: The old woman sees the river." --strategy fragment_shot:k=3 --model teacher

Knows two templates, `fragment_shot/translate` and `fragment_shot/line`, and what a corpus answers. Does not know where the corpus lies, and does not look at the
reply.

Source: Frontull & Ströhle, arXiv 2505.22293; Frontull, Ströhle et al., LREC 2026, doi 10.63317/5jpokiam9tjt. Written anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from reasoner.strategies._translating import RetrievalParams, TranslationStrategy, n_shown, record, sentence_of, shown

if TYPE_CHECKING:
    from reasoner.session import Session
    from reasoner.types import Answer


class FragmentShot(TranslationStrategy):
    """Show examples of every known fragment, in one call."""

    name = "fragment_shot"
    summary = "translate after seeing how each fragment of the sentence was translated before"

    class Params(RetrievalParams):
        """Parameters of `fragment_shot`."""

        unknown: Literal["silent", "listed"] = Field(
            default="silent", description="whether words without an example are named in the prompt"
        )

        reply: Literal["steps", "line"] = Field(
            default="steps", description="whether the model is asked to work in steps (as published), or for the answer line only"
        )

    params: Params

    def corpora(self) -> tuple[str, ...]:
        """Name the corpus."""
        return (self.params.corpus,)

    async def run(self, session: Session) -> Answer:
        """Look the sentence up, then ask once; a reply that was cut off is offered as it is."""
        params, sentence = self.params, sentence_of(session, self.name)
        corpus = session.corpus(params.corpus)
        cover = params.cover(corpus, sentence.text, source=sentence.source, target=sentence.target, seed=session.rng.getrandbits(32))
        fragments = shown(cover, params.max_pairs)
        note = record(session, cover, role="fragment_shot/cover", n_examples=n_shown(fragments))
        reply = await session.ask(
            "fragment_shot/translate" if params.reply == "steps" else "fragment_shot/line",
            parent=note,
            source=sentence.source,
            target=sentence.target,
            fragments=fragments,
            unknown=list(cover.unknown) if params.unknown == "listed" else [],
        )
        session.mark(reply, status="final")
        return session.offer(reply.text, reply)
