"""Selvan, Torvic and Mesrin: how each builds words and orders them.

One sentence three times:

    Selvan   yesterday the-woman old in-the-river the-boat-ACC not gave-she
    Torvic   not-gave-she the-woman old the-boat-ACC in-the-river yesterday
    Mesrin   the-old woman gave-she not the-boat in river yesterday

Words are understood by a table of all forms made from the dictionary by the same rules, sentences by the cases of their words.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Literal, get_args

from reasoner.errors import BadInstance
from reasoner.invented.meaning import PERSONS, TENSES, Clause, Grammar, Number, Person, Phrase, Tense

if TYPE_CHECKING:
    from reasoner.invented.lexicon import Lexicon

Case = Literal["nominative", "accusative", "genitive", "dative", "locative"]
CASES: tuple[Case, ...] = get_args(Case)
NUMBERS: tuple[Number, ...] = ("one", "many")
Slot = Literal["subject", "object", "recipient", "place", "verb", "time"]
_SLOT_OF: dict[Case, Slot] = {"nominative": "subject", "accusative": "object", "dative": "recipient", "locative": "place"}


@dataclass(frozen=True, slots=True)
class Word:
    """What a form is: of which headword, with which marks. Particles have only a class."""

    word_class: str
    word: str = ""
    number: Number = "one"
    case: Case = "nominative"
    tense: Tense = "present"
    person: Person = "he"
    negated: bool = False


class Variety(Grammar):
    """What the three have in common: forms from stems, phrases from forms, and the way back."""

    order: tuple[Slot, ...]
    adjective_first = False
    owner_first = False
    negation: str = ""
    """The particle; empty where the verb carries the mark itself."""

    def __init__(self, lexicon: Lexicon) -> None:
        super().__init__(lexicon)
        self._forms: dict[str, Word] = {}
        for form, word in self.all_forms():
            if self._forms.setdefault(form, word) != word:
                raise ValueError(f"{self.name}: {form} is both {self._forms[form]} and {word}")

    @abstractmethod
    def noun(self, stem: str, number: Number, case: Case) -> str:
        """Return a noun's form; a language without a case gives the bare form."""

    @abstractmethod
    def adjective(self, stem: str, number: Number) -> str:
        """Return an adjective's form."""

    @abstractmethod
    def verb(self, stem: str, tense: Tense, person: Person, *, negated: bool) -> str:
        """Return a verb's form."""

    def preposition(self, case: Case) -> str:  # noqa: ARG002 - for those that have some
        """Return the word before a phrase of a case; empty where the noun shows it."""
        return ""

    def pronoun(self, person: Person) -> str:  # noqa: ARG002 - for those that have some
        """Return the subject pronoun; empty where the verb shows the person."""
        return ""

    def marked(self, case: Case) -> bool:
        """Tell whether nouns show a case."""
        return not self.preposition(case)

    def all_forms(self) -> Iterable[tuple[str, Word]]:
        """Yield every form of every word, with what it is."""
        for entry in (*self.lexicon.of("noun"), *self.lexicon.of("name")):
            for number in NUMBERS if entry.word_class == "noun" else NUMBERS[:1]:
                for case in CASES:
                    if self.marked(case):
                        yield self.noun(entry.stems[self.name], number, case), Word("noun", entry.word, number, case)
        for entry in self.lexicon.of("adjective"):
            for number in NUMBERS:
                yield self.adjective(entry.stems[self.name], number), Word("adjective", entry.word)
        for entry in self.lexicon.of("verb"):
            for tense in TENSES:
                for person in PERSONS:
                    for negated in (False, True) if not self.negation else (False,):
                        form = self.verb(entry.stems[self.name], tense, person, negated=negated)
                        yield form, Word("verb", entry.word, tense=tense, person=person, negated=negated)
        for entry in self.lexicon.of("time"):
            yield entry.stems[self.name], Word("time", entry.word)
        if self.negation:
            yield self.negation, Word("not")
        yield from ((word, Word("pronoun", person=person)) for person in PERSONS if (word := self.pronoun(person)))
        for case in CASES:
            if self.preposition(case):
                yield self.preposition(case), Word("preposition", case=case)

    def realise(self, clause: Clause) -> str:
        """Say a clause."""
        words = [word for slot in self.order for word in self._slot(clause, slot)]
        text = " ".join(words)
        return text[0].upper() + text[1:] + "."

    def _slot(self, clause: Clause, slot: Slot) -> list[str]:
        if slot == "verb":
            return self._verb(clause)
        if slot == "time":
            return [self.lexicon.entries[clause.time].stems[self.name]] if clause.time else []
        if slot == "subject":
            if isinstance(clause.subject, Phrase):
                return self._phrase(clause.subject, "nominative")
            return [word] if (word := self.pronoun(clause.subject)) else []
        phrase: Phrase | None = getattr(clause, slot)
        case = next(case for case, filled in _SLOT_OF.items() if filled == slot)
        return self._phrase(phrase, case) if phrase else []

    def _verb(self, clause: Clause) -> list[str]:
        stem = self.lexicon.entries[clause.verb].stems[self.name]
        return [self.verb(stem, clause.tense, clause.person, negated=clause.negated)]

    def _phrase(self, phrase: Phrase, case: Case) -> list[str]:
        entries = self.lexicon.entries
        before = [self.preposition(case)] if self.preposition(case) else []
        words = [self.noun(entries[phrase.noun].stems[self.name], phrase.number, case)]
        if phrase.adjective:
            form = self.adjective(entries[phrase.adjective].stems[self.name], phrase.number)
            words = [form, *words] if self.adjective_first else [*words, form]
        if phrase.owner:
            owner = self._phrase(phrase.owner, "genitive")
            words = [*owner, *words] if self.owner_first else [*words, *owner]
        return [*before, *words]

    def analyse(self, sentence: str) -> Clause:
        """Understand a sentence by the cases of its words."""
        words = self._words(sentence)
        phrases = self._phrases(words)
        verbs = [word for word in words if word.word_class == "verb"]
        times = [word.word for word in words if word.word_class == "time"]
        if len(verbs) != 1 or len(times) > 1:
            raise BadInstance(f"{self.name}: a sentence has one verb and at most one time")
        verb = verbs[0]
        filled = self._filled(phrases)
        subject: Phrase | Person = filled.get("subject") or verb.person
        negated = verb.negated or any(word.word_class == "not" for word in words)
        time = times[0] if times else None
        clause = Clause(subject, verb.word, verb.tense, negated, filled.get("object"), filled.get("recipient"), filled.get("place"), time)
        if clause.person != verb.person:
            raise BadInstance(f"{self.name}: the verb does not agree with its subject")
        return clause

    def _words(self, sentence: str) -> list[Word]:
        text = sentence.strip().rstrip(".")
        words: list[Word] = []
        for form in (text[:1].lower() + text[1:]).split():
            if form not in self._forms:
                raise BadInstance(f"{self.name}: the word {form[:40]!r} is unknown")
            words.append(self._forms[form])
        return words

    def _phrases(self, words: Sequence[Word]) -> list[tuple[Word, Phrase]]:
        """Group nouns with their adjectives and owners; an owner belongs to the noun beside it."""
        heads: list[tuple[Word, Phrase]] = []
        waiting: Word | None = None
        case: Case | None = None
        for word in words:
            if word.word_class == "preposition":
                case = word.case
            elif word.word_class == "noun":
                marked = replace(word, case=case) if case and word.case == "nominative" else word
                heads.append((marked, Phrase(word.word, word.number, waiting.word if waiting else None)))
                waiting, case = None, None
            elif word.word_class == "adjective" and self.adjective_first:
                waiting = word
            elif word.word_class == "adjective":
                if not heads:
                    raise BadInstance(f"{self.name}: an adjective has no noun")
                heads[-1] = heads[-1][0], replace(heads[-1][1], adjective=word.word)
        made: list[tuple[Word, Phrase]] = []
        owner: Phrase | None = None
        for head, phrase in heads:
            if head.case != "genitive":
                made.append((head, replace(phrase, owner=owner)))
                owner = None
            elif self.owner_first:
                owner = phrase
            elif made:
                made[-1] = made[-1][0], replace(made[-1][1], owner=phrase)
            else:
                raise BadInstance(f"{self.name}: an owner has no noun")
        return made

    def _filled(self, phrases: Sequence[tuple[Word, Phrase]]) -> dict[str, Phrase]:
        filled: dict[str, Phrase] = {}
        for word, phrase in phrases:
            slot = _SLOT_OF.get(word.case)
            if slot is None or slot in filled:
                raise BadInstance(f"{self.name}: two phrases have the same part in the sentence")
            filled[slot] = phrase
        return filled


