"""Names that the shell completes: problem families, strategies, models, formats, ids of runs and trajectories.

strategies("cot,a")  ->  ["cot,ats"]
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from reasoner.errors import ReasonerError

if TYPE_CHECKING:
    from reasoner.registry import Kind

MODELS = ("local", "teacher", "openai:", "anthropic:", "responses:")
MAX_IDS = 50


def families(incomplete: str) -> list[str]:
    """Return the problem families that begin so."""
    return _names("solver", incomplete)


def formats(incomplete: str) -> list[str]:
    """Return the dataset formats that begin so."""
    return _names("format", incomplete)


def strategies(incomplete: str) -> list[str]:
    """Return the strategies that begin as the last of a list does."""
    before, comma, last = incomplete.rpartition(",")
    return [before + comma + name for name in _names("strategy", last)]


def models(incomplete: str) -> list[str]:
    """Return the kinds of models that begin so, and the GGUF files there."""
    folder = Path(incomplete).parent if "/" in incomplete else Path()
    try:
        files = sorted(str(path) for path in folder.glob("*.gguf"))
    except OSError:
        files = []
    return [name for name in (*MODELS, *files) if name.startswith(incomplete)]


def ids(incomplete: str) -> list[str]:
    """Return `last` and the ids of the newest runs that begin so."""
    from reasoner.store import Store  # noqa: PLC0415 - only where an id is completed
    from reasoner.store.run_queries import runs  # noqa: PLC0415

    db = Path(os.environ.get("REASONER_DB") or "trajectories.db")
    found: list[str] = []
    if db.is_file():
        try:
            with Store.read(db) as store:
                found = [row["id"] for row in runs(store, limit=MAX_IDS)]
        except ReasonerError:
            found = []
    return [name for name in ("last", *found) if name.startswith(incomplete)]


def _names(kind: Kind, incomplete: str) -> list[str]:
    from reasoner import registry  # noqa: PLC0415 - only where a name is completed

    return [name for name in registry.names(kind) if name.startswith(incomplete)]
