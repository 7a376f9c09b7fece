"""What the translation strategies share: the sentence, the parameters of retrieval, the translation memory, what fits, and what is recorded.

Examples go into the prompt in an order: similar whole sentences, then the first example of every fragment (the longest fragment's first), the
sentences that stand before this one in the text (the nearest first), then the second examples. What does not fit in the model's context goes
from the end of that order, the same for every strategy. Knows the fields of a translation problem and what a corpus answers; opens no file.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from reasoner.errors import BadConfig
from reasoner.strategies import Strategy
from reasoner.translation.glossary import missed, terms
from reasoner.types import Answer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reasoner.session import Session
    from reasoner.trajectory import Thought
    from reasoner.translation.corpus import Corpus
    from reasoner.translation.cover import Cover, Pair
    from reasoner.translation.glossary import Term
    from reasoner.translation.normalise import Normalisation


@dataclass(frozen=True, slots=True)
class Sentence:
    """What is to be translated."""

    text: str
    source: str
    target: str
    is_scored: bool
    """Whether there is a reference that a translation will be compared with."""
    before: tuple[Mapping[str, str], ...] = ()
    """What stands before it in the text: `source`, and `target` where its translation is known; the nearest last."""
    above: Thought | None = None
    """Where it is a part of the problem's sentence, the thought that holds it; what is looked up for it stands there and is not measured."""

    def role(self, name: str, what: str) -> str:
        """Return the role of a thought about it."""
        return f"{name}/{what}" if self.above is None else f"{name}/part_{what}"

    def room(self, *, steps: bool = False) -> int:
        """Return the tokens an answer may need: half as many as the sentence has characters, and more where the model works in steps."""
        return 64 + len(self.text) // 2 + (320 if steps else 0)


class RetrievalParams(Strategy.Params):
    """Parameters of strategies that look fragments up."""

    corpus: str = Field(default="", description="corpus index that 'reasoner corpus build' made; empty: the invented languages'")
    glossary: str = Field(default="", description="corpus index whose lines are terms with their translations; empty: none")
    window: int = Field(default=7, ge=1, le=16, description="words a fragment may have")
    k: int = Field(default=3, ge=1, le=20, description="examples of each fragment")
    ranking: Literal["shuffle", "shortest", "similar", "diverse"] = Field(default="shuffle", description="which examples come first")
    leave_out: bool | None = Field(
        default=None, description="ignore corpus lines that are the sentence itself; None: where it has a reference to be scored by"
    )
    memory: Literal["off", "exact", "fuzzy", "shown"] = Field(
        default="exact",
        description="corpus lines like the whole sentence. exact: the same sentence's translation is taken without a call; fuzzy: similar ones "
        "also lead the examples; shown: all lead the examples and the model is always asked; off: not looked for",
    )
    min_match: float = Field(default=70.0, ge=0, le=100, description="score from which a sentence counts as similar, 0 to 100")
    max_matches: int = Field(default=3, ge=1, le=50, description="similar sentences shown")
    max_pairs: int = Field(default=60, ge=1, le=1000, description="examples shown in all; every fragment keeps its first as long as it can")

    def corpora(self, *others: str) -> tuple[str, ...]:
        """Name what is read: the corpus, others, and the glossary where there is one."""
        return (self.corpus, *others, *([self.glossary] if self.glossary else []))

    def leaves_out(self, sentence: Sentence) -> bool:
        """Tell whether lines that are the sentence itself are ignored."""
        return sentence.is_scored if self.leave_out is None else self.leave_out

    def cover(self, corpus: Corpus, sentence: str, *, source: str, target: str, seed: int, leave_out: bool) -> Cover:
        """Look a sentence up with these parameters."""
        return corpus.cover(
            sentence, source=source, target=target, window=self.window, k=self.k, ranking=self.ranking, seed=seed, leave_out=leave_out
        )


@dataclass(frozen=True, slots=True)
class Question:
    """What a strategy asks for a sentence, in forms that each show less than the one before."""

    template: str
    note: Thought
    """What was looked up; the reply stands under it."""
    forms: Sequence[Mapping[str, Any]]
    """The variables that differ from form to form; the sentences before this one are all in it."""
    counts: Sequence[int]
    """How many examples each form shows."""
    kept: int
    """The form after which sentences before this one go first: it shows the first example of every fragment."""
    room: int
    """Tokens to leave for the answer."""
    variables: Mapping[str, Any] = field(default_factory=dict)
    """The others."""
    measures_examples: bool = True


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
    return Sentence(fields["sentence"], fields["source"], fields["target"], bool(fields.get("reference")), tuple(fields.get("before", ())))


@dataclass(frozen=True, slots=True)
class Glossed:
    """The glossary's terms of a sentence, and the thought that notes them."""

    terms: tuple[Term, ...] = ()
    normalisation: Normalisation = "full"
    note: Thought | None = None

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The terms for a template."""
        return [{"source": term.source, "targets": list(term.targets), "stays": term.stays} for term in self.terms]

    def check(self, session: Session, text: str) -> None:
        """Note which terms the translation in a reply has in none of their forms, and how many."""
        if self.note is not None:
            lacking = missed(self.terms, session.canonical_answer(text) or "", self.normalisation)
            session.mark(self.note, state={"terms": self.rows, "missed": [term.source for term in lacking]})
            session.measure(terms=float(len(self.terms)), terms_missed=float(len(lacking)))


def glossed(session: Session, params: RetrievalParams, sentence: Sentence, name: str) -> Glossed:
    """Look a sentence's terms up; what was found is a thought."""
    if not params.glossary:
        return Glossed()
    glossary = session.corpus(params.glossary)
    found = terms(glossary, sentence.text, source=sentence.source, target=sentence.target)
    if not found:
        return Glossed()
    text = "; ".join(f"{term.source}: {' or '.join(term.targets)}" for term in found)
    note = session.note(text, parent=session.root, role=f"{name}/glossary")
    session.mark(note, status="kept")
    return Glossed(found, glossary.index.normalisation, note)


