"""Read what a trajectory came to for whoever asked: its last reply in all parts, and what its search counted.

last_reply(store, "9a31...")   -> Completion("42", "stop", reasoning="six sevens", ...)
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from reasoner.store.journal import COMPLETION, completion_of

if TYPE_CHECKING:
    from reasoner.store.database import Store
    from reasoner.types import Completion


def last_reply(store: Store, trajectory_id: str) -> Completion | None:
    """Return the answer of the last call of a trajectory that was answered; None where there is none."""
    row = store.tuples(
        f"SELECT {COMPLETION} FROM calls c JOIN messages m ON m.id = c.reply_id"  # noqa: S608 - columns named by the journal
        " WHERE c.trajectory_id = ? AND c.state = 'done' ORDER BY c.id DESC LIMIT 1",
        (trajectory_id,),
    )
    return completion_of(row[0]) if row else None


def counted(store: Store, trajectory_id: str, *, most: int = 200) -> dict[str, Any]:
    """Return what a search counted: the `votes` of its answers, and the `scores` of its thoughts in their order as [role, score]."""
    rows = store.tuples(
        "SELECT role, score, state FROM thoughts WHERE trajectory_id = ? AND (score IS NOT NULL OR state LIKE '%\"votes\"%')"
        " ORDER BY position LIMIT ?",
        (trajectory_id, most),
    )
    states = [json.loads(state) for _, _, state in rows if state]
    votes: dict[str, int] = next((state["votes"] for state in states if isinstance(state, dict) and state.get("votes")), {})
    return {"votes": votes, "scores": [[role, score] for role, score, _ in rows if score is not None]}
