"""Chain of thought: one call that works step by step and ends with the answer line.

    1: 9 -> 10 (9 + 1 = 10)
    2: 10 -> 20 (10 * 2 = 20)        each line becomes a thought `cot/step`, a child of the one before
    Answer: 9 -> 10 -> 20            the last one is final

Seven layouts, each a template of its own (`cot:format=irac`); what differs is the wording of the request, and for `answer_first` and
`json` where the answer is read. Knows these templates and the outline's notion of a step. Does not judge the steps.

Source: Wei et al., arXiv 2201.11903 (with worked examples); Kojima et al., arXiv 2205.11916 (without).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from reasoner.layouts.outline import Step, split_steps
from reasoner.strategies import ShotParams, Strategy, shot_messages
from reasoner.strategies._structured import as_text, read_object
from reasoner.text import answer_line

if TYPE_CHECKING:
    from reasoner.session import Session
    from reasoner.trajectory import Thought
    from reasoner.types import Answer

Format = Literal["numbered", "plain", "irac", "explanation_first", "answer_first", "markdown", "json", "fan"]

JSON_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"steps": {"type": "array", "items": {"type": "string"}}, "answer": {"type": "string"}},
    "required": ["steps", "answer"],
    "additionalProperties": False,
}
MAX_JSON_STEPS = 200


class ChainOfThought(Strategy):
    """Ask for steps and an answer line, in one call; record the steps as a chain."""

    name = "cot"
    summary = "one call that works step by step to the answer line"

    class Params(ShotParams):
        """Parameters of `cot`."""

        format: Format = Field(
            default="numbered",
            description="layout of the reply: numbered, plain, irac, explanation_first, answer_first, markdown, json or fan (for models tuned on it)",
        )

    params: Params

    async def run(self, session: Session) -> Answer:
        """Ask once and cut the reply into steps; a reply that was cut off is offered as it is."""
        layout = self.params.format
        template, kind = ("cot/answer", "cot") if layout == "numbered" else (f"cot/{layout}", f"cot-{layout}")
        schema = JSON_SCHEMA if layout == "json" else None
        more: dict[str, Any] = {"solver": session.problem.solver, "line": session.problem.line} if layout == "fan" else {}
        reply = await session.ask(
            template, history=shot_messages(session, kind, self.params, template=template), schema=schema, continued=False, **more
        )
        text = session.read(reply)
        if layout == "json" and (found := read_object(text, {"answer"})) is not None:
            steps = found["steps"] if isinstance(found.get("steps"), list) else []
            lines = [Step(as_text(step), str(number), "", "") for number, step in enumerate(steps[:MAX_JSON_STEPS], start=1)]
            answer = as_text(found["answer"])
            answer = answer if answer_line(answer) is not None else f"Answer: {answer}"
            _record(session, reply, [*lines, Step(answer, "", "", "")])
            return session.offer(answer, reply)
        _record(session, reply, split_steps(text))
        if layout == "answer_first" and (line := answer_line(text, first=True)) is not None:
            return session.offer(f"Answer: {line}", reply)
        return session.offer(text, reply)


def _record(session: Session, reply: Thought, steps: list[Step] | tuple[Step, ...]) -> None:
    """Note the steps as a chain under the reply; its end is final."""
    last = reply
    for step in steps:
        session.mark(last, status="kept")
        last = session.note(step.text, parent=last, role="cot/step", state=step.state or None, operation=step.operation, label=step.label)
    session.mark(last, status="final")