def _is_back(stem: str) -> bool:
    """Tell whether a stem's last vowel is a back one, which harmony follows."""
    return next((letter in "aou" for letter in reversed(stem) if letter in "aeiou"), True)


class Selvan(Variety):
    """Verb last; owner before, adjective after its noun; suffixes in harmony; a negative particle before the verb."""

    name = "Selvan"
    order = ("time", "subject", "place", "recipient", "object", "verb")
    owner_first = True
    negation = "ne"
    _CASE: ClassVar[Mapping[Case, tuple[str, str]]] = {
        "nominative": ("", ""), "accusative": ("am", "em"), "genitive": ("os", "es"), "dative": ("ad", "ed"), "locative": ("un", "in"),
    }  # fmt: skip
    _TENSE: ClassVar[Mapping[Tense, tuple[str, str]]] = {"present": ("", ""), "past": ("sta", "ste"), "future": ("vor", "ver")}
    _PERSON: ClassVar[Mapping[Person, str]] = {"I": "mi", "you": "ti", "he": "s", "we": "mur", "they": "nt"}

    def noun(self, stem: str, number: Number, case: Case) -> str:
        """Stem, plural, case."""
        harmony = 0 if _is_back(stem) else 1
        plural = ("ar", "er")[harmony] if number == "many" else ""
        return _joined(stem, plural, self._CASE[case][harmony], link="j")

    def adjective(self, stem: str, number: Number) -> str:
        """Stem and plural; no case."""
        return _joined(stem, ("ar" if _is_back(stem) else "er") if number == "many" else "", link="j")

    def verb(self, stem: str, tense: Tense, person: Person, *, negated: bool) -> str:  # noqa: ARG002 - a particle says it
        """Stem, tense, person."""
        vowel = "a" if _is_back(stem) else "e"
        stem = stem if stem[-1] in "aeiou" else stem + vowel
        return stem + self._TENSE[tense][0 if vowel == "a" else 1] + self._PERSON[person]

    def _verb(self, clause: Clause) -> list[str]:
        return [*([self.negation] if clause.negated else []), *super()._verb(clause)]


