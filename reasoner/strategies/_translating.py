"""What the translation strategies share: the sentence, the parameters of retrieval, and what they record of it.

Knows the fields of a translation problem and what a corpus answers; opens no file.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from reasoner.errors import BadConfig
from reasoner.strategies import Strategy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reasoner.session import Session
    from reasoner.trajectory import Thought
    from reasoner.translation.corpus import Corpus
    from reasoner.translation.cover import Cover, Pair


@dataclass(frozen=True, slots=True)
class Sentence:
    """What is to be translated."""

    text: str
    source: str
    target: str


class RetrievalParams(Strategy.Params):
    """Parameters of strategies that look fragments up."""

    corpus: str = Field(default="", description="corpus index that 'reasoner corpus build' made; empty: the invented languages'")
    window: int = Field(default=7, ge=1, le=16, description="words a fragment may have")
    k: int = Field(default=3, ge=1, le=20, description="examples of each fragment")
    ranking: Literal["shuffle", "shortest", "similar", "diverse"] = Field(default="shuffle", description="which examples come first")
    leave_out: bool = Field(default=True, description="ignore corpus lines that are the sentence itself")
    max_pairs: int = Field(default=60, ge=1, le=1000, description="examples shown in all; every fragment keeps its first as long as it can")

    def cover(self, corpus: Corpus, sentence: str, *, source: str, target: str, seed: int, leave_out: bool | None = None) -> Cover:
        """Look a sentence up with these parameters."""
        return corpus.cover(
            sentence, source=source, target=target, window=self.window, k=self.k, ranking=self.ranking, seed=seed,
            leave_out=self.leave_out if leave_out is None else leave_out,
        )  # fmt: skip


class TranslationStrategy(Strategy):
    """A strategy for translation problems that reads corpora."""

    solvers = ("translation",)


def sentence_of(session: Session, name: str) -> Sentence:
    """Return the session's sentence.

    Raises:
        BadConfig: the problem is no translation.
    """
    solver = session.problem.solver
    if solver.partition(":")[0] != "translation":
        raise BadConfig(
            f"{name} translates, and {solver} is no translation", hint="use it with the solver translation, or another strategy"
        )
    fields = json.loads(session.problem.instance)
    return Sentence(fields["sentence"], fields["source"], fields["target"])


def shown(cover: Cover, max_pairs: int) -> list[dict[str, Any]]:
    """Return fragments and examples for a template: the first example of every fragment, then the second ones, up to the limit."""
    room = max_pairs
    kept: list[list[Pair]] = [[] for _ in cover.fragments]
    for rank in range(max((len(fragment.pairs) for fragment in cover.fragments), default=0)):
        for held, fragment in zip(kept, cover.fragments, strict=True):
            if rank < len(fragment.pairs) and room:
                held.append(fragment.pairs[rank])
                room -= 1
    return [{"text": f.text, "pairs": as_dicts(held)} for f, held in zip(cover.fragments, kept, strict=True)]


def as_dicts(pairs: Sequence[Pair]) -> list[dict[str, str]]:
    """Return pairs for a template."""
    return [{"source": pair.source, "target": pair.target} for pair in pairs]


def n_shown(fragments: Sequence[dict[str, Any]]) -> int:
    """Count different examples."""
    return len({(pair["source"], pair["target"]) for fragment in fragments for pair in fragment["pairs"]})


def record(session: Session, cover: Cover, *, role: str, n_examples: int) -> Thought:
    """Note what was found as a thought of its own, and measure it for the verdict."""
    pieces = [fragment.text for fragment in cover.fragments]
    state = {"coverage": cover.coverage, "fragments": pieces, "unknown": list(cover.unknown), "examples": n_examples}
    text = " | ".join(pieces) + (f"  (unknown: {', '.join(cover.unknown)})" if cover.unknown else "")
    note = session.note(text or "(nothing was found)", parent=session.root, role=role, state=state)
    session.mark(note, status="kept")
    if cover.coverage is not None:
        session.measure(coverage=round(cover.coverage, 6), examples=float(n_examples))
    return note
