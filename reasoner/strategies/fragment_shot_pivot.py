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

from reasoner.strategies._parts import TranslationStrategy
from reasoner.strategies._translating import (
    Question,
    RetrievalParams,
    as_dicts,
    n_first,
    place_of,
    recalled,
    record,
    shown,
    sizes,
)

if TYPE_CHECKING:
    from reasoner.session import Session
    from reasoner.strategies._translating import Sentence
    from reasoner.translation.corpus import Corpus
    from reasoner.translation.cover import Cover
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
        return self.params.corpora(self.params.pivot_corpus)

    def question(self, session: Session, sentence: Sentence) -> Question | Answer:
        """Look the sentence up, and its examples: all of them, then fewer."""
        params = self.params
        first, second = session.corpus(params.corpus), session.corpus(params.pivot_corpus)
        matches = recalled(session, params, sentence, [first, second], self.name)
        if not isinstance(matches, list):
            return matches
        seed, leave_out = session.rng.getrandbits(32), params.leaves_out(sentence)
        cover = params.cover(first, sentence.text, source=sentence.source, target=params.pivot, seed=seed, leave_out=leave_out)
        inner = self._inner(second, cover, sentence, seed)
        made = [(n, {"rows": self._rows(cover, inner, n), "matches": as_dicts(matches)}) for n in sizes(params.max_pairs)]
        made = [one for at, one in enumerate(made) if not at or one[1] != made[at - 1][1]]
        forms: list[dict[str, Any]] = [form for _, form in made]
        counts = [sum(row["kind"] in {"pair", "inner pair"} for row in form["rows"]) + len(form["matches"]) for form in forms]
        note = record(session, cover, sentence, self.name, n_examples=counts[0])
        coverage = [inner[pair["target"]].coverage for row in shown(cover, max(1, params.max_pairs // 3)) for pair in row["pairs"]]
        if (known := [share for share in coverage if share is not None]) and sentence.above is None:
            session.measure(pivot_coverage=round(sum(known) / len(known), 6))
        return Question(
            "fragment_shot_pivot/translate",
            note,
            forms,
            counts,
            kept=place_of([n for n, _ in made], 3 * n_first(cover, params.max_pairs)),
            room=sentence.room(steps=True),
            variables={"pivot": params.pivot, "unknown": list(cover.unknown) if params.unknown == "listed" else []},
        )

    def _inner(self, second: Corpus, cover: Cover, sentence: Sentence, seed: int) -> dict[str, Cover]:
        """Return the covers of all pivot sentences that may be shown."""
        outer = shown(cover, max(1, self.params.max_pairs // 3))
        texts = dict.fromkeys(pair["target"] for fragment in outer for pair in fragment["pairs"])
        languages = {"source": self.params.pivot, "target": sentence.target}
        return {text: self.params.cover(second, text, **languages, seed=seed, leave_out=True) for text in texts}

    def _rows(self, cover: Cover, inner: dict[str, Cover], max_pairs: int) -> Rows:
        """Return the lines of the prompt in order, with so many examples of both hops at most; a third of them are of the first."""
        outer = shown(cover, max(1, max_pairs // 3) if max_pairs else 0)
        n_pairs = sum(len(fragment["pairs"]) for fragment in outer)
        left = max_pairs - n_pairs
        rows: Rows = []
        for fragment in outer:
            rows.append({"kind": "fragment", "text": fragment["text"]})
            for pair in fragment["pairs"]:
                rows.append({"kind": "pair", **pair})
                share = left // n_pairs  # what is left is shared evenly among the pairs still to come
                for piece in shown(inner[pair["target"]], share) if share else []:
                    rows.append({"kind": "inner", "text": piece["text"]})
                    rows += [{"kind": "inner pair", **each} for each in piece["pairs"]]
                    left -= len(piece["pairs"])
                n_pairs -= 1
        return rows
