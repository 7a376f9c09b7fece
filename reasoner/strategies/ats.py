"""Autonomous tree search: one call in which the model itself writes down a whole search, breadth first or depth first.

    Step 1
    1: 9 -> 10 (9 + 1 = 10)          each line becomes a thought `ats/step` under the line it continues
    2: 9 -> 18 (9 * 2 = 18) x        x: pruned
    Step 2
    1.1: 9 -> 10 -> 20 (10 * 2 = 20)
    Goal: 1.1                        the path to it: kept, kept, final; what leads elsewhere: pruned
    Answer: 9 -> 10 -> 20

Knows two templates (`ats/bfs`, `ats/dfs`) and the outline they ask for. Does not know any puzzle, and does not check the moves.

Source: Zhang et al., "Autonomous Tree-search Ability of Large Language Models", arXiv 2310.10686. Written anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from reasoner.layouts import fan
from reasoner.layouts.outline import Outline, format_label, parse, parse_chain
from reasoner.strategies import ShotParams, Strategy, shot_messages

if TYPE_CHECKING:
    from reasoner.session import Session
    from reasoner.trajectory import Thought
    from reasoner.types import Answer

Order = Literal["bfs", "dfs"]
Layout = Literal["outline", "fan"]


class AutonomousTreeSearch(Strategy):
    """Ask for a search written in the open, in one call; record the tree it wrote."""

    name = "ats"
    summary = "one call in which the model writes down a whole tree search (bfs or dfs)"

    class Params(ShotParams):
        """Parameters of `ats`."""

        order: Order = Field(default="bfs", description="in which order the search is to be written")
        layout: Layout = Field(default="outline", description="outline (described in the prompt), or fan (short; for models tuned on it)")

    params: Params

    async def run(self, session: Session) -> Answer:
        """Ask once and read the tree out of the reply; a reply that was cut off is offered as it is."""
        order = self.params.order
        if self.params.layout == "fan":
            return await self._fan(session, f"ats/fan_{order}")
        template = f"ats/{order}"
        reply = await session.ask(template, history=shot_messages(session, f"ats-{order}", self.params, template=template), continued=False)
        answer = session.offer(reply.text, reply)
        _record(session, reply)
        return answer

    async def _fan(self, session: Session, template: str) -> Answer:
        """Ask for the search in the layout of `reasoner.layouts.fan`; the prompt is the problem's line alone, and the layout is known by training."""
        shots = shot_messages(session, template.replace("/", "-"), self.params, template=template)
        reply = await session.ask(template, history=shots, continued=False, solver=session.problem.solver, line=session.problem.line)
        answer = session.offer(reply.text, reply)
        _record_fan(session, reply)
        return answer


def _record_fan(session: Session, reply: Thought) -> None:
    """Note every state of the fan as a thought and mark what became of it."""
    found = fan.parse(session.read(reply))
    thoughts: list[Thought] = []
    for entry in found.entries:
        parent = reply if entry.parent is None else thoughts[entry.parent]
        text = ">".join(entry.path)
        thoughts.append(session.note(text, parent=parent, role="ats/step", state=entry.state, label=entry.label))
    solution = set(found.path(found.goal)) if found.goal is not None else set()
    for index, (entry, thought) in enumerate(zip(found.entries, thoughts, strict=True)):
        if index == found.goal:
            session.mark(thought, status="final")
        elif index in solution:
            session.mark(thought, status="kept")
        elif entry.dead or found.goal is not None:
            session.mark(thought, status="pruned")
    if found.goal is not None:
        session.mark(reply, status="kept")


def _record(session: Session, reply: Thought) -> None:
    """Note every line of the outline as a thought and mark what became of it."""
    outline = parse(session.read(reply))
    thoughts: list[Thought] = []
    for entry in outline.entries:
        parent = reply if entry.parent is None else thoughts[entry.parent]
        thoughts.append(
            session.note(
                entry.text,
                parent=parent,
                role="ats/step",
                state=entry.state or None,
                operation=entry.operation,
                label=format_label(entry.label),
            )
        )
    end = outline.goal_index if outline.goal_index is not None else _answered(outline)
    solution = set(outline.path(end)) if end is not None else set()
    for index, (entry, thought) in enumerate(zip(outline.entries, thoughts, strict=True)):
        if index == end:
            session.mark(thought, status="final")
        elif index in solution:
            session.mark(thought, status="kept")
        elif entry.dead or outline.goal_index is not None:
            session.mark(thought, status="pruned")  # where no goal is named, the rest stays open: nothing says it was given up
    if end is not None:
        session.mark(reply, status="kept")


def _answered(outline: Outline) -> int | None:
    """Return the last line not marked dead whose chain of states is the answer, for replies that name no goal."""
    wanted = parse_chain(outline.answer) if outline.answer else ()
    if not wanted:
        return None
    chains = ((index, entry) for index, entry in enumerate(outline.entries) if not entry.dead)
    return next((index for index, entry in reversed([*chains]) if entry.chain == wanted), None)
