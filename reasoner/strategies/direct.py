"""Direct: ask once, take the answer line, reason nowhere. The floor that every other strategy is compared with.

    reasoner solve game24 "4 9 10 13" --strategy direct:shots=2

Knows one template, `direct/answer`. Does not look at the reply; the verifier does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reasoner.strategies import ShotParams, Strategy, shot_messages

if TYPE_CHECKING:
    from reasoner.session import Session
    from reasoner.types import Answer


class Direct(Strategy):
    """Ask for the answer line and nothing else, in one call."""

    name = "direct"
    summary = "one call that asks for the answer line only"

    class Params(ShotParams):
        """Parameters of `direct`."""

    params: Params

    async def run(self, session: Session) -> Answer:
        """Ask once; a reply that was cut off is offered as it is."""
        reply = await session.ask(
            "direct/answer", history=shot_messages(session, "direct", self.params, template="direct/answer"), continued=False
        )
        session.mark(reply, status="final")
        return session.offer(reply.text, reply)
