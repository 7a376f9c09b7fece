"""Chat: the messages of a client, as a problem that strategies can work on. Nothing judges it and nothing draws it.

    {"messages": [{"role": "user", "content": "Name a prime above 20."}]}   ->   "Answer: 23"

`prompts/solvers/chat.jinja` writes the conversation as one statement; what the system messages say stands in the system message of every call.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer

from reasoner.errors import BadConfig
from reasoner.solver import Solver
from reasoner.types import Message, Role, Verdict
from solvers._record import Record, read

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping

MAX_MESSAGES = 1000
_ALWAYS = {"role", "content", "messages", "output_schema"}
"""Written also where they are empty, as they always were: an old conversation keeps its id."""


class _Sparse(BaseModel):
    @model_serializer(mode="wrap")
    def _without_what_is_empty(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in write(self).items() if value or name in _ALWAYS}


class Turn(_Sparse):
    """One message, with the parts that `reasoner.types.Message` has."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    role: Role
    content: str
    reasoning: str = ""
    tool_calls: tuple[tuple[str, str, str], ...] = ()
    """Id, name and arguments (JSON text) of each."""
    opaque: str = ""
    tool_call_id: str = ""
    images: tuple[str, ...] = ()

    @classmethod
    def of(cls, message: Message) -> Self:
        """Return a message as a turn."""
        return cls.model_validate({"role": message.role, "content": message.content, **message.parts()})


class Chat(Record, _Sparse):
    """A conversation that ends with what is to be answered.

    `output_schema` is the JSON schema of the reply, as text (empty: none), `schema_told` what a provider is told beside it; `tools` are name,
    description and schema of what may be called, `tool_choice` which of them may or must be.
    """

    messages: tuple[Turn, ...] = Field(min_length=1, max_length=MAX_MESSAGES)
    output_schema: str = ""
    schema_told: str = ""
    tools: tuple[tuple[str, str, str], ...] = ()
    tool_choice: str = ""


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
        """Return the earlier `turns`, the `last` message, and the `prefill` that the reply has to begin with; thoughts of earlier turns are left out."""
        said = [turn for turn in instance.messages if turn.role != "system"]
        prefill = said.pop().content if len(said) > 1 and said[-1].role == "assistant" else ""
        last = said.pop() if said and said[-1].role == "user" else None
        turns = [
            {
                "role": turn.role,
                "content": turn.content,
                "calls": [{"name": name, "arguments": given} for _, name, given in turn.tool_calls],
            }
            for turn in said
        ]
        return {"turns": turns, "last": last.content if last else "", "prefill": prefill}

    def instructions(self, instance: Chat) -> str:
        """Return what the system messages say."""
        return "\n\n".join(turn.content for turn in instance.messages if turn.role == "system")

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
