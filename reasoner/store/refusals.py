"""Calls that a model refused since their prompt was longer than its context: how the journal marks them, and finds them again.

an error "it does not fit: the prompt has 5,120 tokens, the context 4,096"
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reasoner.store.database import Store

DID_NOT_FIT = "it does not fit: "
"""What the error of such a call begins with."""


class Refusals:
    """What a trajectory's journal knows of calls that were refused."""

    trajectory_id: str
    _store: Store

    def did_not_fit(self, key: str) -> bool:
        """Tell whether a call was refused as longer than the model's context."""
        sql = "SELECT 1 FROM calls WHERE trajectory_id = ? AND key = ? AND state = 'failed' AND substr(error, 1, ?) = ? LIMIT 1"
        return bool(self._store.tuples(sql, (self.trajectory_id, key, len(DID_NOT_FIT), DID_NOT_FIT)))
