"""Fragment-Shot: cut the sentence into the longest pieces a parallel corpus has, show how each was translated, ask once.

    reasoner solve translation "English>Selvan: The old woman sees the river." --strategy fragment_shot:k=3 --model teacher

Knows two templates, `fragment_shot/translate` and `fragment_shot/line`, and what a corpus answers. Does not know where the corpus lies, and does not look at the
reply.

Source: Frontull & Ströhle, arXiv 2505.22293; Frontull, Ströhle et al., LREC 2026, doi 10.63317/5jpokiam9tjt. Written anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from reasoner.strategies._translating import (
    RetrievalParams,
    TranslationStrategy,
    as_dicts,
    asked_form,
    glossed,
    n_shown,
    n_slots,
    recalled,
    record,
    sentence_of,
    shown,
    sizes,
)

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
        return self.params.corpora()

    async def run(self, session: Session) -> Answer:
        """Look the sentence up, then ask once, with as many examples as fit; a reply that was cut off is offered as it is."""
        params, sentence = self.params, sentence_of(session, self.name)
        corpus = session.corpus(params.corpus)
        leave_out = params.leaves_out(sentence)
        terms = glossed(session, params, sentence, self.name)
        matches = recalled(session, params, sentence, [corpus], self.name)
        if not isinstance(matches, list):
            terms.check(session, matches.text)
            return matches
        seed = session.rng.getrandbits(32)
        cover = params.cover(corpus, sentence.text, source=sentence.source, target=sentence.target, seed=seed, leave_out=leave_out)
        forms: list[dict[str, Any]] = [
            {"fragments": shown(cover, n), "matches": as_dicts(matches)} for n in sizes(n_slots(cover, params.max_pairs))
        ]
        forms += [{"fragments": [], "matches": as_dicts(matches[:n])} for n in sizes(len(matches))[1:]]
        counts = [n_shown([*form["fragments"], {"pairs": form["matches"]}]) for form in forms]
        note = record(session, cover, role="fragment_shot/cover", n_examples=counts[0])
        reply = await session.ask(
            "fragment_shot/translate" if params.reply == "steps" else "fragment_shot/line",
            parent=note,
            fewer=forms[1:],
            room=sentence.room(steps=params.reply == "steps"),
            terms=terms.rows,
            source=sentence.source,
            target=sentence.target,
            unknown=list(cover.unknown) if params.unknown == "listed" else [],
            **forms[0],
        )
        session.measure(examples=float(counts[asked_form(session, reply)]))
        terms.check(session, reply.text)
        session.mark(reply, status="final")
        return session.offer(reply.text, reply)
