"""Chain of thought: one call that works step by step and ends with the answer line.

    1: 9 -> 10 (9 + 1 = 10)
    2: 10 -> 20 (10 * 2 = 20)        each line becomes a thought `cot/step`, a child of the one before
    Answer: 9 -> 10 -> 20            the last one is final

Knows one template, `cot/answer`, and the outline's notion of a step. Does not judge the steps.

Source: Wei et al., arXiv 2201.11903 (with worked examples); Kojima et al., arXiv 2205.11916 (without).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from reasoner.outline import split_steps
from reasoner.strategies import Strategy, shot_messages

if TYPE_CHECKING:
    from reasoner.session import Session
    from reasoner.types import Answer


class ChainOfThought(Strategy):
    """Ask for numbered steps and an answer line, in one call; record the steps as a chain."""

    name = "cot"
    summary = "one call that works step by step to the answer line"

    class Params(Strategy.Params):
        """Parameters of `cot`."""

        shots: int = Field(default=0, ge=0, le=4, description="worked examples shown before the problem")

    params: Params

    async def run(self, session: Session) -> Answer:
        """Ask once and cut the reply into steps; a reply that was cut off is offered as it is."""
        reply = await session.ask("cot/answer", history=shot_messages(session, "cot", self.params.shots))
        last = reply
        for step in split_steps(reply.text):
            session.mark(last, fate="kept")
            last = session.note(
                step.text, parent=last, role="cot/step", state=step.state or None, operation=step.operation, label=step.label
            )
        session.mark(last, fate="final")
        return session.offer(reply.text, reply)
