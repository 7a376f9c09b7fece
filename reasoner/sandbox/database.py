"""SQL that a model wrote, over a read-only copy of a database file in the memory of a process of its own.

The file is opened read-only, copied once, and never touched again. What a query may do is decided by an authorizer (reading only); how long it
may run, how much memory the process takes and how many rows come back are bounded. A process that is hung or dies is ended and started anew
for the next query.

    copy = DatabaseCopy(Path("shop.sqlite"))
    await copy.query("select name from goods") -> Rows(columns=("name",), rows=(("salt",),), more=False)

Knows SQLite; does not know tools or models.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sqlite3
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reasoner.errors import BadConfig, ToolFailed
from reasoner.files.signatures import DATABASE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAX_FILE_BYTES = 256 << 20
_WORKER = Path(__file__).with_name("database_worker.py")
_LINE_BYTES = 4 << 20
_GRACE_S = 3.0
_OPENING_S = 30.0


@dataclass(frozen=True, slots=True)
class QueryLimits:
    """What one query may use at most; `memory_bytes` is beside the database itself."""

    seconds: float = 5.0
    rows: int = 50
    memory_bytes: int = 256 << 20


@dataclass(frozen=True, slots=True)
class Rows:
    """What a query gives. `more` says that there were more rows than are shown."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    more: bool


class DatabaseCopy:
    """A database that can be asked and not changed."""

    def __init__(self, path: Path, *, limits: QueryLimits | None = None) -> None:
        """Name the file; it is copied at the first query.

        Raises:
            BadConfig: there is no such file, it is no SQLite database, or it is larger than 256 MiB.
        """
        self._path = path.resolve()
        self._limits = limits or QueryLimits()
        self._size = checked_size(self._path)
        self._process: asyncio.subprocess.Process | None = None
        self._one = asyncio.Lock()

    async def query(self, sql: str) -> Rows:
        """Answer one statement.

        Raises:
            ToolFailed: SQLite refuses it, it is not a query, or it met a limit; the message is for whoever wrote it.
        """
        async with self._one:
            process = await self._opened()
            asked = {"sql": sql, "rows": self._limits.rows, "seconds": self._limits.seconds}
            try:
                told = await self._ask(process, asked, self._limits.seconds + _GRACE_S)
            except BaseException:
                await self._end()
                raise
        if "error" in told:
            raise ToolFailed(_readable(str(told["error"])))
        return Rows(tuple(told["columns"]), tuple(tuple(row) for row in told["rows"]), bool(told["more"]))

    async def aclose(self) -> None:
        """End the process. Safe to call twice."""
        await self._end()

    async def _opened(self) -> asyncio.subprocess.Process:
        if self._process is not None and self._process.returncode is None:
            return self._process
        await self._end()
        memory = self._limits.memory_bytes + 2 * self._size
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-I", str(_WORKER), str(self._path), str(memory), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL, env={}, start_new_session=True, limit=_LINE_BYTES,
        )  # fmt: skip
        try:
            told = await self._line(self._process, _OPENING_S)
        except BaseException:
            await self._end()
            raise
        if "error" in told:
            await self._end()
            raise BadConfig(f"the database {self._path} cannot be read: {told['error']}", hint="give a SQLite database file")
        return self._process

    async def _ask(self, process: asyncio.subprocess.Process, asked: dict[str, Any], seconds: float) -> dict[str, Any]:
        if process.stdin is None:
            raise ToolFailed("the query could not be asked")
        process.stdin.write(json.dumps(asked).encode() + b"\n")
        with contextlib.suppress(ConnectionError):
            await process.stdin.drain()
        return await self._line(process, seconds)

    async def _line(self, process: asyncio.subprocess.Process, seconds: float) -> dict[str, Any]:
        if process.stdout is None:
            raise ToolFailed("the query could not be asked")
        try:
            line = await asyncio.wait_for(process.stdout.readline(), seconds)
        except TimeoutError:
            raise ToolFailed(f"the query ran longer than {self._limits.seconds:g} s") from None
        except ValueError:
            raise ToolFailed("the query gave more than can be shown") from None
        if not line:
            raise ToolFailed("the query needed more memory than it may have")
        told = json.loads(line)
        return told if isinstance(told, dict) else {"error": "no answer"}

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
        if process.stdout is not None:
            while await process.stdout.read(_LINE_BYTES):
                continue  # asyncio takes a process for ended when its pipes are read empty
        await process.wait()


def checked_size(path: Path) -> int:
    """Return the size of a database file in bytes.

    Raises:
        BadConfig: there is no such file, it is no SQLite database, or it is larger than 256 MiB.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(16)
    except OSError as error:
        raise BadConfig(f"the database {path} cannot be read: {error.strerror}", hint="give a SQLite database file") from error
    if head != DATABASE:
        raise BadConfig(f"{path} is no SQLite database", hint="give a SQLite database file")
    if size > MAX_FILE_BYTES:
        raise BadConfig(f"the database {path} has {size >> 20} MiB, at most {MAX_FILE_BYTES >> 20} are copied", hint="cut it down")
    return size


def _readable(problem: str) -> str:
    """Say in one sentence what SQLite says in codes."""
    if problem in {"not authorized", "authorization denied", "not an error"} or problem.startswith(
        ("not authorized", "access to", "attempt to write")
    ):
        return "only reading is allowed: SELECT, and the pragmas that tell of tables"
    return problem


def write_database(path: Path, script: str, tables: Mapping[str, Sequence[Sequence[Any]]]) -> None:
    """Write a database file of our own: the tables that a script creates, with their rows."""
    connection = sqlite3.connect(path)
    try:
        connection.executescript(script)
        for name, rows in tables.items():
            if rows:
                marks = ", ".join("?" * len(rows[0]))
                connection.executemany(f'INSERT INTO "{name}" VALUES ({marks})', rows)  # noqa: S608 - the name of a table of ours
        connection.commit()
    finally:
        connection.close()


def as_table(rows: Rows) -> str:
    """Return rows as the lines of a table, columns first, values parted by ` | `; no value takes more than its line."""
    if not rows.columns:
        return "[no rows]"
    lines = [" | ".join(rows.columns)]
    lines += [" | ".join("NULL" if value is None else _one_line(str(value)) for value in row) for row in rows.rows]
    return "\n".join([*lines, f"[{len(rows.rows)} rows{', and more' if rows.more else ''}]"])


def _one_line(text: str) -> str:
    return text.replace("\r", "\\r").replace("\n", "\\n")
