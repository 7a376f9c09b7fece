"""Guided: the family's rules say which steps are legal, and the model can write no other; it chooses, one call a step.

    state 9     9 * 2 = 18 | 9 + 1 = 10          constraint: one of these lines
    reply       9 + 1 = 10
    state 10    10 * 2 = 20 | 10 + 1 = 11 | done

The rules are given, so this is no equal of strategies that have to keep to them by themselves, and a table shows it by its name. No goal test is given: the
model says when it is done, or the walk ends where nothing is legal any more. The answer is written along the steps taken. For families with moves.

Source: decoding that a validator steers, as in VOLTS (PMLR 318); one call a step here, instead of one token.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pydantic import Field

from reasoner.constraint import Constraint
from reasoner.strategies import Strategy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reasoner.session import Session
    from reasoner.types import Answer

DONE = "done"
_SPECIAL = re.compile(r"([\\.+*?()|\[\]{}^$#&~-])")


class Guided(Strategy):
    """Choose legal steps, one call each."""

    name = "guided"
    summary = "chooses among the legal steps of a family with moves, one call a step; the rules are given, the goal is not"

    class Params(Strategy.Params):
        """Parameters of `guided`."""

        max_steps: int = Field(default=30, ge=1, le=200, description="steps at most")
        max_options: int = Field(default=200, ge=2, le=2000, description="legal steps offered at most, the first of them")

    params: Params

    async def run(self, session: Session) -> Answer:
        """Take steps until the model is done, nothing is legal, or the steps are used up.

        Raises:
            BadConfig: the family has no moves.
        """
        walk = session.walk()
        at, taken = session.root, list[str]()
        for _ in range(self.params.max_steps):
            options = walk.options()[: self.params.max_options]
            if not options:
                break
            offered = [*options, *([DONE] if taken else [])]
            reply = await session.ask(
                "guided/step", parent=at, schema=one_of(offered), taken=list(taken), stands=walk.state, options=options
            )
            chosen = chosen_of(session.read(reply), offered)
            if chosen is None and not taken:
                session.mark(reply, status="final")
                return session.offer(reply.text, reply)  # a server that keeps no constraint, and a model that writes something else
            if chosen is None or chosen == DONE:
                session.mark(reply, status="pruned" if chosen is None else "kept")
                break
            walk.take(chosen)
            taken.append(chosen)
            session.mark(reply, status="kept")
            at = session.note(chosen, parent=reply, role="guided/step", state=walk.state, operation=chosen)
            session.mark(at, status="kept")
            session.offer(walk.answer(), at)
        session.mark(at, status="final")
        return session.offer(walk.answer(), at)


def one_of(options: Sequence[str]) -> Constraint:
    """Return the constraint that a reply is one of the lines."""
    return Constraint.regex("|".join(_SPECIAL.sub(r"\\\1", option) for option in options), after_thought=True)


def chosen_of(text: str, options: Sequence[str]) -> str | None:
    r"""Return the option that a reply begins or ends with, a line of its own, whatever its blanks; a list of options chooses none.

    >>> chosen_of("I take\n9+1 = 10", ["9 * 2 = 18", "9 + 1 = 10"]), chosen_of("10", ["9 + 1 = 10"])
    ('9 + 1 = 10', None)
    """
    known = {"".join(option.split()).casefold(): option for option in options}
    lines = ["".join(line.split()).casefold() for line in text[:20_000].strip().splitlines()[:200]]
    return next((known[line] for line in (*lines[:1], *lines[-1:]) if line in known), None)
