"""The process that answers SQL queries, started by `reasoner.sandbox.database` as a file of its own; it imports nothing of this package.

It copies the database file into memory once, lays every limit on itself (memory, processor time, no files written), and then answers one JSON
line with another. What a query may do is decided by SQLite's authorizer: read rows, call harmless functions, nothing else.

    {"sql": "select 1", "rows": 10} -> {"columns": ["1"], "rows": [[1]], "more": false}
"""

from __future__ import annotations

import json
import resource
import sqlite3
import sys
import time
from pathlib import Path
from typing import Any

MAX_SQL_CHARS = 10_000
MAX_CELL_CHARS = 2000
MAX_ANSWER_CHARS = 200_000
STEP = 5000
"""How many steps of SQLite's machine pass between two looks at the clock."""

FORBIDDEN = frozenset({
    "load_extension", "readfile", "writefile", "edit", "fts3_tokenizer", "fts5", "fts5_source_id", "zeroblob", "randomblob", "random", "sqlite_compileoption_get",
    "sqlite_compileoption_used", "sqlite_log", "sqlite_offset", "changes", "total_changes", "last_insert_rowid",
})  # fmt: skip
PRAGMAS = frozenset({"table_info", "table_xinfo", "table_list", "index_list", "index_info", "foreign_key_list", "data_version"})
"""Pragmas that only tell of the schema; the full-text index asks for the last itself."""
ALLOWED = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE})
LIMITS = {
    sqlite3.SQLITE_LIMIT_LENGTH: 1_000_000, sqlite3.SQLITE_LIMIT_SQL_LENGTH: MAX_SQL_CHARS, sqlite3.SQLITE_LIMIT_COLUMN: 200,
    sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 100, sqlite3.SQLITE_LIMIT_COMPOUND_SELECT: 50, sqlite3.SQLITE_LIMIT_FUNCTION_ARG: 50,
    sqlite3.SQLITE_LIMIT_ATTACHED: 0, sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 500, sqlite3.SQLITE_LIMIT_WORKER_THREADS: 0,
    sqlite3.SQLITE_LIMIT_VDBE_OP: 100_000, sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH: 1,
}  # fmt: skip


def authorize(action: int, first: str | None, second: str | None, _database: str | None, _trigger: str | None) -> int:
    """Allow reading and nothing else."""
    if action in ALLOWED:
        return sqlite3.SQLITE_OK
    if action == sqlite3.SQLITE_FUNCTION:
        return sqlite3.SQLITE_DENY if (second or "").lower() in FORBIDDEN else sqlite3.SQLITE_OK
    if action == sqlite3.SQLITE_PRAGMA:
        return sqlite3.SQLITE_OK if (first or "").lower() in PRAGMAS else sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_DENY


def open_copy(path: str) -> sqlite3.Connection:
    """Return a copy of the file in memory that can only be read."""
    copy = sqlite3.connect(":memory:", isolation_level=None)
    source = sqlite3.connect(f"{Path(path).as_uri()}?mode=ro", uri=True)
    try:
        source.backup(copy)
    finally:
        source.close()
    return closed(copy)


def open_made(script: str, tables: dict[str, list[list[Any]]]) -> sqlite3.Connection:
    """Return a database in memory that is made of a script and rows, and can only be read. Both come from our own code."""
    made = sqlite3.connect(":memory:", isolation_level=None)
    made.executescript(script)
    for name, rows in tables.items():
        if rows:
            marks = ", ".join("?" * len(rows[0]))
            made.executemany(f'INSERT INTO "{name}" VALUES ({marks})', rows)  # noqa: S608 - the name of a table of ours
    return closed(made)


def closed(copy: sqlite3.Connection) -> sqlite3.Connection:
    """Close a database to everything but reading, within limits."""
    copy.text_factory = lambda data: data.decode("utf-8", "replace")
    for pragma in ("query_only = ON", "trusted_schema = OFF", "cell_size_check = ON", "temp_store = MEMORY"):
        copy.execute(f"PRAGMA {pragma}")
    for limit, value in LIMITS.items():
        copy.setlimit(limit, value)
    prepare(copy)
    copy.set_authorizer(authorize)
    return copy


