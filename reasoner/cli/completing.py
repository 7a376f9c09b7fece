"""Names that the shell completes: problem families, strategies, models, formats, ids of runs and trajectories, labels.

strategies("cot,a")  ->  ["cot,ats"]

A shell evaluates what it completes, and labels, ids and names of files come from others (an imported file brings its labels along): those that hold
a character a shell gives a meaning are not offered.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from reasoner.cli.glance import glance

if TYPE_CHECKING:
    from collections.abc import Iterable

    from reasoner.registry import Kind
    from reasoner.store import Store

MODELS = ("local", "teacher", "openai:", "anthropic:", "responses:")
MAX_IDS = 50
_HARMLESS = re.compile(r"(?!-)[\w .,:@%+=/-]+")
"""Names without quotes, escapes, substitutions, patterns and separators, and that are no option."""


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
    folder, slash, _ = incomplete.rpartition("/")
    try:
        files = sorted(folder + slash + path.name for path in Path(folder + slash).glob("*.gguf"))
    except OSError:
        files = []
    return _offered((*MODELS, *files), incomplete)


def ids(incomplete: str) -> list[str]:
    """Return `last` and the ids of the newest runs that begin so."""

    def newest(store: Store) -> list[str]:
        from reasoner.store.run_queries import runs  # noqa: PLC0415 - only where there is a database

        return [row["id"] for row in runs(store, limit=MAX_IDS)]

    none: list[str] = []
    return _offered(("last", *glance(newest, none)), incomplete)


def labels(incomplete: str) -> list[str]:
    """Return the labels of annotations that begin so."""

    def used(store: Store) -> list[str]:
        from reasoner.store.annotations import labels as in_use  # noqa: PLC0415 - only where there is a database

        return in_use(store)

    return _offered(glance(used, []), incomplete)


def _names(kind: Kind, incomplete: str) -> list[str]:
    from reasoner import registry  # noqa: PLC0415 - only where a name is completed

    return _offered(registry.names(kind), incomplete)


def _offered(names: Iterable[str], incomplete: str) -> list[str]:
    return [name for name in names if name.startswith(incomplete) and _HARMLESS.fullmatch(name)]
