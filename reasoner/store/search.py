"""Full-text search over all messages, prompts and replies alike.

search(store, "rain tomorrow") -> [{"role": "assistant", "pieces": [(False, "it will "), (True, "rain"), ...], "places": [...]}]
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reasoner.store.database import Store

MAX_WORDS = 16
SNIPPET = 24
"""Words around a hit."""
_BEGIN, _END = "\ue000", "\ue001"
"""What stands around a hit in a snippet: characters of private use, so that no text of a model is cut at its own."""


def search(store: Store, words: str, *, limit: int = 50) -> list[dict[str, Any]]:
    """Return messages that hold all the words, best first: `pieces` as (is a hit, text), and the `places` where each was said."""
    query = " ".join('"' + word.replace('"', '""') + '"' for word in words.split()[:MAX_WORDS])
    if not query:
        return []
    hits = store.rows(
        "SELECT m.id, m.role, snippet(messages_fts, 0, ?, ?, '…', ?) AS snippet FROM messages_fts"
        " JOIN messages m ON m.id = messages_fts.rowid WHERE messages_fts MATCH ? ORDER BY messages_fts.rank LIMIT ?",
        (_BEGIN, _END, SNIPPET, query, limit),
    )
    for hit in hits:
        hit["places"] = _places(store, hit["id"])
        hit["pieces"] = _pieces(hit["snippet"])
    return [hit for hit in hits if hit["places"]]


def _places(store: Store, message_id: int) -> list[dict[str, Any]]:
    return store.rows(
        "SELECT t.id, t.strategy, t.model, p.solver, substr(p.line, 1, 200) AS line, f.as_what FROM (SELECT trajectory_id, 'reply' AS as_what"
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
