"""A sharded run as a store that grows while its shards work: a temporary file, merged into again and again.

    with growing(shared("/mnt/run7")) as db:
        Store.read(db)

Nothing is declared here: who looks is no coordinator.
"""

from __future__ import annotations

import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from reasoner.errors import ReasonerError
from reasoner.scale.merging import merge

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reasoner.scale.storage import Shared

AGAIN_S = 3.0
"""How long after a merge the next one begins, in seconds."""


@contextmanager
def growing(place: Shared, *, again_s: float = AGAIN_S) -> Iterator[Path]:
    """Merge what is there, and go on merging beside the body.

    Raises:
        ReasonerError: the folder is none of a sharded run, or cannot be read.
    """
    with tempfile.TemporaryDirectory(prefix="reasoner-view-") as folder:
        db = Path(folder) / "run.db"
        ended = threading.Event()
        merge(place, db, declare=False)

        def go_on() -> None:
            while not ended.wait(again_s):
                try:
                    merge(place, db, declare=False)
                except ReasonerError:
                    continue  # the folder is away for a moment, or a file is being replaced: what was merged is still shown

        thread = threading.Thread(target=go_on, name="reasoner-merge", daemon=True)
        thread.start()
        try:
            yield db
        finally:
            ended.set()
            thread.join()
