"""What a training row is made from: seven kinds of record, one of which each format takes.

    Conversation  what a call was asked and answered           Steps       a chain of steps, each labelled good or not
    Pair          one prompt, a better and a worse completion   Prompt      a prompt and what verifies an answer to it
    Label         one completion, good or not                  Group       all completions of one prompt, with rewards
    Document      a whole trajectory, call for call

`origin` is what splits, balance and cards count by; `lineage` says where the row came from; `columns` are further columns of the row
(ratings, context).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Literal

from reasoner.types import Message, ToolCall, ToolSpec, canonical_json

if TYPE_CHECKING:
    from collections.abc import Callable

THOUGHT_KEYS: dict[str, tuple[str, ...]] = {
    "": (),
    "reasoning_content": ("reasoning_content",),
    "thinking": ("thinking",),
    "both": ("reasoning_content", "thinking"),
}
"""What an assistant's message calls its thought: none, where thoughts stand in the text."""

Kind = Literal["conversation", "pair", "label", "steps", "prompt", "group", "document"]
KINDS: tuple[Kind, ...] = ("conversation", "pair", "label", "steps", "prompt", "group", "document")


@dataclass(slots=True)
class Origin:
    """Whose record it is. `family` is what must stay in one split; `models` and `strategies` name everyone who had a part in it."""

    solver: str
    family: str
    level: int | None
    models: tuple[str, ...]
    strategies: tuple[str, ...]


@dataclass(slots=True)
class Record:
    """What every kind has."""

    origin: Origin
    lineage: dict[str, Any]
    columns: dict[str, Any] = field(default_factory=dict, kw_only=True)


@dataclass(slots=True)
class Conversation(Record):
    """The messages of one call, and its reply. `thinking` is what was thought before it, or a part of it that was divided off."""

    messages: tuple[Message, ...]
    reply: str
    thinking: str = ""
    thinking_key: str = ""
    """What a message calls its thought, see `THOUGHT_KEYS`."""
    tool_calls: tuple[ToolCall, ...] = ()
    tools: tuple[ToolSpec, ...] = ()
    among_tools: bool = False
    """Whether other rows of the file were offered tools, so that this one has the column too: one shape a file."""

    def turns(self) -> list[dict[str, Any]]:
        """Return all messages, the reply last, as TRL and OpenAI write them."""
        return [*asked(self.messages, self.thinking_key), said(self.reply, self.thinking, self.thinking_key, self.tool_calls)]

    def said(self) -> dict[str, Any]:
        """Return the reply as a message."""
        return said(self.reply, self.thinking, self.thinking_key, self.tool_calls)

    def offered(self) -> dict[str, Any]:
        """Return the column of the tools the model was offered, empty where no row of the file was offered any.

        It is JSON text: two lists of tools hardly ever have one type, since each tool's parameters are keys of their own.
        """
        return {"tools": json.dumps([tool_row(tool) for tool in self.tools])} if self.tools or self.among_tools else {}


@dataclass(slots=True)
class Pair(Record):
    """Two completions of one prompt, of which one was verified and the other was found wrong."""

    messages: tuple[Message, ...]
    chosen: str
    rejected: str
    chosen_thinking: str = ""
    rejected_thinking: str = ""
    thinking_key: str = ""


@dataclass(slots=True)
class Label(Record):
    """One completion of a prompt, and whether it is good."""

    messages: tuple[Message, ...]
    completion: str
    label: bool
    thinking: str = ""
    thinking_key: str = ""


@dataclass(slots=True)
class Steps(Record):
    """A chain of steps towards an answer; `labels[i]` tells whether what follows step i reached a verified answer."""

    prompt: str
    completions: list[str]
    labels: list[bool]


@dataclass(slots=True)
class Prompt(Record):
    """A prompt, and the problem whose verifier judges answers to it."""

    messages: tuple[Message, ...]
    solver: str
    instance: str
    pass_rate: float = -1.0
    """The share of its answers so far that are correct; -1 where none was judged."""
    samples: int = 0


