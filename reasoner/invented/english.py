"""The English of the corpus: one article, five pronouns, three tenses.

    The old woman of the king did not give the boats to Ana in the river yesterday.

Knows the lists of the dictionary; an `of` belongs to the noun before it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reasoner.errors import BadInstance
from reasoner.invented.meaning import PERSONS, Clause, Grammar, Person, Phrase, Tense

if TYPE_CHECKING:
    from reasoner.invented.lexicon import Lexicon

_AUXILIARIES: dict[str, Tense] = {"do": "present", "does": "present", "did": "past", "will": "future"}


class English(Grammar):
    """Subject, verb, object, recipient, place, time."""

    name = "English"

    def __init__(self, lexicon: Lexicon) -> None:
        super().__init__(lexicon)
        self._nouns = {entry.word: (entry.word, False) for entry in lexicon.of("noun")} | {
            e.forms[0]: (e.word, True) for e in lexicon.of("noun")
        }
        self._adjectives = {entry.word for entry in lexicon.of("adjective")}
        self._times = {entry.word for entry in lexicon.of("time")}
        self._verbs: dict[str, tuple[str, Tense]] = {}
        for entry in lexicon.of("verb"):
            third, past = entry.forms
            self._verbs |= {entry.word: (entry.word, "present"), third: (entry.word, "present"), past: (entry.word, "past")}

    def realise(self, clause: Clause) -> str:
        """Say a clause."""
        words = [*self._subject(clause), *self._verb(clause)]
        if clause.object:
            words += self._phrase(clause.object)
        if clause.recipient:
            words += ["to", *self._phrase(clause.recipient)]
        if clause.place:
            words += ["in", *self._phrase(clause.place)]
        if clause.time:
            words.append(clause.time)
        text = " ".join(words)
        return text[0].upper() + text[1:] + "."

    def _subject(self, clause: Clause) -> list[str]:
        return self._phrase(clause.subject) if isinstance(clause.subject, Phrase) else [clause.subject]

    def _verb(self, clause: Clause) -> list[str]:
        third, past = self.lexicon.entries[clause.verb].forms
        not_ = ["not"] if clause.negated else []
        if clause.tense == "future":
            return ["will", *not_, clause.verb]
        if clause.negated:
            auxiliary = "did" if clause.tense == "past" else "does" if clause.person == "he" else "do"
            return [auxiliary, "not", clause.verb]
        if clause.tense == "past":
            return [past]
        return [third if clause.person == "he" else clause.verb]

    def _phrase(self, phrase: Phrase) -> list[str]:
        entry = self.lexicon.entries[phrase.noun]
        if entry.word_class == "name":
            return [phrase.noun]
        words = ["the", *([phrase.adjective] if phrase.adjective else []), entry.forms[0] if phrase.number == "many" else entry.word]
        return words + (["of", *self._phrase(phrase.owner)] if phrase.owner else [])

    def analyse(self, sentence: str) -> Clause:
        """Understand a sentence."""
        words = sentence.strip().rstrip(".").split()
        if words and words[0] not in self.lexicon.names:
            words[0] = words[0] if words[0] == "I" else words[0][0].lower() + words[0][1:]
        words.reverse()  # the next word is at the end
        subject = self._read_subject(words)
        verb, tense, negated = self._read_verb(words)
        takes = self.lexicon.entries[verb].takes
        obj = self._read_phrase(words) if takes in {"object", "recipient"} else None
        recipient = self._read_after("to", words) if takes == "recipient" else None
        place = self._read_after("in", words)
        time = words.pop() if words and words[-1] in self._times else None
        if words:
            raise BadInstance(f"English: {words[-1]!r} was not expected there")
        return Clause(subject, verb, tense, negated, obj, recipient, place, time)

    def _read_subject(self, words: list[str]) -> Phrase | Person:
        for person in PERSONS:
            if words and words[-1] == person:
                words.pop()
                return person
        return self._read_phrase(words)

    def _read_verb(self, words: list[str]) -> tuple[str, Tense, bool]:
        first = _next(words)
        if first in _AUXILIARIES:
            negated = bool(words) and words[-1] == "not"
            if negated:
                words.pop()
            verb = _next(words)
            if verb in self._verbs and self._verbs[verb][0] == verb:
                return verb, _AUXILIARIES[first], negated
            raise BadInstance(f"English: the verb {verb[:40]!r} is unknown")
        if first not in self._verbs:
            raise BadInstance(f"English: the verb {first[:40]!r} is unknown")
        return *self._verbs[first], False

    def _read_after(self, preposition: str, words: list[str]) -> Phrase | None:
        if not words or words[-1] != preposition:
            return None
        words.pop()
        return self._read_phrase(words)

    def _read_phrase(self, words: list[str], *, may_own: bool = True) -> Phrase:
        word = _next(words)
        if word in self.lexicon.names:
            return Phrase(word)
        if word != "the":
            raise BadInstance(f"English: {word[:40]!r} was found where a noun phrase starts")
        word = _next(words)
        adjective = word if word in self._adjectives else None
        if adjective:
            word = _next(words)
        if word not in self._nouns:
            raise BadInstance(f"English: the noun {word[:40]!r} is unknown")
        noun, is_many = self._nouns[word]
        owner = None
        if may_own and words and words[-1] == "of":
            words.pop()
            owner = self._read_phrase(words, may_own=False)
        return Phrase(noun, "many" if is_many else "one", adjective, owner)


def _next(words: list[str]) -> str:
    if not words:
        raise BadInstance("English: the sentence ends too early")
    return words.pop()
