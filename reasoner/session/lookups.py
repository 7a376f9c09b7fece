"""What a session can look up for a strategy that must see neither the solver nor the database.

    Lookups(shots=..., verify=verify)        async def verify(text): return solver.verify(instance, text)

Whoever runs a strategy closes these functions over what they need; the session passes on their answers and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from reasoner.constraint import Constraint
    from reasoner.session.walk import Walk
    from reasoner.translation.corpus import Corpus
    from reasoner.types import Demonstration, Verdict


@dataclass(frozen=True, slots=True)
class Given:
    """What a strategy may be given of a family: the form of its answers, and its rules."""

    constraint: Callable[[], Constraint | None] | None = None
    """What the answer line must conform to, None where any line will do."""
    walk: Callable[[], Walk] | None = None
    """A walk over the legal moves, of a family that has them."""
    part: Callable[[str, str], str | None] | None = None
    """(reply, part of the problem's text) -> the answer in a reply to that part, None where there is none."""


@dataclass(frozen=True, slots=True)
class Lookups:
    """What a session can look up for a strategy that must not see the solver or the database. All of it is fixed for the problem."""

    shots: Callable[[str, str, int, str], list[Demonstration]] | None = None
    """(kind, template, n, source) -> n worked examples, never the problem itself."""
    canonical: Callable[[str], str | None] | None = None
    """The one spelling of a text's answer, None where it has none."""
    groups: Callable[[Sequence[str]], Awaitable[list[str | None]]] | None = None
    """For each text the one spelling of its answer, the same for texts that answer alike though they are spelt differently."""
    verify: Callable[[str], Awaitable[Verdict]] | None = None
    """The verifier, for strategies that say that they are an upper bound."""
    corpora: Callable[[str], Corpus] | None = None
    """Parallel corpora by name."""
    given: Given = field(default_factory=Given)
