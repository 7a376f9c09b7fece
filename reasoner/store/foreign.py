"""Read a SQLite file of another program: which tables it has, and their rows. Nothing is written to it.

for row in read_table(Path("logs.db"), "responses", order="id"): row["prompt"]
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reasoner.errors import DataError
from reasoner.store.connection import DatabaseError, connect_reading

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def tables(path: Path) -> set[str]:
    """Return the names of a file's tables, none where it cannot be read."""
    try:
        connection = connect_reading(path, "mode=ro")
    except DatabaseError:
        return set()
    try:
        return {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()}
    except DatabaseError:
        return set()
    finally:
        connection.close()


def read_table(path: Path, table: str, *, order: str = "") -> Iterator[dict[str, Any]]:
    """Yield the rows of a table; bytes that are no UTF-8 are replaced.

    Raises:
        DataError: the file cannot be read, or is damaged.
    """
    name = table.replace('"', '""')
    try:
        connection = connect_reading(path, "mode=ro")
        try:
            connection.text_factory = lambda data: data.decode("utf-8", "replace")
            columns = [row[1] for row in connection.execute(f'PRAGMA table_info("{name}")').fetchall()]
            sort = f' ORDER BY "{order}"' if order in columns else ""
            cursor = connection.execute(f'SELECT * FROM "{name}"{sort}')  # noqa: S608 - the name is quoted
            while batch := cursor.fetchmany(500):
                for row in batch:
                    yield dict(zip(columns, row, strict=True))
        finally:
            connection.close()
    except DatabaseError as error:
        raise DataError(
            f"cannot read the table {table} of {path}: {error}", hint="it may be damaged, or in use by another program"
        ) from error
