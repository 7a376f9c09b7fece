"""Harmony, the text of gpt-oss: a conversation as one string, its messages between control tokens, its parts in channels.

    {"text": "<|start|>system<|message|>...<|end|><|start|>user<|message|>2+2?<|end|><|start|>assistant<|channel|>final<|message|>4<|return|>", "tools": [...]}

It is written as the chat template that ships with TRL for gpt-oss writes it, but for what that one cannot say: several calls in one turn stand one
after the other; a text before calls is a preamble in the channel `commentary`; arguments are the text the model wrote. The system message has
neither a name of the model nor dates. Thoughts of earlier turns are left out once a later turn has answered, as the form asks.
A conversation that holds a control token of the form, images, or names of tools that are no identifiers cannot be written.
Source: OpenAI, "OpenAI Harmony Response Format"; `gptoss.jinja` of TRL.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, ClassVar

from reasoner.datasets.formats import Format, _turns
from reasoner.datasets.formats._harmony_tools import namespace
from reasoner.datasets.records import tool_row
from reasoner.errors import DataError
from reasoner.types import Message, ToolCall

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reasoner.datasets.records import Conversation, Kind

CHANNELS = "Reasoning: medium\n\n# Valid channels: analysis, commentary, final. Channel must be included for every message."
CALLS = "\nCalls to these tools must go to the commentary channel: 'functions'."
INSTRUCTIONS, TOOLS = "# Instructions\n\n", "# Tools\n\n"
_CONTROL = re.compile(r"<\|(?:start|end|message|channel|call|return|constrain|endoftext|startoftext|refusal)\|>")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,200}")
_MESSAGE = re.compile(r"<\|start\|>(.*?)<\|message\|>(.*?)<\|(end|call|return)\|>", re.DOTALL)
_CALLED = re.compile(r"assistant to=functions\.([A-Za-z0-9_-]+)<\|channel\|>commentary json")
_RESULT = re.compile(r"functions\.([A-Za-z0-9_-]+) to=assistant<\|channel\|>commentary")


class Harmony(Format):
    """Text for models of the gpt-oss family."""

    name: ClassVar[str] = "harmony"
    summary: ClassVar[str] = "Harmony text, the form of gpt-oss"
    kinds: ClassVar[tuple[Kind, ...]] = ("conversation",)
    thinking_field: ClassVar[bool] = True

    def row(self, record: Conversation) -> dict[str, Any] | None:
        """Return the conversation as text; None where the form cannot say it."""
        reply = Message("assistant", record.reply, reasoning=record.thinking, tool_calls=record.tool_calls)
        turns = [*record.messages, reply]
        names = {name for turn in turns for name in _names(turn)} | {tool.name for tool in record.tools}
        held = any(_CONTROL.search(text) for turn in turns for text in (turn.content, turn.reasoning, *_arguments(turn)))
        described = namespace([tool_row(tool) for tool in record.tools])
        if held or not all(map(_NAME.fullmatch, names)) or any(turn.images for turn in turns) or _CONTROL.search(described):
            return None
        system, rest = (turns[0].content, turns[1:]) if turns[0].role == "system" else ("", turns)
        if any(turn.role == "system" for turn in rest):
            return None
        said = f"{INSTRUCTIONS}{system}\n\n" if system else ""
        said += f"{TOOLS}{described}" if described else ""
        head = _message("system", CHANNELS + (CALLS if described else "")) + (_message("developer", said) if said else "")
        body = list(_body(rest))
        return None if None in body else {"text": head + "".join(filter(None, body)), **record.offered()}

    def read(self, row: dict[str, Any]) -> dict[str, Any]:
        """Read a row; calls get ids of their own, since the form has none."""
        text = row["text"]
        if not isinstance(text, str) or _MESSAGE.sub("", text).strip():
            raise DataError("the text is not Harmony's alone")
        turns = _read(text)
        if len(turns) < 2 or turns[-1].role != "assistant":
            raise DataError("a conversation has to end with an assistant's message")
        return {"messages": tuple(turns[:-1]), "reply": turns[-1], "tools": _turns.tools(row.get("tools"))}


def _names(turn: Message) -> list[str]:
    return [call.name for call in turn.tool_calls]


def _arguments(turn: Message) -> list[str]:
    return [call.arguments for call in turn.tool_calls]


def _message(head: str, text: str, end: str = "end") -> str:
    return f"<|start|>{head}<|message|>{text}<|{end}|>"


def _body(turns: Sequence[Message]) -> Iterator[str | None]:
    """Yield each turn as text, None for one that cannot be written."""
    called: list[ToolCall] = []
    for n, turn in enumerate(turns):
        if turn.role == "user":
            yield _message("user", turn.content)
        elif turn.role == "tool":
            call = next((one for one in called if one.id == turn.tool_call_id), None)
            if call is None:
                yield None
                return
            called.remove(call)
            yield _message(f"functions.{call.name} to=assistant<|channel|>commentary", json.dumps(turn.content, ensure_ascii=False))
        else:
            called = list(turn.tool_calls)
            later = any(one.role == "assistant" and not one.tool_calls for one in turns[n + 1 :])
            yield from _said(turn, last=n == len(turns) - 1, thought="" if later else turn.reasoning)


def _said(turn: Message, *, last: bool, thought: str) -> Iterator[str]:
    if thought:
        yield _message("assistant<|channel|>analysis", thought)
    if not turn.tool_calls:
        yield _message("assistant<|channel|>final", turn.content, "return" if last else "end")
        return
    if turn.content:
        yield _message("assistant<|channel|>commentary", turn.content)
    for call in turn.tool_calls:
        yield _message(f"assistant to=functions.{call.name}<|channel|>commentary json", call.arguments, "call")


def _read(text: str) -> list[Message]:
    """Return the messages of a text; what an assistant said before a result or another role is one message."""
    turns: list[Message] = []
    parts = _Parts()
    for head, body, _ in _MESSAGE.findall(text):
        if parts.take(head, body):
            continue
        turns += parts.flush()
        if found := _RESULT.fullmatch(head):
            turns.append(Message("tool", _result(body), tool_call_id=parts.answered(found[1])))
        elif head == "user":
            turns.append(Message("user", body))
        elif head == "developer":
            instructions = (
                body.removeprefix(INSTRUCTIONS).partition(f"\n\n{TOOLS}## functions\n\n")[0] if body.startswith(INSTRUCTIONS) else ""
            )
            turns += [Message("system", instructions.removesuffix("\n\n"))] if instructions else []
        elif head != "system":
            raise DataError("the text holds a message of an unknown role")
    return [*turns, *parts.flush()]


def _result(body: str) -> str:
    """Return what a tool gave: as JSON text, as TRL writes it, or as it is."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return body
    return value if isinstance(value, str) else body


