"""How a translation strategy asks: a sentence as a whole where it fits in the model's context, else its clauses one after the other.

    fragment_shot                       the sentence does not fit, even without an example
      fragment_shot/parts               "left half | right half", cut at a clause
        fragment_shot/part              each looked up and asked like a sentence, and cut again where it does not fit either
      fragment_shot/joined              "Answer: ...", the answers in order with what stood between the halves

A sentence whose answer certainly has more tokens than a reply may have is cut without being asked. Nothing of the sentence, a tag or a placeholder
is lost or cut (`reasoner.translation.clauses`); the measure `parts` says how many there were. Knows what a strategy looks up as a `Question`.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from reasoner.errors import ContextTooLong, NoAnswerFound
from reasoner.strategies import Strategy
from reasoner.strategies._translating import Question, RetrievalParams, asked_form, glossary_rows, glossed, sentence_of
from reasoner.translation.clauses import halves
from reasoner.translation.documents import MARKER

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reasoner.session import Session
    from reasoner.strategies._translating import Sentence
    from reasoner.trajectory import Thought
    from reasoner.types import Answer

MAX_BYTES_A_TOKEN = 4
"""Bytes of the source for each token of an answer, beyond which the answer cannot be whole."""


@dataclass(frozen=True, slots=True)
class Part:
    """A translated part of a sentence: its text, the examples shown, how many parts it was asked in, and how many replies were cut off."""

    text: str
    n_examples: int = 0
    n_parts: int = 1
    n_cut: int = 0


class TranslationStrategy(Strategy):
    """A strategy for translation problems that reads corpora."""

    solvers = ("translation",)

    params: RetrievalParams

    @abstractmethod
    def question(self, session: Session, sentence: Sentence) -> Question | Answer:
        """Look a sentence up, and return what to ask; an answer where the memory has one."""

    async def run(self, session: Session) -> Answer:
        """Look the sentence up, then ask once, with as many examples as fit, or its clauses where it does not fit without any.

        A reply to the whole sentence that was cut off is offered as it is.
        """
        sentence = sentence_of(session, self.name)
        terms = glossed(session, self.params, sentence, self.name)
        question = self.question(session, sentence)
        if not isinstance(question, Question):
            terms.check(session, question.text)
            return question
        reply = await self._reply(session, sentence, question, terms.rows)
        if reply is None:
            made, note = await self._in_parts(session, sentence, question.note)
            thought = session.note(f"Answer: {made.text}", parent=note, role=f"{self.name}/joined", state={"parts": made.n_parts})
            session.measure(parts=float(made.n_parts), **({"cut": float(made.n_cut)} if made.n_cut else {}))
            text, n_examples = thought.text, made.n_examples
        else:
            thought, text = reply, reply.text
            n_examples = self._n_examples(session, sentence, question, reply)
        if question.measures_examples:
            session.measure(examples=float(n_examples))
        terms.check(session, text)
        session.mark(thought, status="final")
        return session.offer(text, thought)

    async def _reply(self, session: Session, sentence: Sentence, question: Question, terms: list[dict[str, Any]]) -> Thought | None:
        """Ask a question; None where no form of it fits and its sentence can be cut."""
        divisible = halves(sentence.text) is not None
        if divisible and len(sentence.text.encode()) > MAX_BYTES_A_TOKEN * session.max_tokens:
            return None
        forms, _ = in_context(session, sentence, question)
        try:
            return await session.ask(
                question.template, parent=question.note, fewer=forms[1:], room=question.room, divisible=divisible, terms=terms, discard_cache=True,
                state={"part": sentence.text} if sentence.above else None, source=sentence.source, target=sentence.target,
                **question.variables, **forms[0],
            )  # fmt: skip
        except ContextTooLong:
            if not divisible:
                raise
            return None

    def _n_examples(self, session: Session, sentence: Sentence, question: Question, reply: Thought) -> int:
        return in_context(session, sentence, question)[1][asked_form(session, reply)]

    async def _in_parts(self, session: Session, sentence: Sentence, above: Thought) -> tuple[Part, Thought]:
        """Translate the two halves of a sentence that can be cut, and return them joined, and the thought that holds the cut."""
        left, gap, right = halves(sentence.text) or (sentence.text, "", "")
        note = session.note(f"{left} | {right}", parent=above, role=f"{self.name}/parts", state={"parts": [left, right]})
        session.mark(note, status="kept")
        made: list[Part] = []
        for text in (left, right):
            own = session.note(text, parent=note, role=f"{self.name}/part")
            session.mark(own, status="kept")
            made.append(await self._part(session, replace(sentence, text=text, above=own), own))
        first, second = made
        joined = f"{ended_like(first.text, left)}{gap}{ended_like(second.text, right)}"
        return Part(joined, *(a + b for a, b in zip(_counts(first), _counts(second), strict=True))), note

    async def _part(self, session: Session, part: Sentence, above: Thought) -> Part:
        """Translate a part, in parts of its own where it does not fit or its reply was cut off.

        Raises:
            NoAnswerFound: the model refused, or there is no translation in its reply.
        """
        question = self.question(session, part)
        if not isinstance(question, Question):
            return Part(self._translation(session, question.text, part))
        reply = await self._reply(session, part, question, glossary_rows(session, self.params, part))
        is_cut = reply is not None and reply.finish_reason == "length"
        if reply is None or (is_cut and halves(part.text) is not None):
            made, _ = await self._in_parts(session, part, above)
            return made
        session.mark(reply, status="kept")
        return Part(self._translation(session, reply.text, part), self._n_examples(session, part, question, reply), n_cut=int(is_cut))

    def _translation(self, session: Session, text: str, part: Sentence) -> str:
        found = session.part_answer(text, part.text)
        if found is None:
            raise NoAnswerFound(
                "the sentence was translated in parts, and of one the model gave no translation",
                hint="raise the context of the model, or split the sentence",
            )
        return found


def _counts(part: Part) -> tuple[int, int, int]:
    return part.n_examples, part.n_parts, part.n_cut


def ended_like(text: str, source: str) -> str:
    """Return the translation of a part without a full stop that its source has not, and with the comma, semicolon or colon that it has.

    Models end what they take for a sentence.
    """
    last = source[-1:]
    if text.endswith(".") and not text.endswith("..") and last not in ".!?…\"'’”»)]":
        text = text[:-1].rstrip()
    return f"{text}{last}" if last in {",", ";", ":"} and text[-1:].isalnum() else text


def in_context(session: Session, sentence: Sentence, question: Question) -> tuple[list[dict[str, Any]], list[int]]:
    """Return the forms of a question with what stands before the sentence, less of it in some more forms, and their counts of examples.

    Up to the form `kept` all sentences before it are shown, after that form ever fewer, the nearest longest, and in those that follow none.
    """
    before = list(sentence.before)
    at = [n for n in range(len(question.forms)) for _ in range(1 + (len(before) if n == question.kept else 0))]
    texts = {n: _text(session, sentence, before[n:]) for n in range(len(before) + 1)}
    made = [{**question.forms[n], **texts[max(0, min(len(before), place - question.kept))]} for place, n in enumerate(at)]
    return made, [question.counts[n] for n in at]


def _text(session: Session, sentence: Sentence, before: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    """Return the variables of a template that hold the sentence and what stands before it: each by itself, and both as a statement.

    A template takes what its front matter names. The statement is left out where it is the problem's own.
    """
    marker = MARKER.search(sentence.text)
    shown = {"sentence": sentence.text, "before": before, "marker": marker[0] if marker else ""}
    if sentence.above is None and len(before) == len(sentence.before):
        return shown
    return {**shown, "statement": session.render("solvers/translation", source=sentence.source, target=sentence.target, **shown)}
