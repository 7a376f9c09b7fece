"""Open a store: one file, one writer thread, short readers.

with Store.open("trajectories.db") as store:
    store.rows("select solver, count(*) as n from problems group by solver")
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from sqlite_utils import Database

from reasoner.errors import StoreError
from reasoner.store import migrations
from reasoner.store.connection import Connection, DatabaseError, connect, explain
from reasoner.store.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

T = TypeVar("T")

DEFAULT_PATH = "trajectories.db"


def store_path(given: Path | str | None = None) -> Path:
    """Return the database to use: what was given, else `REASONER_DB`, else `trajectories.db` in the working directory."""
    return Path(given or os.environ.get("REASONER_DB") or DEFAULT_PATH)


class Store:
    """An open database. Writes go through one thread and are awaited; reads are short and come from a connection of their own."""

    def __init__(self, path: Path, writer: Connection, reader: Connection) -> None:
        self.path = path
        self._writer = Writer(writer, path)
        self._reader = reader
        self._reading = threading.Lock()
        self._open = True

    @classmethod
    def open(cls, path: Path | str | None = None, *, create: bool = True) -> Store:
        """Open (and make or migrate) a store.

        Raises:
            StoreError: it cannot be opened, is damaged, or a newer version of reasoner wrote it.
        """
        chosen = store_path(path)
        writer = connect(chosen, create=create)
        try:
            _bring_up_to_date(Database(writer), chosen)
            reader = connect(chosen, create=False, read_only=True)
        except DatabaseError as error:
            writer.close()
            raise explain(error, chosen) from error
        except BaseException:
            writer.close()
            raise
        return cls(chosen, writer, reader)

    async def write(self, job: Callable[[Connection], T], *, durable: bool = True) -> T:
        """Run a job in the writer thread and return its result after it is committed.

        A cancelled caller does not undo the job: it is committed all the same.
        """
        return await self._writer.submit_async(job, durable=durable)

    def write_now(self, job: Callable[[Connection], T], *, durable: bool = True) -> T:
        """Do the same from synchronous code, blocking until the commit."""
        return self._writer.submit(job, durable=durable).result()

    def rows(self, sql: str, params: Sequence[Any] = ()) -> list[dict[str, Any]]:
        """Return the rows of a query as dictionaries.

        Raises:
            StoreError: SQLite refused the query or the file.
        """
        try:
            with self._reading:
                cursor = self._reader.execute(sql, tuple(params))
                names = [column[0] for column in cursor.description]
                return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        except DatabaseError as error:
            raise explain(error, self.path) from error

    def tuples(self, sql: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a query as tuples: for reading many of them, where naming every column costs more than the reading.

        Raises:
            StoreError: SQLite refused the query or the file.
        """
        try:
            with self._reading:
                found: list[tuple[Any, ...]] = self._reader.execute(sql, tuple(params)).fetchall()
                return found
        except DatabaseError as error:
            raise explain(error, self.path) from error

    def row(self, sql: str, params: Sequence[Any] = ()) -> dict[str, Any] | None:
        """Return the first row of a query, or None."""
        found = self.rows(sql, params)
        return found[0] if found else None

    def close(self) -> None:
        """Finish pending writes and close both connections. Safe to call twice."""
        if self._open:
            self._open = False
            self._writer.close()
            self._reader.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _bring_up_to_date(db: Database, path: Path) -> None:
    newer = migrations.unknown(db)
    if newer:
        raise StoreError(f"the database {path} was written by a newer reasoner (it has {newer[0]})", hint="upgrade reasoner-llm")
    migrations.migrate(db)
