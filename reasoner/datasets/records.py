"""What a training row is made from: six kinds of record, one of which each format takes.

    Conversation  what a call was asked and answered           Steps       a chain of steps, each labelled good or not
    Pair          one prompt, a better and a worse completion   Prompt      a prompt and what verifies an answer to it
    Label         one completion, good or not                  Document    a whole trajectory, call for call

Knows no store, no solver and no file format. `origin` is what splits, balance and cards count by; `lineage` says where the row came
from; `columns` are further columns of the row (ratings, context).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal

from reasoner.types import Message

if TYPE_CHECKING:
    from collections.abc import Callable

Kind = Literal["conversation", "pair", "label", "steps", "prompt", "document"]
KINDS: tuple[Kind, ...] = ("conversation", "pair", "label", "steps", "prompt", "document")


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
    """The messages of one call, and its reply. `thinking` is set where the reply was divided into thinking and answer."""

    messages: tuple[Message, ...]
    reply: str
    thinking: str = ""

    def turns(self) -> list[dict[str, str]]:
        """Return all messages, the reply last, as TRL and OpenAI write them."""
        return [*asked(self.messages), said(self.reply, self.thinking)]


@dataclass(slots=True)
class Pair(Record):
    """Two completions of one prompt, of which one was verified and the other was found wrong."""

    messages: tuple[Message, ...]
    chosen: str
    rejected: str
    chosen_thinking: str = ""
    rejected_thinking: str = ""


@dataclass(slots=True)
class Label(Record):
    """One completion of a prompt, and whether it is good."""

    messages: tuple[Message, ...]
    completion: str
    label: bool
    thinking: str = ""


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


@dataclass(slots=True)
class Document(Record):
    """A whole trajectory as rows of the store: the trajectory, its finished calls (each with `messages`), its thoughts and edges."""

    trajectory: dict[str, Any]
    calls: list[dict[str, Any]]
    thoughts: list[dict[str, Any]]


def asked(messages: tuple[Message, ...]) -> list[dict[str, str]]:
    """Return messages as dictionaries of role and content."""
    return [{"role": m.role, "content": m.content} for m in messages]


def said(text: str, thinking: str = "") -> dict[str, str]:
    """Return an assistant's message; `thinking` is a key of its own where there is any."""
    return {"role": "assistant", "content": text} | ({"thinking": thinking} if thinking else {})


def texts(record: Record) -> tuple[str, ...]:
    """Return the texts a trainer would see that a model wrote: what duplicates and scans are about."""
    match record:
        case Conversation():
            return (record.thinking, record.reply)
        case Pair():
            return (record.chosen_thinking, record.chosen, record.rejected_thinking, record.rejected)
        case Label():
            return (record.thinking, record.completion)
        case Steps():
            return tuple(record.completions)
        case Document():
            return tuple(str(call["reply"]) for call in record.calls)
        case _:
            return ()


def prompt_texts(record: Record) -> tuple[str, ...]:
    """Return the texts a trainer would see that were put to a model."""
    match record:
        case Conversation() | Pair() | Label() | Prompt():
            return tuple(m.content for m in record.messages)
        case Steps():
            return (record.prompt,)
        case Document():
            return tuple({m.content: None for call in record.calls for m in call["messages"]})
        case _:
            return ()


_BY_KIND: dict[str, type[Record]] = {"pair": Pair, "label": Label, "steps": Steps, "prompt": Prompt}


def to_json(record: Record, kind: Kind) -> str:
    """Write a record of a kind that is stored as it is (pairs, labels, steps, prompts); the order of keys is kept."""
    made = {f.name: getattr(record, f.name) for f in fields(record)}
    made["origin"] = [getattr(record.origin, f.name) for f in fields(Origin)]
    if "messages" in made:
        made["messages"] = [[m.role, m.content] for m in made["messages"]]
    return json.dumps({"kind": kind, **made})


def from_json(text: str) -> Record:
    """Read what `to_json` wrote."""
    made = json.loads(text)
    cls = _BY_KIND[made.pop("kind")]
    solver, family, level, models, strategies = made["origin"]
    made["origin"] = Origin(solver, family, level, tuple(models), tuple(strategies))
    if "messages" in made:
        made["messages"] = tuple(Message(role, content) for role, content in made["messages"])
    return cls(**made)


def map_texts(record: Record, change: Callable[[str], str]) -> None:
    """Change every text of a record that a trainer would see, in place."""
    if isinstance(record, Document):
        for call in record.calls:
            call["messages"] = tuple(Message(m.role, change(m.content)) for m in call["messages"])
            call["reply"] = change(call["reply"])
        for thought in record.thoughts:
            for name in ("text", "content", "operation"):
                thought[name] = change(thought[name]) if isinstance(thought[name], str) else thought[name]
        return
    if isinstance(record, Steps):
        record.prompt = change(record.prompt)
        record.completions = [change(text) for text in record.completions]
        return
    if isinstance(record, (Conversation, Pair, Label, Prompt)):
        record.messages = tuple(Message(m.role, change(m.content)) for m in record.messages)
    for name in ("reply", "chosen", "rejected", "completion"):
        if hasattr(record, name):
            setattr(record, name, change(getattr(record, name)))
