"""Plain: pass a conversation on to the model as it is. No strategy at all; what `reasoner serve` does for a model without one.

Knows the fields of a conversation and one empty template, `plain/relay`. Adds no word to what the client said.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from reasoner.errors import BadConfig
from reasoner.strategies import Strategy
from reasoner.types import Constraint, Message, ToolSpec

if TYPE_CHECKING:
    from reasoner.session import Session
    from reasoner.types import Answer


class Plain(Strategy):
    """Ask the model with the client's own messages and tools, once."""

    name = "plain"
    summary = "the client's messages as they are, in one call (for the conversations of 'reasoner serve')"
    solvers = ("chat",)
    keeps_schema = True

    async def run(self, session: Session) -> Answer:
        """Ask once; the reply is the answer.

        Raises:
            BadConfig: the problem is no conversation.
        """
        if session.problem.solver != "chat":
            raise BadConfig(f"plain passes a conversation on, and {session.problem.solver} is none", hint="use direct")
        chat = json.loads(session.problem.instance)
        history = [Message.of_parts(turn["role"], turn["content"], turn) for turn in chat["messages"]]
        schema = chat.get("output_schema")
        constraint = Constraint.schema(json.loads(schema), told=chat.get("schema_told", "")) if schema else None
        tools = [ToolSpec(*tool) for tool in chat.get("tools", ())]
        reply = await session.ask(
            "plain/relay", history=history, schema=constraint, tools=tools, tool_choice=chat.get("tool_choice", ""), whole=True
        )
        session.mark(reply, status="final")
        return session.offer(reply.text, reply)
