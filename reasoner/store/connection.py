"""The one place that opens a database file.

Knows SQLite's settings and which versions of it are safe; does not know a table. Settings and why: WAL so that readers and one
writer work side by side, explicit `BEGIN IMMEDIATE` for every write (a deferred transaction that turns into a write fails at once,
whatever the busy timeout), a busy timeout set before any other PRAGMA, foreign keys on, `trusted_schema` off, file mode 0600.

    connection = connect(Path("trajectories.db"))
"""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from reasoner.errors import StoreError
from reasoner.store.place import LOG, check_place, creating, identity, remove_leftovers

if TYPE_CHECKING:
    from collections.abc import Iterator


def _library() -> Any:
    """Return the module sqlite-utils chooses: `pysqlite3` where it is installed (a current SQLite), else the standard library's.

    One library for the whole process, since two different SQLite builds on one file are what the version rule is about. sqlite-utils is not
    asked, because it loads pandas where that is installed, which commands that only read would wait for; a test holds the two together.
    """
    try:
        return importlib.import_module("pysqlite3")
    except ImportError:
        return importlib.import_module("sqlite3")


sqlite3: Any = _library()

BUSY_TIMEOUT_MS = 30_000
WAL_LIMIT_BYTES = 64 * 1024 * 1024

Connection = Any
"""A DB-API connection of `sqlite3` or `pysqlite3`, whichever sqlite-utils found."""

DatabaseError: type[Exception] = sqlite3.DatabaseError


def sqlite_version() -> tuple[int, ...]:
    """Return the version of the SQLite library in use."""
    return tuple(int(part) for part in sqlite3.sqlite_version.split("."))


def is_wal_safe(version: tuple[int, ...]) -> bool:
    """Tell whether a version is free of the WAL-reset race that can corrupt a file with several connections.

    Fixed in 3.51.3, and in the backports 3.50.7 and 3.44.6; 3.52.0 was withdrawn. Source: sqlite.org, WAL documentation.
    """
    if version[:2] == (3, 44):
        return version >= (3, 44, 6)
    if version[:2] == (3, 50):
        return version >= (3, 50, 7)
    return version >= (3, 51, 3) and version != (3, 52, 0)


def journal_mode() -> str:
    """Return the journal mode this library can be trusted with: `wal`, or `delete` (slower, still safe) on affected versions."""
    return "wal" if is_wal_safe(sqlite_version()) else "delete"


def connect(path: Path, *, create: bool = True, read_only: bool = False) -> Connection:
    """Open a connection with the house settings.

    The connection may be used from another thread than the one that made it, by one thread at a time.

    Raises:
        StoreError: the file or its directory cannot be opened, created or read as a database.
    """
    prepare(path, create=create)
    try:
        connection = opened(path)
    except DatabaseError as error:
        raise explain(error, path) from error
    try:
        for pragma in _pragmas(read_only=read_only):
            if pragma.startswith("PRAGMA journal_mode"):
                _check_mode(path, _set_mode(connection, pragma))
            else:
                connection.execute(pragma).fetchall()
    except DatabaseError as error:
        connection.close()
        if is_wal(path) and not is_wal_safe(sqlite_version()):
            raise unsafe_wal(path) from error
        raise explain(error, path) from error
    except StoreError:
        connection.close()
        raise
    return connection


def opened(path: Path, how: str = "") -> Connection:
    """Open a file and set nothing. `how` is a parameter of SQLite's URIs: `mode=ro`, `immutable=1`.

    SQLite is given an absolute path, so that a name like `file:x` or `:memory:` is the name of a file.
    """
    name = str(path.absolute())
    return sqlite3.connect(
        f"file:{quote(name)}?{how}" if how else name, uri=bool(how), isolation_level=None, check_same_thread=False,
        timeout=BUSY_TIMEOUT_MS / 1000,
    )  # fmt: skip


def connect_reading(path: Path, how: str) -> Connection:
    """Open a connection that cannot write, and read from it once, so that it is known to work.

    Raises:
        DatabaseError: it does not.
    """
    connection = opened(path, how)
    try:
        for pragma in (f"busy_timeout = {BUSY_TIMEOUT_MS}", "trusted_schema = OFF", "query_only = ON"):
            connection.execute(f"PRAGMA {pragma}").fetchall()
        connection.execute("SELECT count(*) FROM sqlite_master").fetchall()
    except BaseException:
        connection.close()
        raise
    return connection


