"""Names that the shell completes: problem families, strategies, models, formats, ids of runs and trajectories, labels.

strategies("cot,a")  ->  ["cot,ats"]
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from reasoner.errors import ReasonerError

if TYPE_CHECKING:
    from collections.abc import Callable

    from reasoner.registry import Kind
    from reasoner.store import Store

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
    from reasoner.store.run_queries import runs  # noqa: PLC0415 - only where an id is completed

    found = _from_store(lambda store: [row["id"] for row in runs(store, limit=MAX_IDS)])
    return [name for name in ("last", *found) if name.startswith(incomplete)]


def labels(incomplete: str) -> list[str]:
    """Return the labels of annotations that begin so."""
    from reasoner.store.annotations import labels as used  # noqa: PLC0415 - only where a label is completed

    return [name for name in _from_store(used) if name.startswith(incomplete)]


def _from_store(read: Callable[[Store], list[str]]) -> list[str]:
    """Return what is read from the database of the environment; nothing where there is none, or none that can be read."""
    from reasoner.store import Store  # noqa: PLC0415 - only where a name is completed

    db = Path(os.environ.get("REASONER_DB") or "trajectories.db")
    if not db.is_file():
        return []
    try:
        with Store.read(db) as store:
            return read(store)
    except ReasonerError:
        return []


def _names(kind: Kind, incomplete: str) -> list[str]:
    from reasoner import registry  # noqa: PLC0415 - only where a name is completed

    return [name for name in registry.names(kind) if name.startswith(incomplete)]
