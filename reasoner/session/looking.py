"""The part of a session through which a strategy looks things up: worked examples, what answers are alike, rules, corpora."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from reasoner.errors import BadConfig
from reasoner.grading.groups import grouped
from reasoner.text import plain_answer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reasoner.constraint import Constraint
    from reasoner.session.lookups import Lookups
    from reasoner.session.walk import Walk
    from reasoner.translation.corpus import Corpus
    from reasoner.types import Demonstration, Problem


class Looking(ABC):
    """What `Session` offers to strategies that look things up."""

    problem: Problem
    _lookups: Lookups

    @abstractmethod
    def _plain(self, text: str) -> str:
        """Undo the number format that the model was shown."""

    def shots(self, kind: str, n: int, *, source: str = "corpora", template: str = "") -> list[Demonstration]:
        """Return n worked examples for this solver, never the problem itself.

        From `corpora` they are those of a kind (`cot`); from `store`, verified answers to the same `template` of earlier runs.

        Raises:
            BadConfig: there are not that many.
        """
        if not n:
            return []
        if self._lookups.shots is None:
            raise BadConfig(f"this session has no worked examples, and {n} of kind {kind!r} were asked for", hint="use shots=0")
        return self._lookups.shots(kind, template, n, source)

    def canonical_answer(self, text: str) -> str | None:
        """Return the one spelling of a text's answer, None where it has none; equal exactly when two texts answer alike. No verdict."""
        plain = self._plain(text)
        return plain_answer(plain) if self._lookups.canonical is None else self._lookups.canonical(plain)

    def answer_constraint(self) -> Constraint | None:
        """Return what the problem's answer line, marker included, must conform to; None where any line will do."""
        return None if self._lookups.given.constraint is None else self._lookups.given.constraint()

    def walk(self) -> Walk:
        """Return a walk over the problem's legal moves, at its start.

        Raises:
            BadConfig: the family has no moves.
        """
        if self._lookups.given.walk is None:
            raise BadConfig(f"{self.problem.solver} has no moves, so there are no legal steps to choose from", hint="use cot, say")
        return self._lookups.given.walk()

    async def answer_groups(self, texts: Sequence[str]) -> list[str | None]:
        """Return for each text the one spelling of its answer, the same for texts that answer alike; None where one has no answer.

        Unlike `canonical_answer` it also joins answers that are equal without being spelt alike, under the spelling that is met first.
        """
        plain = [self._plain(text) for text in texts]
        return grouped(plain, plain_answer) if self._lookups.groups is None else await self._lookups.groups(plain)

    def corpus(self, name: str) -> Corpus:
        """Return an opened parallel corpus; the empty name is the shipped one.

        Raises:
            DataError: there is none of that name.
            BadConfig: this session has no corpora.
        """
        if self._lookups.corpora is None:
            raise BadConfig(
                f"this session has no corpora, and {name or 'the shipped one'} was asked for", hint="run it through reasoner.runs.runner"
            )
        return self._lookups.corpora(name)

    def part_answer(self, text: str, part: str) -> str | None:
        """Return the answer in a reply to a part of the problem's text, as it is written; None where there is none, or parts are not asked for."""
        return None if self._lookups.given.part is None else self._lookups.given.part(self._plain(text), part)