def _set_mode(connection: Connection, pragma: str) -> str:
    """Set the journal mode and return it. SQLite does not wait where two processes change a new file to WAL at once, so this does.

    Away from WAL nothing is waited for: who has the file open then keeps it.
    """
    # A reader never comes here, and what this loads takes a fifteenth of the time of `reasoner runs`.
    from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_fixed  # noqa: PLC0415

    waiting = Retrying(
        retry=retry_if_exception(lambda error: isinstance(error, DatabaseError) and "locked" in str(error) and pragma.endswith("wal")),
        wait=wait_fixed(0.01),
        stop=stop_after_delay(BUSY_TIMEOUT_MS / 1000),
        reraise=True,
    )
    return str(waiting(lambda: connection.execute(pragma).fetchall())[0][0])


def _check_mode(path: Path, mode: str) -> None:
    """Refuse to share a WAL file through a library that may corrupt it: the mode could not be changed, so another process has it open."""
    if mode == "wal" and not is_wal_safe(sqlite_version()):
        raise unsafe_wal(path)


def unsafe_wal(path: Path) -> StoreError:
    """Return the error for a WAL file that other processes use, met by a SQLite with the WAL-reset race."""
    return StoreError(
        f"the database {path} is in WAL mode and in use by another process, and SQLite {sqlite3.sqlite_version} may corrupt it then",
        hint="on Linux: pip install pysqlite3; or wait until the other process has ended",
    )


def is_wal(path: Path) -> bool:
    """Tell whether a file is in WAL mode, from its header (bytes 18 and 19; source: sqlite.org, database file format)."""
    try:
        with path.open("rb") as file:
            head = file.read(20)
    except OSError:
        return False
    return len(head) == 20 and head[18:20] == b"\x02\x02"


def _pragmas(*, read_only: bool) -> Iterator[str]:
    yield f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}"
    yield f"PRAGMA journal_mode = {journal_mode()}"
    yield f"PRAGMA journal_size_limit = {WAL_LIMIT_BYTES}"
    yield "PRAGMA foreign_keys = ON"
    yield "PRAGMA trusted_schema = OFF"
    yield "PRAGMA synchronous = FULL"
    if read_only:
        yield "PRAGMA query_only = ON"


def prepare(path: Path, *, create: bool) -> None:
    """Make the file with mode 0600 before SQLite would make it with the umask's; say plainly what is in the way.

    Raises:
        StoreError: it cannot be made, is not there, or is no place for a database (`reasoner.store.place.check_place`).
    """
    try:
        there = identity(path) is not None
        if there:
            check_place(path)
    except OSError as error:
        raise StoreError(
            f"cannot open the database {path}: {error.strerror}", hint="name another place with `db` or REASONER_DB"
        ) from error
    if there:
        return
    if not create:
        raise StoreError(f"there is no database at {path}", hint="name one with --db or REASONER_DB, or run 'reasoner solve' first")
    try:
        with creating(path):
            if identity(path) is None:
                remove_leftovers(path)
                os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        hint = "name a writable place with `db` or REASONER_DB" if path.parent.is_dir() else "make the directory first"
        raise StoreError(f"cannot create the database {path}: {error.strerror}", hint=hint) from error


def explain(error: Exception, path: Path) -> StoreError:
    """Return the StoreError for what SQLite said."""
    said = str(error)
    low = said.lower()
    name = str(getattr(error, "sqlite_errorname", ""))
    if "full" in low:
        hint = "the disk is full; free some space and run the same command again; everything committed is kept"
    elif "disk i/o" in low:
        said, hint = f"{said} ({name})" if name else said, _io_hint(name, path)
    elif "locked" in low or "busy" in low:
        hint = f"another process kept it locked for {BUSY_TIMEOUT_MS // 1000} s; try again when it is done"
    elif "readonly" in low or "unable to open" in low:
        hint = "check that the file and its directory are writable, or name another with `db`"
    elif "not a database" in low or "malformed" in low:
        hint = "it is damaged or not a database of reasoner; name another with `db`"
    else:
        hint = "run 'reasoner doctor' for the state of this installation"
    return StoreError(f"database {path}: {said}", hint=hint)


def _io_hint(name: str, path: Path) -> str:
    """Say what to do about a failed read or write; only one that wrote can come from a full disk."""
    if identity(path) is None:
        return "the file was removed; name it with `db` where it is now"
    if is_wal(path) and "SHORT_READ" in name:
        return f"its log {path.name}{LOG} was removed or cut off while it was in use; give the same command again"
    if any(word in name for word in ("READ", "SHM", "LOCK", "FSTAT", "ACCESS", "DELETE")):
        return "the file or the disk cannot be read as it should; check the disk, and that the folder is on a local file system"
    return "the disk is full or failing; free some space and run the same command again; everything committed is kept"
