"""What a sentence says, apart from any language.

    Clause(subject=Phrase("woman", adjective="old"), verb="see", object=Phrase("river"))      the old woman sees the river

Knows no word and no order.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from reasoner.invented.lexicon import Lexicon

Tense = Literal["present", "past", "future"]
Person = Literal["I", "you", "he", "we", "they"]
Number = Literal["one", "many"]

TENSES: tuple[Tense, ...] = ("present", "past", "future")
PERSONS: tuple[Person, ...] = ("I", "you", "he", "we", "they")


@dataclass(frozen=True, slots=True)
class Phrase:
    """A noun with what belongs to it. A name has neither number nor adjective nor owner; an owner has no owner."""

    noun: str
    number: Number = "one"
    adjective: str | None = None
    owner: Phrase | None = None


@dataclass(frozen=True, slots=True)
class Clause:
    """One statement. `subject` is a phrase or a person; what a verb does not take is None."""

    subject: Phrase | Person
    verb: str
    tense: Tense = "present"
    negated: bool = False
    object: Phrase | None = None
    recipient: Phrase | None = None
    place: Phrase | None = None
    time: str | None = None

    @property
    def person(self) -> Person:
        """The person the verb agrees with."""
        if isinstance(self.subject, Phrase):
            return "they" if self.subject.number == "many" else "he"
        return self.subject


class Grammar(ABC):
    """One language: says a clause, and understands one."""

    name: str

    def __init__(self, lexicon: Lexicon) -> None:
        self.lexicon = lexicon

    @abstractmethod
    def realise(self, clause: Clause) -> str:
        """Say a clause."""

    @abstractmethod
    def analyse(self, sentence: str) -> Clause:
        """Understand a sentence.

        Raises:
            BadInstance: it is not one of this language's.
        """
