"""Which database is meant where none is named. It stands apart from `reasoner.store`, so that a look whether it is there loads no engine."""

from __future__ import annotations

import os
from pathlib import Path

DEFAULT_PATH = "trajectories.db"


def database_path(given: Path | str | None = None) -> Path:
    """Return the database to use: what was given, else `REASONER_DB`, else `trajectories.db` in the working directory."""
    return Path(given or os.environ.get("REASONER_DB") or DEFAULT_PATH)
