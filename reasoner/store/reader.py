"""Read a file that is not ours to write: no lock is taken on it, nothing is put beside it, no byte of it is changed.

A file that nobody has open has no log, and is read as it stands (`immutable`). Where somebody begins to write meanwhile, what was read is
thrown away and read again beside the writer (`mode=ro`).

    reader = Reader(Path("trajectories.db")); reader.fetch("select id from runs", ()) -> (["id"], [("3f0c…",)])

Knows SQLite's ways of opening; does not know a table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reasoner.errors import StoreError
from reasoner.store.connection import DatabaseError, connect_reading, explain
from reasoner.store.place import LOG, Identity, beside, identity

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from reasoner.store.connection import Connection

Fetched = tuple[list[str], list[tuple[Any, ...]]]
"""Names of columns, and rows."""


class Reader:
    """A connection that cannot write. For one thread at a time."""

    def __init__(self, path: Path) -> None:
        """Open the file.

        Raises:
            StoreError: it cannot be read.
        """
        self._path = path
        self._log = beside(path, LOG)
        self._still: tuple[Identity | None, int, int] | None = None
        """What the file looked like when it was opened as one that nobody writes; None where it is read beside a writer."""
        self._connection = self._open()

    def fetch(self, sql: str, params: Sequence[Any]) -> Fetched:
        """Return the rows of a query.

        Raises:
            StoreError: SQLite refused the query or the file.
        """
        if self._has_changed():
            self._open_again()
        found: Fetched | None = None
        failure: Exception | None = None
        try:
            found = fetched(self._connection, sql, params)
        except DatabaseError as error:
            failure = error
        if self._has_changed():
            self._open_again()
            try:
                return fetched(self._connection, sql, params)
            except DatabaseError as error:
                raise explain(error, self._path) from error
        if found is None:
            assert failure is not None  # one of the two is there
            raise explain(failure, self._path) from failure
        return found

    def close(self) -> None:
        """Close the connection. Safe to call twice."""
        self._connection.close()

    def _open(self) -> Connection:
        if not self._has_log():
            self._still = self._look()
            try:
                return connect_reading(self._path, "immutable=1")
            except DatabaseError as error:
                if not self._has_changed():
                    raise explain(error, self._path) from error
        self._still = None
        try:
            return connect_reading(self._path, "mode=ro")
        except DatabaseError as error:
            if "unable to open" in str(error):
                raise StoreError(
                    f"the database {self._path} has a log ({self._log.name}) that cannot be read without writing beside it",
                    hint="let its owner open it once ('reasoner runs'), or copy both files to a folder of yours",
                ) from error
            raise explain(error, self._path) from error

    def _open_again(self) -> None:
        self._connection.close()
        self._connection = self._open()

    def _has_changed(self) -> bool:
        """Tell whether a file that was opened as one that nobody writes is written by now."""
        return self._still is not None and (self._has_log() or self._look() != self._still)

    def _has_log(self) -> bool:
        try:
            return self._log.stat().st_size > 0
        except OSError:
            return False

    def _look(self) -> tuple[Identity | None, int, int]:
        try:
            found = self._path.stat()
            return identity(self._path), found.st_size, found.st_mtime_ns
        except OSError:
            return None, 0, 0


def fetched(connection: Connection, sql: str, params: Sequence[Any]) -> Fetched:
    """Return what a query gives.

    Raises:
        DatabaseError: SQLite refuses it.
    """
    cursor = connection.execute(sql, tuple(params))
    return [column[0] for column in cursor.description or ()], cursor.fetchall()