def prepare(copy: sqlite3.Connection) -> None:
    """Read from every virtual table once: making one takes more than a query may do later, reading it does not."""
    names = [row[0] for row in copy.execute("select name from sqlite_master where type = 'table' and sql like 'CREATE VIRTUAL%'")]
    queries = [f'select * from "{name.replace(chr(34), chr(34) * 2)}" limit 0' for name in names]  # noqa: S608 - a name, quoted
    queries += [f"select * from {name}('[]')" for name in ("json_each", "json_tree")]  # noqa: S608 - names named here
    queries += [f"select * from pragma_{name}('')" for name in sorted(PRAGMAS)]  # noqa: S608 - names named above
    for query in queries:
        try:
            copy.execute(query).fetchall()
        except sqlite3.Error:
            continue  # a module this SQLite does not have: a query of it will say so


def answer(connection: sqlite3.Connection, asked: dict[str, Any]) -> dict[str, Any]:
    """Return the columns and rows of one query, or the error as text."""
    deadline = time.monotonic() + float(asked["seconds"])
    connection.set_progress_handler(lambda: time.monotonic() > deadline, STEP)
    try:
        cursor = connection.execute(asked["sql"])
        columns = [str(column[0])[:MAX_CELL_CHARS] for column in cursor.description or ()]
        rows: list[list[Any]] = []
        size, more = 0, False
        for row in cursor:
            shown = [cell(value) for value in row]
            size += sum(len(str(value)) + 2 for value in shown)
            if len(rows) >= asked["rows"] or size > MAX_ANSWER_CHARS:
                more = True
                break
            rows.append(shown)
        cursor.close()
    except sqlite3.OperationalError as error:
        late = "interrupted" in str(error)
        return {"error": f"the query ran longer than {asked['seconds']:g} s" if late else str(error)}
    except (sqlite3.Error, sqlite3.Warning) as error:
        return {"error": str(error)}
    except (ValueError, OverflowError, MemoryError, RecursionError) as error:
        return {"error": "the query needed more memory than it may have" if isinstance(error, MemoryError) else str(error)}
    finally:
        connection.set_progress_handler(None, 0)
    return {"columns": columns, "rows": rows, "more": more}


def cell(value: Any) -> Any:
    """Return a value as JSON has it, bounded; bytes as SQL writes them."""
    if isinstance(value, bytes):
        return f"x'{value[: MAX_CELL_CHARS // 2].hex()}'" + ("…" if len(value) > MAX_CELL_CHARS // 2 else "")
    if isinstance(value, str) and len(value) > MAX_CELL_CHARS:
        return value[:MAX_CELL_CHARS] + "…"
    if isinstance(value, float) and (value != value or value in {float("inf"), float("-inf")}):  # noqa: PLR0124 - the test for NaN
        return str(value)
    return value


def limit(memory_bytes: int) -> None:
    """Lay limits on this process that hold until it ends."""
    for what, value in (
        (resource.RLIMIT_AS, memory_bytes), (resource.RLIMIT_CORE, 0), (resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_NOFILE, 16),
        (resource.RLIMIT_CPU, 600),
    ):  # fmt: skip
        resource.setrlimit(what, (value, value))


def main() -> None:
    """Answer until the other side closes."""
    path, memory_bytes = sys.argv[1], int(sys.argv[2])
    limit(memory_bytes)
    try:
        connection = open_copy(path)
    except sqlite3.Error as error:
        tell({"error": str(error)})
        return
    tell({"ready": True})
    for line in sys.stdin:
        tell(answer(connection, json.loads(line)))


def tell(value: dict[str, Any]) -> None:
    """Write one answer as a line of ASCII."""
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
