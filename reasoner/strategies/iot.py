"""Iteration of Thought: a guide and a responder, both the same model, talk about the problem until one of them says it is done.

    round 1   guide      {"thought": "From 9 both moves are open; which keeps 20 in reach?", "stop": false}
              responder  {"response": "9 + 1 = 10 and 10 * 2 = 20. Answer: 9 -> 10 -> 20", "done": true}       autonomous: ends here

`mode=autonomous` (AIoT): 2 calls a round, the guide's stop or the responder's done ends it; where the guide stops, the responder still
answers that round. The answer is the last response, also at `max_rounds`. `mode=guided` (GIoT): exactly `max_rounds` rounds, in which flags
count for nothing and the responder holds its answer back, then one call for the answer: 2N + 1.

With an inner strategy (`iot(cot)`), that strategy answers in the responder's place: it is shown the statement with the guide's thoughts
under it, and says nothing about being done, so that only the guide can end the talk early.

Knows five templates and the fields they ask for. Errors of a call go up to the retry layer and, when it gives up, end the
trajectory as failed; nothing turns them into an empty answer.

Source: Radha et al., "Iteration of Thought", arXiv 2409.12618. Written anew; the published code is AGPL.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from reasoner.drawing import Voice
from reasoner.errors import BudgetExhausted
from reasoner.strategies import Strategy
from reasoner.strategies._branches import open_branch
from reasoner.strategies._structured import as_flag, as_text, read_object
from reasoner.text import excerpt, shorten

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reasoner.session import Session
    from reasoner.trajectory import Thought
    from reasoner.types import Answer

Mode = Literal["autonomous", "guided"]
Transcript = Literal["full", "last"]
Output = Literal["json_schema", "prompt"]

MAX_TRANSCRIPT_CHARS = 200_000
"""What all rounds together may show; each of the texts has its even share, and loses its middle where it is longer."""

_TEXT: dict[str, Any] = {"type": "string"}
_FLAG: dict[str, Any] = {"type": "boolean"}


def _schema(**fields: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": fields, "required": list(fields), "additionalProperties": False}


SCHEMAS: dict[str, dict[str, Any]] = {
    "iot/guide": _schema(thought=_TEXT, stop=_FLAG),
    "iot/respond": _schema(response=_TEXT, done=_FLAG),
    "iot/think": _schema(response=_TEXT),
    "iot/final": _schema(explanation=_TEXT, response=_TEXT),
}
"""What each template asks for; the first string field named `thought` or `response` is what goes into the transcript."""


@dataclass(frozen=True, slots=True)
class Said:
    """One reply as it was read. `flag` is False where it was not said or could not be read."""

    thought: Thought
    text: str
    flag: bool


class IterationOfThought(Strategy):
    """Let a guide and a responder alternate over one transcript."""

    name = "iot"
    summary = "a guide and a responder alternate: until one says it is done (autonomous), or N rounds (guided)"
    takes_inner = True
    voices: ClassVar[Mapping[str, Voice]] = {
        "guide": Voice("Guide", leads=True),
        "respond": Voice("Responder"),
        "think": Voice("Responder"),
        "branch": Voice("Responder"),
        "final": Voice("Answer"),
    }

    class Params(Strategy.Params):
        """Parameters of `iot`."""

        mode: Mode = Field(
            default="autonomous", description="autonomous (AIoT: either may stop) or guided (GIoT: N rounds, then an answer)"
        )
        max_rounds: int = Field(default=5, ge=1, le=50, description="rounds: at most (autonomous) or exactly (guided)")
        transcript: Transcript = Field(default="full", description="full, or last: each call sees the last response only (an ablation)")
        output: Output = Field(default="json_schema", description="json_schema (enforced), or prompt for servers that take no schema")

    params: Params

    async def run(self, session: Session) -> Answer:
        """Alternate as the mode says; every response is offered as the best so far."""
        guided = self.params.mode == "guided"
        turns: list[dict[str, str]] = []
        last = session.root
        answer: Answer | None = None
        for number in range(1, self.params.max_rounds + 1):
            guide = await self._ask(session, "iot/guide", last, turns, number)
            respond = self._inner if self.inner else self._think if guided else self._respond
            response = await respond(session, guide, turns, number)
            session.mark(guide.thought, status="kept")
            session.mark(response.thought, status="kept")
            turns.append({"thought": self._bounded(guide.text), "response": self._bounded(response.text)})
            answer, last = session.offer(response.text, response.thought), response.thought
            if not guided and (guide.flag or response.flag):
                break
        if guided:
            final = await self._ask(session, "iot/final", last, turns, self.params.max_rounds)
            answer, last = session.offer(final.text, final.thought), final.thought
        session.mark(last, status="final")
        assert answer is not None  # max_rounds is at least 1
        return answer

    async def _respond(self, session: Session, guide: Said, turns: list[dict[str, str]], number: int) -> Said:
        return await self._ask(session, "iot/respond", guide.thought, turns, number, thought=self._bounded(guide.text))

    async def _think(self, session: Session, guide: Said, turns: list[dict[str, str]], number: int) -> Said:
        return await self._ask(session, "iot/think", guide.thought, turns, number, thought=self._bounded(guide.text))

    async def _inner(self, session: Session, guide: Said, turns: list[dict[str, str]], number: int) -> Said:
        """Let the inner strategy answer the statement with the dialogue under it."""
        assert self.inner is not None
        statement = session.render("iot/inner", turns=self._seen(turns), thought=self._bounded(guide.text))
        view = open_branch(session, self.inner, role="iot/branch", label=str(number), parent=guide.thought, statement=statement)
        try:
            answer = await self.inner.run(view)
        except BudgetExhausted:
            if view.best is not None:
                session.offer(view.best.text, session.trajectory.thought(view.best.thought_id or view.root.id))
            raise
        session.mark(view.root, status="kept")
        thought = session.trajectory.thought(answer.thought_id) if answer.thought_id else view.root
        _demote(session, view)
        return Said(thought, answer.text, flag=False)

    async def _ask(
        self, session: Session, template: str, parent: Thought, turns: list[dict[str, str]], number: int, *, thought: str = ""
    ) -> Said:
        """Ask for one reply and read its fields; a reply that is no such object is taken whole as text, and its mark says so."""
        reply = await session.ask(
            template,
            parent=parent,
            schema=SCHEMAS[template] if self.params.output == "json_schema" else None,
            truncatable={"turns": "oldest"},
            turns=self._seen(turns),
            thought=thought,
            number=number,
            max_rounds=self.params.max_rounds,
            guided=self.params.mode == "guided",
        )
        fields = [*SCHEMAS[template]["properties"]]
        wanted = "thought" if "thought" in fields else "response"
        text = session.read(reply)
        found = read_object(text, {wanted})
        if found is None:
            session.mark(reply, state={"structured": False})
            return Said(reply, text, flag=False)
        flags = {name: as_flag(found.get(name)) for name in fields if name in {"stop", "done"}}
        session.mark(reply, state={"structured": True, wanted: shorten(as_text(found[wanted]), 2000), **flags})
        return Said(reply, as_text(found[wanted]), flag=any(flags.values()))

    def _bounded(self, text: str) -> str:
        """Cut a text for the transcript, so that all rounds together stay within what a prompt may hold."""
        return excerpt(text, MAX_TRANSCRIPT_CHARS // (2 * self.params.max_rounds))

    def _seen(self, turns: list[dict[str, str]]) -> list[dict[str, str]]:
        """Return what both agents are shown of the dialogue so far: all of it, or the last response without its thought."""
        if self.params.transcript == "full":
            return list(turns)
        return [{"thought": "", "response": turn["response"]} for turn in turns[-1:]]


def _demote(session: Session, view: Session) -> None:
    """Leave the mark of the one final thought to the end of the whole dialogue."""
    for thought in session.trajectory.below(view.root):
        if session.trajectory.mark_of(thought).status == "final":
            session.mark(thought, status="kept")
