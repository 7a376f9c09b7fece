"""Repair: answer, check what can be seen of the answer, show what failed, and stop as soon as it passes.

    answer   def double(n): return n + n + 1
    check    failed: double(2) gave 5, and 4 was expected
    fix      def double(n): return n + n
    check    passed                                       no further call

The check is the family's visible one (`Solver.visible_check`: form, legality, whether it runs, tests that are shown), made as an action, so that a
replay makes none. The verifier is never asked: an answer that passes may be wrong. `early_stop=false` revises in every round, also what
passed, and gives the last revision: a control for what stopping early is worth. `refine` is the control without a check.

Source: Olausson et al., "Is Self-Repair a Silver Bullet for Code Generation?", arXiv 2306.09896; stopping early as in arXiv 2604.21950.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from reasoner.strategies import Strategy
from reasoner.strategies._branches import MAX_SHOWN_CHARS, first_answer
from reasoner.strategies._checking import CHECK, checked
from reasoner.text import excerpt

if TYPE_CHECKING:
    from reasoner.session import Session
    from reasoner.types import Answer


class Repair(Strategy):
    """Repair an answer by what its visible check says, until it passes."""

    name = "repair"
    summary = "an answer of another strategy (cot), repaired by what its visible check shows until it passes"
    takes_inner = True
    default_inner = "cot"
    needs_tools: ClassVar[tuple[str, ...]] = (CHECK,)

    class Params(Strategy.Params):
        """Parameters of `repair`."""

        rounds: int = Field(default=2, ge=0, le=20, description="repairs at most")
        early_stop: bool = Field(default=True, description="stop as soon as the check passes; false: revise in every round (a control)")

    params: Params

    async def run(self, session: Session) -> Answer:
        """Answer, then check and repair in turn."""
        answer, thought = await first_answer(session, self, role="repair/branch")
        for _ in range(self.params.rounds):
            seen = await checked(session, answer.text, thought)
            if seen.passed and self.params.early_stop:
                break
            session.mark(thought, status="pruned")
            thought = await session.ask(
                "repair/fix",
                parent=thought,
                continued=False,
                answer=excerpt(answer.text, MAX_SHOWN_CHARS),
                passed=seen.passed,
                told=seen.told,
            )
            answer = session.offer(thought.text, thought)
        session.mark(thought, status="final")
        return answer