@dataclass(slots=True)
class Group(Record):
    """A prompt and all replies to it, with the reward of each; `thoughts` are those the model told apart, empty where there is none."""

    messages: tuple[Message, ...]
    solver: str
    instance: str
    texts: list[str]
    thoughts: list[str]
    rewards: list[float]
    pass_rate: float
    thinking_key: str = ""
    prompt_ids: list[int] = field(default_factory=list)
    token_ids: list[list[int]] = field(default_factory=list)
    logprobs: list[list[float]] = field(default_factory=list)
    """What was recorded of the prompt and of each reply (`reasoner/token_record.py`), where the export asks for it."""


@dataclass(slots=True)
class Document(Record):
    """A whole trajectory as rows of the store: the trajectory, its finished calls (each with `messages`), its thoughts and edges."""

    trajectory: dict[str, Any]
    calls: list[dict[str, Any]]
    thoughts: list[dict[str, Any]]


def asked(messages: tuple[Message, ...], thinking_key: str = "") -> list[dict[str, Any]]:
    """Return messages as TRL and OpenAI write them: role and content, and what else a message holds where it holds it."""
    return [_message_row(m, thinking_key) if m.parts() else {"role": m.role, "content": m.content} for m in messages]


def _message_row(message: Message, thinking_key: str) -> dict[str, Any]:
    content: Any = message.content
    if message.images:
        content = [
            *({"type": "image_url", "image_url": {"url": image}} for image in message.images),
            *([{"type": "text", "text": content}] if content else []),
        ]
    row: dict[str, Any] = {"role": message.role, "content": content}
    if message.reasoning:
        row.update(dict.fromkeys(THOUGHT_KEYS[thinking_key], message.reasoning))
    if message.tool_calls:
        row["tool_calls"] = list(map(_call_row, message.tool_calls))
    if message.tool_call_id:
        row["tool_call_id"] = message.tool_call_id
    return row


def said(text: str, thinking: str = "", thinking_key: str = "", tool_calls: tuple[ToolCall, ...] = ()) -> dict[str, Any]:
    """Return an assistant's message. The keys of its thought are there with and without one: one shape in every file; calls where there are any."""
    row: dict[str, Any] = {"role": "assistant", "content": text}
    for key in THOUGHT_KEYS[thinking_key]:
        row[key] = thinking
    if tool_calls:
        row["tool_calls"] = list(map(_call_row, tool_calls))
    return row


def _call_row(call: ToolCall) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def tool_row(tool: ToolSpec) -> dict[str, Any]:
    """Return a tool as OpenAI and TRL write it."""
    try:
        parameters = json.loads(tool.parameters)
    except ValueError:
        parameters = {}
    return {"type": "function", "function": {"name": tool.name, "description": tool.description, "parameters": parameters}}


def texts(record: Record) -> tuple[str, ...]:
    """Return the texts a trainer would see that a model wrote: what duplicates and scans are about."""
    match record:
        case Conversation():
            return (record.thinking, record.reply, *[call.arguments for call in record.tool_calls])
        case Pair():
            return (record.chosen_thinking, record.chosen, record.rejected_thinking, record.rejected)
        case Label():
            return (record.thinking, record.completion)
        case Steps():
            return tuple(record.completions)
        case Group():
            return (*filter(None, record.thoughts), *record.texts)
        case Document():
            said = (text for call in record.calls for text in (str(call["reply"]), call.get("reasoning"), *_asked_of(call.get("parts"))))
            done = (row[name] for row in record.thoughts if row.get("action_key") for name in ("arguments", "content"))
            return tuple(text for text in (*said, *done) if text is not None)
        case _:
            return ()


def prompt_texts(record: Record) -> tuple[str, ...]:
    """Return the texts a trainer would see that were put to a model."""
    match record:
        case Conversation() | Pair() | Label() | Prompt() | Group():
            return tuple([text for m in record.messages for text in _texts_of(m)])
        case Steps():
            return (record.prompt,)
        case Document():
            return tuple({text: None for call in record.calls for m in call["messages"] for text in _texts_of(m)})
        case _:
            return ()


