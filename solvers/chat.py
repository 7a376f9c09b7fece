"""Chat: the messages of a client, as a problem that strategies can work on. Nothing judges it and nothing draws it.

    {"messages": [{"role": "user", "content": "Name a prime above 20."}]}   ->   "Answer: 23"

`prompts/solvers/chat.jinja` writes the conversation as one statement.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from reasoner.errors import BadConfig
from reasoner.solver import Solver
from reasoner.types import Role, Verdict
from solvers._record import Record, read

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping

MAX_MESSAGES = 1000


class Turn(BaseModel):
    """One message."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    role: Role
    content: str


class Chat(Record):
    """A conversation that ends with what is to be answered. `output_schema` is the JSON schema of the reply, as text; empty: none."""

    messages: tuple[Turn, ...] = Field(min_length=1, max_length=MAX_MESSAGES)
    output_schema: str = ""


class ChatSolver(Solver[Chat]):
    """A conversation; it has no right answer, so no verdict is given."""

    name = "chat"
    summary = "the conversation of a client of 'reasoner serve'; recorded without a verdict"
    syntax = '{"messages": [{"role": "user", "content": "..."}]}'
    Instance = Chat
    levels: ClassVar[Mapping[int, str]] = {}
    default_level = 0
    judged = False

    def parse(self, line: str) -> Chat:
        """Read a conversation."""
        return read(self, Chat, line)

    def format(self, instance: Chat) -> str:
        """Write the conversation as JSON."""
        return instance.line()

    def generate(self, rng: random.Random, level: int) -> Chat:  # noqa: ARG002 - nothing is drawn
        """Raise BadConfig: conversations come from clients."""
        raise BadConfig("chat has no problems of its own", hint="ask through 'reasoner serve', or give solve the messages as JSON")

    def statement_variables(self, instance: Chat) -> Mapping[str, Any]:
        """Return the `system` text, the earlier `turns` and the `last` message."""
        *before, last = instance.messages
        system = "\n\n".join(turn.content for turn in before if turn.role == "system")
        turns = [{"role": turn.role, "content": turn.content} for turn in before if turn.role != "system"]
        return {"system": system, "turns": turns, "last": last.content}

    def output_schema(self, instance: Chat) -> Mapping[str, Any] | None:
        """Return the schema the client asked for."""
        schema: Mapping[str, Any] | None = json.loads(instance.output_schema) if instance.output_schema else None
        return schema

    def verify(self, instance: Chat, text: str) -> Verdict:  # noqa: ARG002 - nothing is judged
        """Say that nothing is judged."""
        return Verdict(correct=False, score=0.0, reason="a conversation is not judged")

    def right_answer(self, instance: Chat) -> str | None:  # noqa: ARG002
        """Return None: there is none."""
        return None
