"""Keep a worker's lease fresh while it works.

    with beating(store, worker):
        ...

A thread of its own says so, because the event loop may be busy with a long verification; a stopped or dead process says nothing.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from reasoner.errors import StoreError
from reasoner.store.claims import renew

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reasoner.store import Store
    from reasoner.store.claims import Worker


@contextmanager
def beating(store: Store, worker: Worker) -> Iterator[None]:
    """Renew a lease three times as often as it runs out, until the body ends."""
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(worker.lease_s / 3):
            try:
                store.write_now(lambda c: renew(c, worker), durable=False)
            except StoreError:
                continue  # the work's own writes meet the same fault and report it

    thread = threading.Thread(target=beat, name="reasoner-lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
