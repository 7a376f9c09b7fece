"""The process that runs one query over several small databases, started by `reasoner.sandbox.query_server`; it imports nothing of this package.

The databases come with the first request that names them, are made in memory, or copied there from a file, and then closed to everything but reading, exactly as those of
`database_worker`, whose authorizer and limits hold here too.

    {"sql": "select 1", "rows": 10, "seconds": 1, "databases": [{"key": "a", "script": "CREATE TABLE ...", "tables": {...}, "path": ""}]}
    -> [{"columns": ["1"], "rows": [[1]], "more": false}]
"""

from __future__ import annotations

import importlib.util
import json
import sqlite3
import sys
from collections import OrderedDict
from pathlib import Path
from typing import Any

MEMORY_BYTES = 1 << 30
MAX_OPEN = 64
"""Databases that are kept; the one that was not asked for longest goes first."""
MAX_FILES = 2
"""Of these, how many are copies of files, which may be large."""


def load_rules() -> Any:
    """Load the file beside this one that says what a query may do."""
    spec = importlib.util.spec_from_file_location("database_worker", Path(__file__).with_name("database_worker.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def opening(rules: Any, database: dict[str, Any], opened: OrderedDict[str, sqlite3.Connection], files: list[str]) -> sqlite3.Connection:
    """Make a database, or copy its file; of those that were copied, only the last few stay open. `files` are their keys."""
    if not database.get("path"):
        made: sqlite3.Connection = rules.open_made(database["script"], database["tables"])
        return made
    while len(files) >= MAX_FILES:
        gone = opened.pop(files.pop(0), None)
        if gone is not None:
            gone.close()
    copied: sqlite3.Connection = rules.open_copy(database["path"])
    files.append(database["key"])
    return copied


def main() -> None:
    """Answer until the other side closes."""
    rules = load_rules()
    rules.limit(MEMORY_BYTES)
    opened: OrderedDict[str, sqlite3.Connection] = OrderedDict()
    files: list[str] = []
    for line in sys.stdin:
        asked = json.loads(line)
        told: list[dict[str, Any]] = []
        for database in asked["databases"]:
            if told and "error" in told[-1]:
                break
            key = database["key"]
            if key not in opened:
                if "script" not in database:
                    told.append({"missing": key})
                    continue
                try:
                    opened[key] = opening(rules, database, opened, files)
                except (sqlite3.Error, MemoryError, OSError) as error:
                    told.append({"error": f"the database cannot be opened: {error}", "unopened": True})
                    continue
            opened.move_to_end(key)
            told.append(rules.answer(opened[key], asked))
            while len(opened) > MAX_OPEN:
                opened.popitem(last=False)[1].close()
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