def _asked_of(parts: str | None) -> list[str]:
    """Return the arguments of the tool calls in a reply's parts, as the store has them."""
    return [call[2] for call in json.loads(parts).get("tool_calls", ())] if parts else []


def _parts_changed(parts: str, change: Callable[[str], str]) -> str:
    found = json.loads(parts)
    if "tool_calls" in found:
        found["tool_calls"] = [[name, tool, change(arguments)] for name, tool, arguments in found["tool_calls"]]
    return canonical_json(found)


def _texts_of(message: Message) -> tuple[str, ...]:
    if not message.parts():
        return (message.content,)
    return (message.content, *([message.reasoning] if message.reasoning else []), *(call.arguments for call in message.tool_calls))


_BY_KIND: dict[str, type[Record]] = {"pair": Pair, "label": Label, "steps": Steps, "prompt": Prompt, "group": Group}


def to_json(record: Record, kind: Kind) -> str:
    """Write a record of a kind that is stored as it is (pairs, labels, steps, prompts); the order of keys is kept."""
    made = {f.name: getattr(record, f.name) for f in fields(record)}
    made["origin"] = [getattr(record.origin, f.name) for f in fields(Origin)]
    if "messages" in made:
        made["messages"] = [[m.role, m.content, *([parts] if (parts := m.parts()) else [])] for m in made["messages"]]
    return json.dumps({"kind": kind, **made})


def from_json(text: str) -> Record:
    """Read what `to_json` wrote."""
    made = json.loads(text)
    cls = _BY_KIND[made.pop("kind")]
    solver, family, level, models, strategies = made["origin"]
    made["origin"] = Origin(solver, family, level, tuple(models), tuple(strategies))
    if "messages" in made:
        made["messages"] = tuple(Message.of_parts(role, content, *(parts or [{}])) for role, content, *parts in made["messages"])
    return cls(**made)


def map_texts(record: Record, change: Callable[[str], str]) -> None:
    """Change every text of a record that a trainer would see, in place."""

    def changed(m: Message) -> Message:
        calls = tuple(ToolCall(call.id, call.name, change(call.arguments)) for call in m.tool_calls)
        return replace(m, content=change(m.content), reasoning=change(m.reasoning) if m.reasoning else "", tool_calls=calls)

    if isinstance(record, Document):
        for call in record.calls:
            call["tokens"] = None  # they spell the texts as they were
            call["messages"] = tuple(map(changed, call["messages"]))
            call["reply"] = change(call["reply"])
            if call.get("reasoning"):
                call["reasoning"] = change(call["reasoning"])
            if call.get("parts"):
                call["parts"] = _parts_changed(call["parts"], change)
        for thought in record.thoughts:
            for name in ("text", "content", "operation", "arguments"):
                thought[name] = change(thought[name]) if isinstance(thought[name], str) else thought[name]
        for name in ("answer", "reason", "error"):
            if isinstance(found := record.trajectory.get(name), str):
                record.trajectory[name] = change(found)
        return
    if isinstance(record, Steps):
        record.prompt = change(record.prompt)
        record.completions = [change(text) for text in record.completions]
        return
    if isinstance(record, Group):
        record.texts, record.thoughts = list(map(change, record.texts)), list(map(change, record.thoughts))
    if isinstance(record, (Conversation, Pair, Label, Prompt, Group)):
        record.messages = tuple(map(changed, record.messages))
    if isinstance(record.lineage.get("answer"), str):
        record.lineage = {**record.lineage, "answer": change(record.lineage["answer"])}
    if isinstance(record, Conversation):
        record.tool_calls = tuple(ToolCall(call.id, call.name, change(call.arguments)) for call in record.tool_calls)
    for name in ("reply", "chosen", "rejected", "completion", "thinking", "chosen_thinking", "rejected_thinking"):
        if getattr(record, name, None):
            setattr(record, name, change(getattr(record, name)))