def glossary_rows(session: Session, params: RetrievalParams, sentence: Sentence) -> list[dict[str, Any]]:
    """Return the terms of a part of a sentence for a template; those of the whole are noted and checked."""
    if not params.glossary:
        return []
    return Glossed(terms(session.corpus(params.glossary), sentence.text, source=sentence.source, target=sentence.target)).rows


def recalled(session: Session, params: RetrievalParams, sentence: Sentence, corpora: Sequence[Corpus], name: str) -> Answer | list[Pair]:
    """Return what the translation memory has: the sentence's own translation as an answer, or pairs to show, the most similar first.

    The first of the corpora that has both languages is the memory. What was found is a thought, and its score a measure of the verdict.
    """
    memory = next((corpus for corpus in corpora if {sentence.source, sentence.target} <= set(corpus.languages)), None)
    leave_out = params.leaves_out(sentence)
    if memory is None or params.memory == "off" or (params.memory == "exact" and leave_out):
        return []
    matches = memory.matches(
        sentence.text, source=sentence.source, target=sentence.target, n=params.max_matches, leave_out=leave_out,
        least=100.0 if params.memory == "exact" else params.min_match,
    )  # fmt: skip
    if not matches:
        return []
    best = matches[0]
    takes = best.is_exact and params.memory != "shown"
    found = [{"score": m.score, "source": m.pair.source, "target": m.pair.target, "line": m.pair.line, "n": m.n} for m in matches]
    text = f"Answer: {best.pair.target}" if takes else f"{best.score:g} % like: {best.pair.source}"
    note = session.note(
        text, parent=sentence.above or session.root, role=sentence.role(name, "memory"), state={"matches": found, "taken": takes}
    )
    session.mark(note, status="kept" if sentence.above or not takes else "final")
    if sentence.above is None:
        session.measure(match=best.score, **({"taken": 1.0} if takes else {}))
    if takes and sentence.above:
        return Answer(text, note.id)
    return session.offer(text, note) if takes else [match.pair for match in matches]


def sizes(n: int) -> list[int]:
    """Return how many of n examples to show, n first and 0 last: one less each time, or a fortieth less where there are many."""
    made = [n]
    while made[-1]:
        made.append(made[-1] - max(1, made[-1] // 40))
    return made


def place_of(shares: Sequence[int], least: int) -> int:
    """Return the last place of falling numbers that is not below one; the first place where all are."""
    return max((at for at, n in enumerate(shares) if n >= least), default=0)


def shown(cover: Cover, max_pairs: int) -> list[dict[str, Any]]:
    """Return fragments and examples for a template, in the order of the sentence; fragments without an example are left out.

    Up to the limit the first example of every fragment is kept, the longest fragment's first, then the second ones.
    """
    order = sorted(range(len(cover.fragments)), key=lambda at: (-len(cover.fragments[at].words), at))
    most = max((len(fragment.pairs) for fragment in cover.fragments), default=0)
    slots = [(at, rank) for rank in range(most) for at in order if rank < len(cover.fragments[at].pairs)]
    kept: dict[int, list[Pair]] = {}
    for at, rank in slots[:max_pairs]:
        kept.setdefault(at, []).append(cover.fragments[at].pairs[rank])
    return [{"text": cover.fragments[at].text, "pairs": as_dicts(kept[at])} for at in sorted(kept)]


def as_dicts(pairs: Sequence[Pair]) -> list[dict[str, str]]:
    """Return pairs for a template."""
    return [{"source": pair.source, "target": pair.target} for pair in pairs]


def n_shown(fragments: Sequence[dict[str, Any]]) -> int:
    """Count different examples."""
    return len({(pair["source"], pair["target"]) for fragment in fragments for pair in fragment["pairs"]})


def n_first(cover: Cover, most: int) -> int:
    """Return how many first examples of fragments there are, at most so many."""
    return min(most, sum(bool(fragment.pairs) for fragment in cover.fragments))


def n_slots(cover: Cover, max_pairs: int) -> int:
    """Return how many examples a prompt shows at most, those under two fragments twice."""
    return min(max_pairs, sum(len(fragment.pairs) for fragment in cover.fragments))


def asked_form(session: Session, reply: Thought) -> int:
    """Return which of its forms a question was asked in: 0 the whole one, 1 the first of the shorter ones."""
    state = session.trajectory.mark_of(reply).state
    return int(state["shortened"]) if isinstance(state, dict) and "shortened" in state else 0


def record(session: Session, cover: Cover, sentence: Sentence, name: str, *, n_examples: int) -> Thought:
    """Note what was found as a thought of its own, and measure it for the verdict."""
    pieces = [fragment.text for fragment in cover.fragments]
    state = {"coverage": cover.coverage, "fragments": pieces, "unknown": list(cover.unknown), "examples": n_examples}
    text = " | ".join(pieces) + (f"  (unknown: {', '.join(cover.unknown)})" if cover.unknown else "")
    note = session.note(
        text or "(nothing was found)", parent=sentence.above or session.root, role=sentence.role(name, "cover"), state=state
    )
    session.mark(note, status="kept")
    if cover.coverage is not None and sentence.above is None:
        session.measure(coverage=round(cover.coverage, 6), examples=float(n_examples))
    return note
