"""The same facts in fewer bytes, above all where they grow with the calls.

What most calls share (the template's hash, the sampling, the constraint asked for) stands once in `call_settings`; the view
`call_details` shows calls with it, as `calls` did. A call's key is kept as the 32 bytes its 64 hexadecimal digits stand for (`key_bytes`);
the column `key` still reads as text and is worked out when it is read. A message's hash is the first 16 bytes of what were 64 hexadecimal digits. Edges are
kept by child, which is how they are looked up, without a second index that holds all of them again. The full-text index leaves out
the lengths of texts, which only make ranking faster. A file that was written before gives its free pages to what comes next, or back to
the disk with `sqlite-utils vacuum`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlite_utils import Database

HASH_BYTES = 16

_EDGES = (
    (
        "CREATE TABLE edges_by_child (parent TEXT NOT NULL REFERENCES thoughts(id), child TEXT NOT NULL REFERENCES thoughts(id),"
        " PRIMARY KEY (child, parent)) WITHOUT ROWID"
    ),
    "INSERT INTO edges_by_child (parent, child) SELECT parent, child FROM thought_edges",
    "DROP TABLE thought_edges",
    "ALTER TABLE edges_by_child RENAME TO thought_edges",
)
_SETTINGS = (
    "CREATE TABLE call_settings (id INTEGER PRIMARY KEY, template_hash TEXT NOT NULL, sampling TEXT NOT NULL, constraint_requested TEXT)",
    "CREATE INDEX call_settings_template ON call_settings(template_hash)",
    (
        "INSERT INTO call_settings (template_hash, sampling, constraint_requested)"
        " SELECT template_hash, sampling, constraint_requested FROM calls GROUP BY 1, 2, 3 ORDER BY min(id)"
    ),
    "ALTER TABLE calls ADD COLUMN settings_id INTEGER REFERENCES call_settings(id)",
    (
        "UPDATE calls SET settings_id = (SELECT s.id FROM call_settings s WHERE s.template_hash = calls.template_hash"
        " AND s.sampling = calls.sampling AND s.constraint_requested IS calls.constraint_requested)"
    ),
    "ALTER TABLE calls DROP COLUMN template_hash",
    "ALTER TABLE calls DROP COLUMN sampling",
    "ALTER TABLE calls DROP COLUMN constraint_requested",
)
_KEYS = (
    "ALTER TABLE calls RENAME COLUMN key TO key_bytes",
    "UPDATE calls SET key_bytes = packed_key(key_bytes)",
    (
        "ALTER TABLE calls ADD COLUMN key TEXT GENERATED ALWAYS AS"
        " (CASE typeof(key_bytes) WHEN 'blob' THEN lower(hex(key_bytes)) ELSE key_bytes END) VIRTUAL"
    ),
)
_DETAILS = """
CREATE VIEW call_details AS SELECT {columns}, s.template_hash, s.sampling, s.constraint_requested
FROM calls c LEFT JOIN call_settings s ON s.id = c.settings_id
"""
_SEARCH = (
    "DROP TABLE messages_fts",
    "CREATE VIRTUAL TABLE [messages_fts] USING FTS5 ([content], content=[messages], columnsize=0)",
    "INSERT INTO messages_fts (messages_fts) VALUES ('rebuild')",
)


def apply(db: Database) -> None:
    """Rewrite edges, calls, hashes and the full-text index."""
    db.register_function(_short, deterministic=True, name="short_hash")
    db.register_function(_packed, deterministic=True, name="packed_key")
    for statement in (*_EDGES, *_SETTINGS, *_KEYS):
        db.execute(statement)
    names = [row[1] for row in db.execute("PRAGMA table_xinfo(calls)").fetchall() if row[1] not in {"key_bytes", "settings_id"}]
    db.execute(_DETAILS.format(columns=", ".join(f"c.[{name}]" for name in names)))
    triggers = db.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'messages'").fetchall()
    for name, _ in triggers:  # they would index every text twice over
        db.execute(f"DROP TRIGGER [{name}]")
    db.execute("UPDATE messages SET hash = short_hash(hash)")
    for statement in _SEARCH:
        db.execute(statement)
    for _, sql in triggers:
        db.execute(sql)


def _short(hashed: str) -> bytes | str:
    """Return the first bytes of a hash; a text that is none stays, whoever wrote it."""
    return _packed(hashed)[:HASH_BYTES] if len(hashed) == 64 else hashed


def _packed(key: str) -> bytes | str:
    """Return the bytes that hexadecimal digits stand for; any other text stays."""
    try:
        made = bytes.fromhex(key)
    except ValueError:
        return key
    return made if made.hex() == key else key
