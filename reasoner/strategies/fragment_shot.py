"""Fragment-Shot: cut the sentence into the longest pieces a parallel corpus has, show how each was translated, ask once.

    reasoner solve translation "English>Selvan: The old woman sees the river." --strategy fragment_shot:k=3 --model teacher

Knows three templates, `fragment_shot/translate`, `line` and `published`, and what a corpus answers. Does not know where the corpus lies, and does not look at the
reply.

Source: Frontull & Ströhle, arXiv 2505.22293; Frontull, Ströhle et al., LREC 2026, doi 10.63317/5jpokiam9tjt. Written anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from reasoner.strategies._parts import TranslationStrategy
from reasoner.strategies._translating import (
    Question,
    RetrievalParams,
    as_dicts,
    n_first,
    n_shown,
    n_slots,
    place_of,
    recalled,
    record,
    shown,
    sizes,
)

if TYPE_CHECKING:
    from reasoner.session import Session
    from reasoner.strategies._translating import Sentence
    from reasoner.types import Answer


TEMPLATES = {"steps": "translate", "line": "line", "published": "published"}


class FragmentShot(TranslationStrategy):
    """Show examples of every known fragment, in one call."""

    name = "fragment_shot"
    summary = "translate after seeing how each fragment of the sentence was translated before"

    class Params(RetrievalParams):
        """Parameters of `fragment_shot`."""

        unknown: Literal["silent", "listed"] = Field(
            default="silent", description="whether words without an example are named in the prompt"
        )

        reply: Literal["steps", "line", "published"] = Field(
            default="steps",
            description="how the model is asked: to work in steps, for the answer line only, or in the published layout, with the answer in [[ ]]",
        )

    params: Params

    def corpora(self) -> tuple[str, ...]:
        """Name the corpus."""
        return self.params.corpora()

    def question(self, session: Session, sentence: Sentence) -> Question | Answer:
        """Look the sentence up: all examples of every fragment, then fewer."""
        params = self.params
        corpus = session.corpus(params.corpus)
        matches = recalled(session, params, sentence, [corpus], self.name)
        if not isinstance(matches, list):
            return matches
        seed, leave_out = session.rng.getrandbits(32), params.leaves_out(sentence)
        cover = params.cover(corpus, sentence.text, source=sentence.source, target=sentence.target, seed=seed, leave_out=leave_out)
        shares = sizes(n_slots(cover, params.max_pairs))
        forms: list[dict[str, Any]] = [{"fragments": shown(cover, n), "matches": as_dicts(matches)} for n in shares]
        forms += [{"fragments": [], "matches": as_dicts(matches[:n])} for n in sizes(len(matches))[1:]]
        counts = [n_shown([*form["fragments"], {"pairs": form["matches"]}]) for form in forms]
        return Question(
            f"fragment_shot/{TEMPLATES[params.reply]}",
            record(session, cover, sentence, self.name, n_examples=counts[0]),
            forms,
            counts,
            kept=place_of(shares, n_first(cover, params.max_pairs)),
            room=sentence.room(steps=params.reply != "line"),
            variables={"unknown": list(cover.unknown) if params.unknown == "listed" else []},
        )
