"""What many rows share is stored once: message texts, thoughts, conversations as chains of messages, settings of calls; keys as bytes.

intern_context(connection, (Message("system", "..."), Message("user", "..."))) -> 17
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from reasoner.errors import StoreError
from reasoner.text import storable
from reasoner.types import Message, Role, ToolCall, ToolSpec, canonical_json, digest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reasoner.store.connection import Connection

HASH_BYTES = 16
"""So much of a text's hash is kept; the text itself is compared too."""


def packed(key: str) -> bytes | str:
    """Return the bytes a key's hexadecimal digits stand for, as `calls.key_bytes` holds them; any other text as it is."""
    try:
        made = bytes.fromhex(key)
    except ValueError:
        return key
    return made if made.hex() == key else key


REASONING = "reasoning"
"""The role of a message that is the thought before another one."""
MESSAGE = "m.role, m.content, m.parts, (SELECT content FROM messages WHERE id = m.reasoning_id)"
"""The columns of a message, from `messages m`."""


def stored(message: Message) -> Message:
    """Return a message as it reads once it is stored: without what UTF-8 cannot hold."""
    if not message.parts():
        content = storable(message.content)
        return message if content == message.content else Message(message.role, content)
    calls = tuple(ToolCall(storable(one.id), storable(one.name), storable(one.arguments)) for one in message.tool_calls)
    return Message(
        message.role, storable(message.content), storable(message.reasoning), calls, storable(message.opaque, len(message.opaque)),
        storable(message.tool_call_id), message.images,
    )  # fmt: skip


def message_of(role: Role, content: str, parts: str | None, reasoning: str | None) -> Message:
    """Return the message in a row of `MESSAGE`."""
    if parts is None and reasoning is None:
        return Message(role, content)
    return Message.of_parts(role, content, {**json.loads(parts or "{}"), "reasoning": reasoning or ""})


def message_hash(message: Message) -> bytes:
    """Return the hash a message is found by."""
    return _hash_of(stored(message))


def _hash_of(message: Message) -> bytes:
    parts = message.parts()
    return _hash(message.role, message.content, canonical_json(parts)) if parts else _hash(message.role, message.content)


def _hash(*parts: str) -> bytes:
    return bytes.fromhex(digest(*parts))[:HASH_BYTES]


def intern_message(c: Connection, message: Message) -> int:
    """Return the id of a message, storing it if it is new."""
    message = stored(message)
    parts = message.parts()
    reasoning = parts.pop("reasoning", None)
    more: dict[str, Any] = {} if reasoning is None else {"reasoning_id": intern_row(c, _hash(REASONING, reasoning), REASONING, reasoning)}
    if parts:
        more["parts"] = canonical_json(parts)
    return intern_row(c, _hash_of(message), message.role, message.content, **more)


def intern_text(c: Connection, role: str, text: str) -> int:
    """Return the id of a text that is no part of a conversation (what a tool was given), storing it if it is new."""
    text = storable(text)
    return intern_row(c, _hash(role, text), role, text)


def intern_row(c: Connection, hashed: bytes, role: str, content: str, *, reasoning_id: int | None = None, parts: str | None = None) -> int:
    """Return the id of a message by its columns, storing it if it is new.

    Raises:
        StoreError: another text has its hash.
    """
    found = c.execute(
        "SELECT id, role = ? AND content = ? AND reasoning_id IS ? AND parts IS ? FROM messages WHERE hash = ?",
        (role, content, reasoning_id, parts, hashed),
    ).fetchone()
    if found is not None and not found[1]:
        raise StoreError(f"message {found[0]} has the hash of another text: {content[:40]!r}", hint="it was changed by hand; undo that")
    if found is None:
        sql = "INSERT INTO messages (hash, role, content, reasoning_id, parts) VALUES (?, ?, ?, ?, ?)"
        return int(c.execute(sql, (hashed, role, content, reasoning_id, parts)).lastrowid)
    return int(found[0])


def intern_context(c: Connection, messages: Sequence[Message]) -> int:
    """Return the id of a conversation, storing what of its chain is new.

    Raises:
        StoreError: there is no message at all.
    """
    context: int | None = None
    for depth, message in enumerate(messages):
        context = extend_context(c, context, message, depth)
    if context is None:
        raise StoreError("a request without messages cannot be recorded", hint="the template needs a user block with text in it")
    return context


def extend_context(c: Connection, parent: int | None, message: Message, depth: int) -> int:
    """Return the id of a conversation with one more message, storing what of it is new."""
    return extend_known(c, parent, intern_message(c, message), depth)


def extend_known(c: Connection, parent: int | None, message_id: int, depth: int) -> int:
    """Return the id of a conversation with one more message that is stored already."""
    found = c.execute("SELECT id FROM contexts WHERE coalesce(parent_id, 0) = ? AND message_id = ?", (parent or 0, message_id)).fetchone()
    if found is None:
        return int(c.execute("INSERT INTO contexts (parent_id, message_id, depth) VALUES (?, ?, ?)", (parent, message_id, depth)).lastrowid)
    return int(found[0])


def tools_text(tools: Sequence[ToolSpec], choice: str) -> str | None:
    """Return the tools a call offers as rows hold them; None where it offers none."""
    if not tools and not choice:
        return None
    return canonical_json({"choice": choice, "tools": [[tool.name, tool.description, tool.parameters] for tool in tools]})


def tools_of(text: str | None) -> tuple[ToolSpec, ...]:
    """Return the tools in what `tools_text` wrote."""
    return tuple(ToolSpec(*tool) for tool in json.loads(text)["tools"]) if text else ()


def intern_settings(c: Connection, *, template_hash: str, sampling: str, constraint: str | None, tools: str | None = None) -> int:
    """Return the id of what a call shares with most others, storing it if it is new."""
    row = (template_hash, sampling, constraint, tools)
    found = c.execute(
        "SELECT id FROM call_settings WHERE template_hash = ? AND sampling = ? AND constraint_requested IS ? AND tools IS ?", row
    ).fetchone()
    if found is None:
        sql = "INSERT INTO call_settings (template_hash, sampling, constraint_requested, tools) VALUES (?, ?, ?, ?)"
        return int(c.execute(sql, row).lastrowid)
    return int(found[0])
