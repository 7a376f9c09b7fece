"""Messages and tools as the OpenAI chat format writes them, and the parts of a message as it brings them.

turn(Message("assistant", "Let me add.", tool_calls=(ToolCall("c", "add", "{}"),)), Profile())
-> {"role": "assistant", "content": "Let me add.", "tool_calls": [{"id": "c", "type": "function", "function": {...}}]}
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reasoner.clients._wire.dialect import json_value
from reasoner.clients._wire.said import Said, json_text, mapping, objects, opaque_items, unreadable, words
from reasoner.types import Message, Request, ToolCall

if TYPE_CHECKING:
    from reasoner.clients._wire.endpoint import Endpoint
    from reasoner.clients._wire.profiles import Profile

FORM = "openrouter"
"""The format of `reasoning_details`, the one part of a message that goes back as it came."""
THOUGHTS = ("reasoning_content", "reasoning", "thinking")
"""What servers call the thought beside the content; some send two of them, alike."""


def turn(message: Message, profile: Profile) -> dict[str, Any]:
    """Write one message."""
    role = "developer" if message.role == "system" and profile.system == "developer" else message.role
    made: dict[str, Any] = {"role": role, "content": message.content}
    if message.images:
        shown = [{"type": "image_url", "image_url": {"url": url}} for url in message.images]
        made["content"] = [*([{"type": "text", "text": message.content}] if message.content else []), *shown]
    if message.role == "tool":
        made["tool_call_id"] = message.tool_call_id
    if message.tool_calls:
        made["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}} for call in message.tool_calls
        ]
        made["content"] = message.content or None
        if message.reasoning and profile.thought_back:
            made["reasoning_content"] = message.reasoning
    if details := opaque_items(message.opaque, FORM):
        made["reasoning_details"] = details
        made.pop("reasoning_content", None)
    return made


def tool_fields(request: Request) -> dict[str, Any]:
    """Write the tools a request offers, and which of them may or must be called."""
    made: dict[str, Any] = {}
    if request.tools:
        made["tools"] = [
            {
                "type": "function",
                "function": {"name": tool.name, "parameters": json_value(tool.parameters, f"the schema of {tool.name}")}
                | ({"description": tool.description} if tool.description else {}),
            }
            for tool in request.tools
        ]
    if request.tool_choice:
        kind, _, name = request.tool_choice.partition(":")
        made["tool_choice"] = {"type": "function", "function": {"name": name}} if kind == "tool" else kind
    return made


def read_content(endpoint: Endpoint, content: Any) -> tuple[str | None, str, bool]:
    """Return (text, thought, refused) of a message's content: a text, or a list of parts.

    Raises:
        UnreadableAnswer: a text in it is none.
    """
    if content is None or isinstance(content, str):
        return content, "", False
    if not isinstance(content, list):
        raise unreadable(endpoint, "content", content)
    texts: list[str] = []
    thoughts: list[str] = []
    is_refused = False
    for part in content:
        if isinstance(part, str):
            texts.append(part)
            continue
        if not isinstance(part, dict):
            raise unreadable(endpoint, "a part of the content", part)
        match part.get("type"):
            case "text" | "output_text":
                if not isinstance(part.get("text"), str):
                    raise unreadable(endpoint, "the text of a part", part.get("text"))
                texts.append(part["text"])
            case "thinking" | "reasoning":
                thoughts.append(_thought_of(part.get("thinking", part.get("text"))))
            case "refusal":
                is_refused = True
    return "".join(texts) if texts else None, "".join(thoughts), is_refused


def _thought_of(value: Any) -> str:
    return words(value) if isinstance(value, str) else "".join(words(part.get("text")) for part in objects(value))


def read_thought(message: dict[str, Any]) -> tuple[str, str]:
    """Return (name of the field, thought) beside a message's content."""
    found = next(((name, message[name]) for name in THOUGHTS if isinstance(message.get(name), str) and message[name]), None)
    details = objects(message.get("reasoning_details"))
    return found or ("reasoning_details", "".join(words(each.get("text")) or words(each.get("summary")) for each in details))


def read_calls(value: Any) -> list[ToolCall]:
    """Return the tool calls of a whole message. Arguments that came as an object are written as JSON."""
    found: list[ToolCall] = []
    for call in objects(value):
        function = mapping(call.get("function"))
        if name := words(function.get("name")):
            found.append(ToolCall(words(call.get("id")) or f"call_{len(found)}", name, arguments_text(function.get("arguments"))))
    return found


def arguments_text(value: Any) -> str:
    """Return the arguments of a call as JSON text."""
    return value if isinstance(value, str) else json_text(value if value is not None else {})


def read_message(endpoint: Endpoint, message: dict[str, Any]) -> Said:
    """Return what a whole message says.

    Raises:
        UnreadableAnswer: its text is none.
    """
    text, inside, is_refused = read_content(endpoint, message.get("content"))
    calls = read_calls(message.get("tool_calls"))
    if not calls and isinstance(message.get("function_call"), dict):
        calls = read_calls([{"function": message["function_call"]}])
    return Said(
        text=text, reasoning=inside or read_thought(message)[1], tool_calls=calls, opaque=objects(message.get("reasoning_details")),
        refused=is_refused or bool(words(message.get("refusal"))),
    )  # fmt: skip


class CallPieces:
    """Tool calls as a stream brings them: piece by piece, told apart by index."""

    def __init__(self) -> None:
        self._pieces: dict[int, tuple[list[str], list[str], list[str]]] = {}

    def add(self, value: Any) -> bool:
        """Take the calls of one delta; tell whether there were any."""
        found = objects(value)
        for call in found:
            index = call.get("index")
            at = index if type(index) is int else max(self._pieces, default=-1) + (1 if call.get("id") else 0)
            ids, names, arguments = self._pieces.setdefault(max(0, at), ([], [], []))
            function = mapping(call.get("function"))
            ids.append(words(call.get("id")))
            names.append(words(function.get("name")))
            if (given := function.get("arguments")) is not None:
                arguments.append(arguments_text(given))
        return bool(found)

    def calls(self) -> list[ToolCall]:
        """Return the calls in order."""
        return [
            ToolCall(next(filter(None, ids), f"call_{at}"), name, "".join(arguments) or "{}")
            for at, (ids, names, arguments) in sorted(self._pieces.items())
            if (name := next(filter(None, names), ""))
        ]


def joined_details(details: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Join the pieces of `reasoning_details` that a stream brought: what continues the item before it is added to it."""
    made: list[dict[str, Any]] = []
    for piece in details:
        last = made[-1] if made else {}
        name = {"reasoning.text": "text", "reasoning.summary": "summary"}.get(words(piece.get("type")), "")
        if name and last.get("type") == piece.get("type") and last.get("index") == piece.get("index"):
            known = {key: value for key, value in piece.items() if value is not None}
            made[-1] = last | known | {name: words(last.get(name)) + words(piece.get(name))}
        else:
            made.append(dict(piece))
    return made
