"""A reply has parts beside its text: what was thought, the tools it asks for, and items its provider wants back; calls may offer tools.

The thought is a message of its own (role `reasoning`), stored once and found by the full-text search like any other; `messages.reasoning_id`
names it. The other parts stand as JSON in `messages.parts`. `call_settings.tools` holds the tools a call offered, `calls.usage_estimated`
is 1 where the provider's counts were missing or unreadable and what was reserved stands for them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlite_utils import Database

_CHANGES = (
    "ALTER TABLE messages ADD COLUMN reasoning_id INTEGER REFERENCES messages(id)",
    "ALTER TABLE messages ADD COLUMN parts TEXT",
    "ALTER TABLE call_settings ADD COLUMN tools TEXT",
    "ALTER TABLE calls ADD COLUMN reasoning_tokens INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE calls ADD COLUMN usage_estimated INTEGER NOT NULL DEFAULT 0",
    "CREATE INDEX messages_reasoning ON messages(reasoning_id) WHERE reasoning_id IS NOT NULL",
    "DROP VIEW call_details",
)
_DETAILS = """
CREATE VIEW call_details AS SELECT {columns}, s.template_hash, s.sampling, s.constraint_requested, s.tools
FROM calls c LEFT JOIN call_settings s ON s.id = c.settings_id
"""


def apply(db: Database) -> None:
    """Add the columns, and show them in the view."""
    for statement in _CHANGES:
        db.execute(statement)
    names = [row[1] for row in db.execute("PRAGMA table_xinfo(calls)").fetchall() if row[1] not in {"key_bytes", "settings_id"}]
    db.execute(_DETAILS.format(columns=", ".join(f"c.[{name}]" for name in names)))
