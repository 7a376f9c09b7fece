"""The tool `sql:FILE`: ask a copy of a SQLite database. What tables there are stands in the description the model sees."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from reasoner.errors import BadConfig
from reasoner.sandbox.database import DatabaseCopy, QueryLimits, as_table
from reasoner.tools._tool import Arguments, Lent, Tool
from reasoner.types import digest

if TYPE_CHECKING:
    from collections.abc import Mapping


class Query(Arguments):
    """What `sql` takes."""

    query: str = Field(description="One select statement of SQLite.")


class Sql(Tool):
    """Ask a database."""

    name = "sql"
    needs = "a database: sql:FILE.sqlite"
    description = (
        "Ask the SQLite database with one select and see the rows. It can only be read."
        " select name, sql from sqlite_master tells what tables there are."
    )
    timeout_s = 60.0
    arguments = Query

    def __init__(self, path: Path, *, limits: QueryLimits | None = None) -> None:
        self._path = path
        self._copy = DatabaseCopy(path, limits=limits)

    @property
    def fingerprint(self) -> str:
        """What the model is shown, and which file is asked."""
        return digest(super().fingerprint, str(self._path))[:16]

    async def call(self, arguments: Mapping[str, Any], lent: Lent | None = None) -> str:  # noqa: ARG002 - the seam's signature
        """Answer the query with a table."""
        return as_table(await self._copy.query(str(arguments["query"])))

    async def aclose(self) -> None:
        """End the process that holds the copy."""
        await self._copy.aclose()


def open_tool(source: str = "") -> Sql:
    """Return the tool for a database file.

    Raises:
        BadConfig: no file was named, or it is no SQLite database.
    """
    if not source:
        raise BadConfig("the tool sql needs a database", hint="name it as sql:FILE.sqlite")
    return Sql(Path(source))
