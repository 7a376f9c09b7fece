"""What many rows share is stored once: message texts, conversations as chains of messages, settings of calls; keys as bytes.

    intern_context(connection, (Message("system", "..."), Message("user", "..."))) -> 17

Knows rows; does not know what a call is for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reasoner.errors import StoreError
from reasoner.text import storable
from reasoner.types import Message, digest

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


def message_hash(message: Message) -> bytes:
    """Return the hash a message is found by."""
    return bytes.fromhex(digest(message.role, storable(message.content)))[:HASH_BYTES]


def intern_message(c: Connection, message: Message) -> int:
    """Return the id of a message, storing it if it is new."""
    content = storable(message.content)
    hashed = message_hash(message)
    found = c.execute("SELECT id, role = ? AND content = ? FROM messages WHERE hash = ?", (message.role, content, hashed)).fetchone()
    if found is not None and not found[1]:
        raise StoreError(f"message {found[0]} has the hash of another text: {content[:40]!r}", hint="it was changed by hand; undo that")
    if found is None:
        cursor = c.execute("INSERT INTO messages (hash, role, content) VALUES (?, ?, ?)", (hashed, message.role, content))
        return int(cursor.lastrowid)
    return int(found[0])


def intern_context(c: Connection, messages: Sequence[Message]) -> int:
    """Return the id of a conversation, storing what of its chain is new.

    Raises:
        StoreError: there is no message at all.
    """
    context: int | None = None
    for depth, message in enumerate(messages):
        message_id = intern_message(c, message)
        where = (context or 0, message_id)
        found = c.execute("SELECT id FROM contexts WHERE coalesce(parent_id, 0) = ? AND message_id = ?", where).fetchone()
        if found is None:
            cursor = c.execute("INSERT INTO contexts (parent_id, message_id, depth) VALUES (?, ?, ?)", (context, message_id, depth))
            context = int(cursor.lastrowid)
        else:
            context = int(found[0])
    if context is None:
        raise StoreError("a request without messages cannot be recorded", hint="the template needs a user block with text in it")
    return context


def intern_settings(c: Connection, *, template_hash: str, sampling: str, constraint: str | None) -> int:
    """Return the id of what a call shares with most others, storing it if it is new."""
    found = c.execute(
        "SELECT id FROM call_settings WHERE template_hash = ? AND sampling = ? AND constraint_requested IS ?",
        (template_hash, sampling, constraint),
    ).fetchone()
    if found is None:
        sql = "INSERT INTO call_settings (template_hash, sampling, constraint_requested) VALUES (?, ?, ?)"
        return int(c.execute(sql, (template_hash, sampling, constraint)).lastrowid)
    return int(found[0])
