"""Messages in the parts of OpenTelemetry's GenAI conventions.

parts_of(Message("user", "hi")) -> {"role": "user", "parts": [{"type": "text", "content": "hi"}]}
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from reasoner.datasets.formats._sessions import arguments
from reasoner.types import Message, ToolCall

if TYPE_CHECKING:
    from collections.abc import Mapping


def parts_of(message: Message) -> dict[str, Any]:
    """Return a message as role and parts."""
    if message.role == "tool":
        return {"role": "tool", "parts": [{"type": "tool_call_response", "id": message.tool_call_id, "response": message.content}]}
    parts: list[dict[str, Any]] = [{"type": "reasoning", "content": message.reasoning}] if message.reasoning else []
    if message.content or not message.parts():
        parts.append({"type": "text", "content": message.content})
    parts += [{"type": "uri", "modality": "image", "uri": url} for url in message.images]
    parts += [
        {"type": "tool_call", "id": call.id, "name": call.name, "arguments": arguments(call.arguments)} for call in message.tool_calls
    ]
    return {"role": message.role, "parts": parts}


def read_parts(value: Mapping[str, Any]) -> Message:
    """Read what `parts_of` wrote."""
    by: dict[str, list[Mapping[str, Any]]] = {}
    for part in value["parts"]:
        by.setdefault(part["type"], []).append(part)
    if "tool_call_response" in by:
        (one,) = by["tool_call_response"]
        return Message("tool", one["response"], tool_call_id=one["id"])
    calls = tuple(ToolCall(one["id"], one["name"], json.dumps(one["arguments"])) for one in by.get("tool_call", ()))
    text, thought = ("".join(one["content"] for one in by.get(name, ())) for name in ("text", "reasoning"))
    return Message(value["role"], text, reasoning=thought, tool_calls=calls, images=tuple(one["uri"] for one in by.get("uri", ())))
