"""What several formats share: messages taken apart, and read back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from reasoner.errors import DataError
from reasoner.types import Message, Role, ToolCall, ToolSpec

if TYPE_CHECKING:
    from collections.abc import Sequence

ROLES: dict[str, Role] = {"human": "user", "gpt": "assistant", "system": "system"}
NAMES = {role: name for name, role in ROLES.items()}


def message(value: Any) -> Message:
    """Read one message of role and text, with what else it holds: a thought, calls of tools, the call it answers, images.

    Raises:
        DataError: it has another role, or content that cannot be read.
    """
    if not isinstance(value, dict):
        raise DataError("a message is not an object with role and content")
    role = value.get("role")
    if role not in {"system", "user", "assistant", "tool"}:
        raise DataError(f"the role {str(role)[:40]!r} cannot be kept", hint="system, user, assistant and tool can")
    content, images = _content(value.get("content"), role, bare=bool(value.get("tool_calls")))
    # Under both names it is one thought, said twice.
    thoughts = dict.fromkeys(value[name] for name in ("thinking", "reasoning_content") if isinstance(value.get(name), str))
    calls = value.get("tool_calls") or []
    if not isinstance(calls, list):
        raise DataError("tool_calls is no list")
    return Message(
        role, content, reasoning="\n".join(filter(None, thoughts)), tool_calls=tuple(map(_call, calls)),
        tool_call_id=str(value.get("tool_call_id") or ""), images=tuple(images),
    )  # fmt: skip


def _content(content: Any, role: str, *, bare: bool) -> tuple[str, list[str]]:
    """Return text and images of a message's content; an assistant that calls tools may have none."""
    if isinstance(content, str):
        return content, []
    if content is None and bare:
        return "", []
    if isinstance(content, list) and content and all(isinstance(part, dict) for part in content):
        texts = [part["text"] for part in content if part.get("type") == "text" and isinstance(part.get("text"), str)]
        images = [
            part["image_url"]["url"] for part in content if part.get("type") == "image_url" and isinstance(part.get("image_url"), dict)
        ]
        if len(texts) + len(images) == len(content) and all(isinstance(image, str) for image in images):
            return "\n".join(texts), images
    raise DataError(f"the content of a message of role {role} is no text", hint="texts and images can be kept")


def _call(value: Any) -> ToolCall:
    function = value.get("function") if isinstance(value, dict) else None
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        raise DataError("a call of a tool has no function with a name")
    arguments = function.get("arguments", "")
    return ToolCall(str(value.get("id") or ""), function["name"], arguments if isinstance(arguments, str) else json.dumps(arguments))


def tools(value: Any) -> tuple[ToolSpec, ...]:
    """Read a list of tools as OpenAI writes it, or such a list as JSON text; empty where there is none.

    Raises:
        DataError: it is no such list.
    """
    if isinstance(value, str):
        try:
            value = json.loads(value or "[]")
        except (ValueError, RecursionError) as error:
            raise DataError("tools is text that is no JSON") from error
    if value is None:
        return ()
    found = [tool.get("function") if isinstance(tool, dict) else None for tool in value] if isinstance(value, list) else [None]
    if not all(isinstance(tool, dict) and isinstance(tool.get("name"), str) for tool in found):
        raise DataError("tools is not a list of functions with names")
    return tuple(
        ToolSpec(tool["name"], str(tool.get("description") or ""), json.dumps(tool.get("parameters") or {})) for tool in found if tool
    )


def messages(value: Any) -> tuple[Message, ...]:
    """Read a list of messages.

    Raises:
        DataError: it is no list of messages, or an empty one.
    """
    if not isinstance(value, list) or not value:
        raise DataError("there is no list of messages")
    return tuple(map(message, value))


def reply(value: Any) -> Message:
    """Read a list that holds one assistant's message."""
    found = messages(value if isinstance(value, list) else [value])
    if len(found) != 1 or found[0].role != "assistant":
        raise DataError("a single message of the assistant was expected")
    return found[0]


def conversation(value: Any, offered: Any = None) -> dict[str, Any]:
    """Read messages of which the last is the assistant's, and the tools it was offered."""
    found = messages(value)
    if len(found) < 2 or found[-1].role != "assistant":
        raise DataError("a conversation has to end with an assistant's message")
    return {"messages": found[:-1], "reply": found[-1], "tools": tools(offered)}


def alternate(asked: Sequence[Message]) -> tuple[str, list[Message]] | None:
    """Return (system text, turns) where user and assistant alternate in plain text and the user is last; None where they do not."""
    if any(m.tool_calls or m.images for m in asked):
        return None
    system = asked[0].content if asked and asked[0].role == "system" else ""
    turns = list(asked[1:] if system else asked)
    good = len(turns) % 2 == 1 and all(m.role == ("user" if i % 2 == 0 else "assistant") for i, m in enumerate(turns))
    return (system, turns) if good else None


def sharegpt(turns: Sequence[Message]) -> list[dict[str, str]]:
    """Write turns as ShareGPT does."""
    return [{"from": NAMES[m.role], "value": m.content} for m in turns]


def from_sharegpt(value: Any, system: Any) -> tuple[Message, ...]:
    """Read ShareGPT turns."""
    if not isinstance(value, list) or not value:
        raise DataError("there is no list of conversations")
    try:
        found = [Message(ROLES[turn["from"]], str(turn["value"])) for turn in value]
    except (KeyError, TypeError) as error:
        raise DataError(f"a turn cannot be read: {error}") from error
    return ((Message("system", str(system)),) if system else ()) + tuple(found)