class _Parts:
    """The pieces of an assistant's message while it is read, and the calls that wait for a result."""

    def __init__(self) -> None:
        self._thought, self._text, self._open = "", "", False
        self._calls: list[ToolCall] = []
        self._waiting: list[ToolCall] = []
        self._n = 0

    def take(self, head: str, body: str) -> bool:
        """Take a piece of an assistant's message; False where it is none."""
        if called := _CALLED.fullmatch(head):
            self._n += 1
            self._calls.append(ToolCall(f"call_{self._n}", called[1], body))
        elif head == "assistant<|channel|>analysis":
            self._thought += body
        elif head in {"assistant<|channel|>final", "assistant<|channel|>commentary"}:
            self._text += body
        else:
            return False
        self._open = True
        return True

    def flush(self) -> list[Message]:
        """Return the message that is complete now, if there is one."""
        if not self._open:
            return []
        made = Message("assistant", self._text, reasoning=self._thought, tool_calls=tuple(self._calls))
        self._waiting = self._calls
        self._thought, self._text, self._open, self._calls = "", "", False, []
        return [made]

    def answered(self, name: str) -> str:
        """Return the id of the first call of a tool that has no result yet."""
        call = next((one for one in self._waiting if one.name == name), None)
        if call is None:
            raise DataError("a tool result belongs to no call")
        self._waiting.remove(call)
        return call.id
