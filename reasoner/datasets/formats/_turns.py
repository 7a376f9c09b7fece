"""What several formats share: messages taken apart, and read back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reasoner.errors import DataError
from reasoner.types import Message, Role

if TYPE_CHECKING:
    from collections.abc import Sequence

ROLES: dict[str, Role] = {"human": "user", "gpt": "assistant", "system": "system"}
NAMES = {role: name for name, role in ROLES.items()}


def message(value: Any) -> Message:
    """Read one message of role and text.

    Raises:
        DataError: it has another role, or content that is no text.
    """
    if not isinstance(value, dict):
        raise DataError("a message is no object with role and content")
    role, content = value.get("role"), value.get("content")
    if role not in {"system", "user", "assistant"}:
        raise DataError(f"the role {str(role)[:40]!r} cannot be kept", hint="system, user and assistant can")
    if not isinstance(content, str) or value.get("tool_calls"):
        raise DataError(f"the content of a message of role {role} is no text", hint="only texts can be kept")
    if isinstance(thinking := value.get("thinking"), str) and thinking:
        content = f"{thinking}\n{content}"
    return Message(role, content)


def messages(value: Any) -> tuple[Message, ...]:
    """Read a list of messages.

    Raises:
        DataError: it is no list of messages, or an empty one.
    """
    if not isinstance(value, list) or not value:
        raise DataError("there is no list of messages")
    return tuple(map(message, value))


def reply(value: Any) -> str:
    """Read a list that holds one assistant's message."""
    found = messages(value if isinstance(value, list) else [value])
    if len(found) != 1 or found[0].role != "assistant":
        raise DataError("where one assistant's message has to stand there is something else")
    return found[0].content


def conversation(value: Any) -> dict[str, Any]:
    """Read messages of which the last is the assistant's."""
    found = messages(value)
    if len(found) < 2 or found[-1].role != "assistant":
        raise DataError("a conversation has to end with an assistant's message")
    return {"messages": found[:-1], "reply": found[-1].content}


def alternate(asked: Sequence[Message]) -> tuple[str, list[Message]] | None:
    """Return (system text, turns) where user and assistant alternate and the user is last; None where they do not."""
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
