"""Open a store: one file, one writer thread, short readers.

with Store.open("trajectories.db") as store:
    store.rows("select solver, count(*) as n from problems group by solver")

with Store.read("trajectories.db") as store: ...   # the same without a writer: nothing is written, and no permission to write is needed
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from reasoner.errors import StoreError
from reasoner.files.database_path import database_path
from reasoner.store import migrations
from reasoner.store.connection import Connection, DatabaseError, connect, explain, prepare
from reasoner.store.ownership import refuse_foreign
from reasoner.store.reader import Reader, fetched
from reasoner.store.writer import Writer

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Sequence

T = TypeVar("T")


class Store:
    """An open database. Writes go through one thread and are awaited; reads are short and come from a connection of their own."""

    def __init__(self, path: Path, writer: Connection | None, reader: Connection | Reader) -> None:
        self.path = path
        self._writer = None if writer is None else Writer(writer, path)
        self._reader = reader
        self._reading = threading.Lock()
        self._open = True

    @classmethod
    def open(cls, path: Path | str | None = None, *, create: bool = True) -> Store:
        """Open (and make or migrate) a store.

        Raises:
            StoreError: it cannot be opened, is damaged, is another program's, or a newer version of reasoner wrote it.
        """
        chosen = database_path(path)
        prepare(chosen, create=create)
        refuse_foreign(chosen)
        writer = connect(chosen, create=create)
        try:
            _bring_up_to_date(writer, chosen)
            reader = connect(chosen, create=False, read_only=True)
        except DatabaseError as error:
            writer.close()
            raise explain(error, chosen) from error
        except BaseException:
            writer.close()
            raise
        return cls(chosen, writer, reader)

    @classmethod
    def read(cls, path: Path | str | None = None) -> Store:
        """Open a store that is there for reading alone; nothing is written, neither to the file nor beside it.

        A file of an earlier version is brought up to date first, where it may be written.

        Raises:
            StoreError: it is not there, cannot be read, is damaged, is another program's, or of another version.
        """
        chosen = database_path(path)
        prepare(chosen, create=False)
        refuse_foreign(chosen)
        reader = Reader(chosen)
        store = cls(chosen, None, reader)
        try:
            current = _applied(store)
        except BaseException:
            store.close()
            raise
        if current:
            return store
        store.close()
        if not (os.access(chosen, os.W_OK) and os.access(chosen.parent, os.W_OK)):
            raise StoreError(
                f"the database {chosen} was written by an older reasoner and cannot be brought up to date here: it may not be written",
                hint="let its owner open it once ('reasoner runs'), or copy it",
            )
        cls.open(chosen, create=False).close()
        return cls(chosen, None, Reader(chosen))

    async def write(self, job: Callable[[Connection], T], *, durable: bool = True) -> T:
        """Run a job in the writer thread and return its result after it is committed.

        A cancelled caller does not undo the job: it is committed all the same.
        """
        return await self.written(job, durable=durable)

    def written(self, job: Callable[[Connection], T], *, durable: bool = True) -> asyncio.Future[T]:
        """Queue a job and return what its result will stand in once it is committed; where there is an event loop."""
        return self._writing.submit_async(job, durable=durable)

    def write_now(self, job: Callable[[Connection], T], *, durable: bool = True) -> T:
        """Do the same from synchronous code, blocking until the commit."""
        return self._writing.submit(job, durable=durable).result()

    @property
    def _writing(self) -> Writer:
        if self._writer is None:
            raise StoreError(f"the store {self.path} was opened for reading", hint="open it with Store.open")
        return self._writer

    def rows(self, sql: str, params: Sequence[Any] = ()) -> list[dict[str, Any]]:
        """Return the rows of a query as dictionaries.

        Raises:
            StoreError: SQLite refused the query or the file.
        """
        names, found = self._fetch(sql, params)
        return [dict(zip(names, row, strict=True)) for row in found]

    def tuples(self, sql: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a query as tuples: for reading many of them, where naming every column costs more than the reading.

        Raises:
            StoreError: SQLite refused the query or the file.
        """
        return self._fetch(sql, params)[1]

    def _fetch(self, sql: str, params: Sequence[Any]) -> tuple[list[str], list[tuple[Any, ...]]]:
        with self._reading:
            if isinstance(self._reader, Reader):
                return self._reader.fetch(sql, params)
            try:
                return fetched(self._reader, sql, params)
            except DatabaseError as error:
                raise explain(error, self.path) from error

    def row(self, sql: str, params: Sequence[Any] = ()) -> dict[str, Any] | None:
        """Return the first row of a query, or None."""
        found = self.rows(sql, params)
        return found[0] if found else None

    def check(self) -> str:
        """Return `ok`, or the first fault SQLite finds in the file."""
        return str(self.tuples("PRAGMA quick_check(1)")[0][0])

    def close(self) -> None:
        """Finish pending writes and close both connections. Safe to call twice."""
        if self._open:
            self._open = False
            if self._writer is not None:
                self._writer.close()
            self._reader.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _bring_up_to_date(writer: Connection, path: Path) -> None:
    if _is_current(lambda sql: writer.execute(sql).fetchall(), path):
        return
    # It loads pandas where that is installed: a second, which only a file that has to be changed need wait for.
    from sqlite_utils import Database  # noqa: PLC0415

    db = Database(writer)
    newer = migrations.unknown(db)
    if newer:
        raise _newer(path, newer[0])
    migrations.migrate(db)


def _newer(path: Path, step: str) -> StoreError:
    return StoreError(f"the database {path} was written by a newer reasoner (it has {step})", hint="upgrade reasoner-llm")


def _applied(store: Store) -> bool:
    """Tell whether a file has every migration.

    Raises:
        StoreError: it has one that this version does not know.
    """
    return _is_current(store.tuples, store.path)


def _is_current(tuples: Callable[[str], Sequence[tuple[Any, ...]]], path: Path) -> bool:
    if not tuples("SELECT 1 FROM sqlite_master WHERE name = '_sqlite_migrations'"):
        return False
    found = {name for (name,) in tuples("SELECT name FROM _sqlite_migrations WHERE migration_set = 'reasoner'")}
    if newer := sorted(found - migrations.STEPS.keys()):
        raise _newer(path, newer[0])
    return migrations.STEPS.keys() <= found