class Torvic(Variety):
    """Verb first; adjective and owner after their noun; suffixes that fit the stem's end; a negative prefix."""

    name = "Torvic"
    order = ("verb", "subject", "object", "recipient", "place", "time")
    _CASE: ClassVar[Mapping[Case, str]] = {"nominative": "", "accusative": "u", "genitive": "ai", "dative": "et", "locative": "esh"}
    _TENSE: ClassVar[Mapping[Tense, str]] = {"present": "", "past": "ash", "future": "ov"}
    _PERSON: ClassVar[Mapping[Person, str]] = {"I": "em", "you": "et", "he": "a", "we": "imo", "they": "anu"}

    def noun(self, stem: str, number: Number, case: Case) -> str:
        """Stem, plural, case."""
        return _joined(stem, "ik" if number == "many" else "", self._CASE[case], link="n")

    def adjective(self, stem: str, number: Number) -> str:
        """Stem and plural."""
        return _joined(stem, "ik" if number == "many" else "", link="n")

    def verb(self, stem: str, tense: Tense, person: Person, *, negated: bool) -> str:
        """Negation, stem, tense, person."""
        return ("no" if negated else "") + _joined(stem, self._TENSE[tense], self._PERSON[person], link="y")


class Mesrin(Variety):
    """English's order; adjective before, owner after its noun; two prepositions; pronouns; a negative particle after the verb."""

    name = "Mesrin"
    order = ("subject", "verb", "object", "recipient", "place", "time")
    adjective_first = True
    negation = "mik"
    _TENSE: ClassVar[Mapping[Tense, str]] = {"present": "", "past": "t", "future": "lo"}
    _PERSON: ClassVar[Mapping[Person, str]] = {"I": "o", "you": "i", "he": "e", "we": "on", "they": "en"}
    _PRONOUN: ClassVar[Mapping[Person, str]] = {"I": "mo", "you": "tu", "he": "si", "we": "moi", "they": "sei"}
    _PREPOSITION: ClassVar[Mapping[Case, str]] = {"dative": "da", "locative": "en"}

    def noun(self, stem: str, number: Number, case: Case) -> str:
        """Stem, plural and, for owners, a genitive."""
        return _joined(stem, "es" if number == "many" else "", "is" if case == "genitive" else "", link="r")

    def adjective(self, stem: str, number: Number) -> str:  # noqa: ARG002 - it does not change
        """Return the stem; it does not change, but ends in -ul."""
        return _joined(stem, "ul", link="r")

    def verb(self, stem: str, tense: Tense, person: Person, *, negated: bool) -> str:  # noqa: ARG002 - a particle says it
        """Stem, tense, person."""
        return _joined(_joined(stem, self._TENSE[tense] and "a" + self._TENSE[tense], link="r"), self._PERSON[person], link="v")

    def preposition(self, case: Case) -> str:
        """Return `da` before a recipient, `en` before a place."""
        return self._PREPOSITION.get(case, "")

    def pronoun(self, person: Person) -> str:
        """Return the subject pronoun."""
        return self._PRONOUN[person]

    def marked(self, case: Case) -> bool:
        """Tell that only owners have a case of their own."""
        return case in {"nominative", "genitive"}

    def _verb(self, clause: Clause) -> list[str]:
        return [*super()._verb(clause), *([self.negation] if clause.negated else [])]

    def _phrases(self, words: Sequence[Word]) -> list[tuple[Word, Phrase]]:
        """Read the order as well: what stands after the verb without a preposition is the object."""
        at = next((n for n, word in enumerate(words) if word.word_class == "verb"), len(words))
        after = super()._phrases(words[at:])
        objects = [(replace(word, case="accusative") if word.case == "nominative" else word, phrase) for word, phrase in after]
        return [*super()._phrases(words[:at]), *objects]


def _joined(stem: str, *suffixes: str, link: str) -> str:
    """Join a stem and suffixes; between two vowels the language's own consonant links."""
    for suffix in suffixes:
        if suffix and stem[-1] in "aeiou" and suffix[0] in "aeiou":
            stem += link
        stem += suffix
    return stem
