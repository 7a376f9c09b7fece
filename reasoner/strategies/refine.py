"""Refine: answer, criticise the answer, revise it; the same model each time, and nothing that it could not have known at first.

    answer     ... Answer: 9 -> 18 -> 19
    critique   The goal is 20, and the last number is 19. Verdict: wrong
    revise     ... Answer: 9 -> 10 -> 20
    critique   Verdict: right                          no further call

It is the control for `repair`, which is told what a check sees. A critique whose verdict cannot be read counts as `wrong`.

Source: Madaan et al., "Self-Refine: Iterative Refinement with Self-Feedback", arXiv 2303.17651.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pydantic import Field

from reasoner.strategies import Strategy
from reasoner.strategies._branches import MAX_SHOWN_CHARS, first_answer
from reasoner.text import excerpt, tail

if TYPE_CHECKING:
    from reasoner.session import Session
    from reasoner.types import Answer

_VERDICT = re.compile(r"\bverdict\b[^\w\n]{0,20}(right|wrong)\b", re.IGNORECASE)


class Refine(Strategy):
    """Criticise an answer and revise it, without feedback."""

    name = "refine"
    summary = "an answer of another strategy (cot), criticised and revised by the same model without feedback"
    takes_inner = True
    default_inner = "cot"

    class Params(Strategy.Params):
        """Parameters of `refine`."""

        rounds: int = Field(default=2, ge=0, le=20, description="critiques with revisions at most")
        until_satisfied: bool = Field(default=True, description="stop at a critique that finds nothing wrong; false: revise in every round")

    params: Params

    async def run(self, session: Session) -> Answer:
        """Answer, then criticise and revise in turn."""
        answer, thought = await first_answer(session, self, role="refine/branch")
        for _ in range(self.params.rounds):
            shown = excerpt(answer.text, MAX_SHOWN_CHARS)
            critique = await session.ask("refine/critique", parent=thought, continued=False, answer=shown)
            said = session.read(critique)
            session.mark(critique, status="kept", state={"satisfied": satisfied(said)})
            if self.params.until_satisfied and satisfied(said):
                break
            session.mark(thought, status="pruned")
            thought = await session.ask(
                "refine/revise", parent=critique, continued=False, answer=shown, critique=excerpt(said, MAX_SHOWN_CHARS)
            )
            answer = session.offer(thought.text, thought)
        session.mark(thought, status="final")
        return answer


def satisfied(text: str) -> bool:
    r"""Tell whether a critique ends in the verdict that the answer is right.

    >>> satisfied("All steps hold.\n**Verdict:** right"), satisfied("Verdict: right? No.\nVerdict: wrong"), satisfied("fine")
    (True, False, False)
    """
    found = _VERDICT.findall(tail(text, 4000))
    return bool(found) and found[-1].lower() == "right"
