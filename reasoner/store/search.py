"""Full-text search over all messages, prompts and replies alike.

search(store, "rain tomorrow") -> [{"role": "assistant", "pieces": [(False, "it will "), (True, "rain"), ...], "places": [...]}]
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reasoner.store.queries import ASKED

if TYPE_CHECKING:
    from reasoner.store.database import Store

MAX_WORDS = 16
SNIPPET = 24
"""Words around a hit."""
_BEGIN, _END = "\ue000", "\ue001"
"""What stands around a hit in a snippet: characters of private use, so that no text of a model is cut at its own."""


MAX_COUNTED = 10_000
"""Further hits are not counted."""
_SAID = """
(EXISTS (SELECT 1 FROM calls WHERE reply_id = m.id) OR EXISTS (SELECT 1 FROM messages o JOIN calls c ON c.reply_id = o.id WHERE o.reasoning_id = m.id)
 OR EXISTS (SELECT 1 FROM contexts x JOIN calls c ON c.context_id = x.id WHERE x.message_id = m.id))
"""
"""Whether a message was said in a call: others (what a tool was given) have no place of their own."""


def search(store: Store, words: str, *, limit: int = 50, offset: int = 0) -> list[dict[str, Any]]:
    """Return messages that hold all the words, best first: `pieces` as (is a hit, text), and the `places` where each was said."""
    query = _query(words)
    if not query:
        return []
    hits = store.rows(
        "SELECT m.id, m.role, snippet(messages_fts, 0, ?, ?, '…', ?) AS snippet FROM messages_fts"  # noqa: S608 - a constant
        f" JOIN messages m ON m.id = messages_fts.rowid WHERE messages_fts MATCH ? AND {_SAID} ORDER BY messages_fts.rank LIMIT ? OFFSET ?",
        (_BEGIN, _END, SNIPPET, query, limit, offset),
    )
    for hit in hits:
        hit["places"] = _places(store, hit["id"])
        hit["pieces"] = _pieces(hit["snippet"])
    return hits


def n_hits(store: Store, words: str) -> int:
    """Return how many messages hold all the words, at most `MAX_COUNTED`."""
    query = _query(words)
    counted = (
        "SELECT count(*) FROM (SELECT 1 FROM messages_fts JOIN messages m ON m.id = messages_fts.rowid"  # noqa: S608 - a constant
        f" WHERE messages_fts MATCH ? AND {_SAID} LIMIT ?)"
    )
    return int(store.tuples(counted, (query, MAX_COUNTED))[0][0]) if query else 0


def _query(words: str) -> str:
    return " ".join('"' + word.replace('"', '""') + '"' for word in words.split()[:MAX_WORDS])


def _places(store: Store, message_id: int) -> list[dict[str, Any]]:
    return store.rows(
        f"SELECT t.id, t.strategy, t.model, p.solver, {ASKED} AS line, f.as_what FROM (SELECT trajectory_id, 'reply' AS as_what"  # noqa: S608 - a constant
        " FROM calls WHERE reply_id = ?1 UNION SELECT c.trajectory_id, 'thought' FROM messages m JOIN calls c ON c.reply_id = m.id"
        " WHERE m.reasoning_id = ?1 UNION SELECT c.trajectory_id, 'prompt' FROM contexts x JOIN calls c ON c.context_id = x.id"
        " WHERE x.message_id = ?1 LIMIT 4) f JOIN trajectories t ON t.id = f.trajectory_id JOIN problems p ON p.id = t.problem_id LIMIT 3",
        (message_id,),
    )


def _pieces(snippet: str) -> list[tuple[bool, str]]:
    """Cut a snippet into (is a hit, text)."""
    found: list[tuple[bool, str]] = []
    for index, piece in enumerate(snippet.split(_BEGIN)):
        hit, _, rest = piece.partition(_END) if index else ("", "", piece)
        found += [(True, hit), (False, rest)] if index else [(False, rest)]
    return [(is_hit, text) for is_hit, text in found if text]
