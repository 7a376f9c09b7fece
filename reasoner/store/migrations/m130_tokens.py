"""What a model read and wrote in tokens, where that was asked for: JSON with `prompt_ids`, `ids` and `logprobs` (`reasoner/token_record.py`).

It stands last in its row, so that whoever reads other columns of the call does not read it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlite_utils import Database


def apply(db: Database) -> None:
    """Add the column."""
    db.execute("ALTER TABLE calls ADD COLUMN tokens TEXT")
