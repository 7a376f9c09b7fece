"""Whether a file is a database of ours; a file of another program is refused, and not a byte of it changed.

Ours have `APPLICATION_ID` in their header (bytes 68 to 71); those of versions before it are known by the table of their migrations.

    refuse_foreign(Path("history.sqlite"))   raises StoreError
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Literal

from reasoner.errors import StoreError
from reasoner.files.signatures import DATABASE
from reasoner.store.connection import DatabaseError, opened
from reasoner.store.place import LOG, beside

if TYPE_CHECKING:
    from pathlib import Path

APPLICATION_ID = 0x52534E52
"""`RSNR`; source: sqlite.org, PRAGMA application_id."""
HEADER_BYTES = 100


def refuse_foreign(path: Path) -> None:
    """Look at a file without opening it for writing.

    Raises:
        StoreError: it is no database, or another program's.
    """
    try:
        with path.open("rb") as file:
            head = file.read(HEADER_BYTES)
    except OSError as error:
        raise StoreError(
            f"cannot open the database {path}: {error.strerror}", hint="check that you may read it, or name another with `db`"
        ) from error
    if not head:
        return  # nothing was written to it yet
    if len(head) < HEADER_BYTES or not head.startswith(DATABASE):
        raise StoreError(f"{path} is not a database", hint="it is damaged or another kind of file; name another with `db`")
    found = int.from_bytes(head[68:72], "big")
    if found == APPLICATION_ID:
        return
    if found:
        raise _foreign(path, f"it has the application id {found:#010x}")
    _check_tables(path)


def _check_tables(path: Path) -> None:
    """Refuse a file without an application id that holds tables but none of our migrations."""
    log = beside(path, LOG)
    # What stands in the file itself is enough nearly always, and looking at it makes no file beside it.
    found = _look(path, "immutable=1")
    if found == "empty" and log.exists() and log.stat().st_size:
        found = _look(path, "mode=ro")
    if found == "foreign":
        raise _foreign(path, "it holds tables that are not ours")


def _look(path: Path, how: str) -> Literal["empty", "ours", "foreign"]:
    """Tell what a file holds; `empty` also where it cannot be read like this, which whoever opens it then meets too."""
    with contextlib.suppress(DatabaseError), contextlib.closing(opened(path, how)) as c:
        names = {name for (name,) in c.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()}
        if not names:
            return "empty"
        if "_sqlite_migrations" not in names:
            return "foreign"
        ours = c.execute("SELECT 1 FROM _sqlite_migrations WHERE migration_set = 'reasoner'").fetchall()
        return "ours" if ours else "foreign"
    return "empty"


def _foreign(path: Path, why: str) -> StoreError:
    return StoreError(f"{path} is a database of another program ({why}); it was not changed", hint="name another with `db` or REASONER_DB")
