"""Questions that a user has about databases of their own: SQLite files, and a file of questions with a right query each.

    sql:shop.db?questions=mine.jsonl          {"question": "How many customers are there?", "query": "SELECT count(*) FROM customers"}
    sql:databases?questions=dev.json          {"question": "...", "SQL": "...", "db_id": "shop"}, of databases/shop/shop.sqlite

Further databases with the same tables (`also=a.db,b.db`) tell queries apart that agree on the first. Everything that is asked of a file is asked of a copy
in a process of its own.
"""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from reasoner.errors import BadConfig
from reasoner.sandbox.database import checked_size
from reasoner.sandbox.query_server import Made, Outcome, run
from reasoner.text import clean, shorten
from solvers._own_file import OwnFile, first_of

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_CELL_CHARS = 2000
"""Longer values come back cut."""
MAX_SCHEMA_CHARS = 30_000
N_SHOWN_TABLES = 30
_QUOTED = re.compile(r"'(?:[^']|'')*'|\"[^\"]*\"")
_ORDER = re.compile(r"\border\s+by\b", re.IGNORECASE)
_SCHEMA = "SELECT name, sql FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%' ORDER BY rowid"


class Held(NamedTuple):
    """What a query gives where it is right, for each database, or why that cannot be said."""

    outcomes: tuple[Outcome, ...]
    fault: str = ""


def file_of(file: OwnFile, values: Mapping[str, Any]) -> Path:
    """Return the database a row is about: the file itself, or in a folder the one that `db_id` names.

    Raises:
        ValueError: there is none.
    """
    if not file.path.is_dir():
        return file.path
    name = str(values.get("db_id") or "")
    if not name or not re.fullmatch(r"[\w.-]{1,100}", name) or name.startswith("."):
        raise ValueError(f"the row does not say by db_id which database of {file.path} it is about")
    for place in (f"{name}/{name}.sqlite", f"{name}/{name}.db", f"{name}.sqlite", f"{name}.db"):
        if (file.path / place).is_file():
            return file.path / place
    raise ValueError(f"there is no database {name} in {file.path}")


def fields_of(file: OwnFile, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of an instance from a row, once its query has been run.

    Raises:
        ValueError: something is missing, or the query gives nothing that can be compared.
    """
    question, query = first_of(values, "question", "prompt"), first_of(values, "query", "SQL", "sql", "gold", "answer")
    for what, value in (("question", question), ("query", query)):
        if not isinstance(value, str) or not value.strip():
            raise ValueError(f"the row has no {what}")
    hint = first_of(values, "evidence", "hint")
    paths = [file_of(file, values), *(Path(name) for name in file.options.get("also", "").split(",") if name)]
    databases, prints = [], []
    for path in paths:
        try:
            checked_size(path)
        except BadConfig as error:
            raise ValueError(error.message) from error
        databases.append(str(path.resolve()))
        prints.append(fingerprint(str(path.resolve())))
    query = query.strip().removesuffix(";").strip()
    if fault := held(query, tuple(databases), tuple(prints)).fault:
        raise ValueError(fault)
    ordered = values["ordered"] if isinstance(values.get("ordered"), bool) else is_ordered(query)
    text = f"{question.strip()}\n{hint.strip()}" if isinstance(hint, str) and hint.strip() else question.strip()
    return {"question": text, "query": query, "databases": databases, "prints": prints, "ordered": ordered}


def is_ordered(query: str) -> bool:
    """Tell whether a query orders its result, and not only something inside it.

    >>> is_ordered("SELECT a FROM (SELECT a FROM t ORDER BY a)"), is_ordered("SELECT a FROM t ORDER BY f(a)")
    (False, True)
    """
    rest = _QUOTED.sub("''", query)
    while (inner := re.sub(r"\([^()]*\)", " ", rest)) != rest:
        rest = inner
    return _ORDER.search(rest) is not None


def databases_of(paths: tuple[str, ...], prints: tuple[str, ...]) -> list[Made]:
    """Return the databases as the server of queries takes them."""
    return [Made(f"{path}\n{print_}", path=path) for path, print_ in zip(paths, prints, strict=True)]


def fingerprint(path: str) -> str:
    """Return the sha256 of a file; empty where it cannot be read."""
    try:
        stat = Path(path).stat()
    except OSError:
        return ""
    return _fingerprint(path, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=256)
def _fingerprint(path: str, _time: int, _size: int) -> str:
    with Path(path).open("rb") as file:
        made = sha256()
        while block := file.read(1 << 20):
            made.update(block)
    return made.hexdigest()


def changed(paths: tuple[str, ...], prints: tuple[str, ...]) -> str:
    """Say which database is not the one any more that was asked about; empty where all are."""
    gone = next((path for path, print_ in zip(paths, prints, strict=True) if fingerprint(path) != print_), "")
    return f"the database {shorten(clean(gone), 100)} is not what it was when the question was read" if gone else ""


@lru_cache(maxsize=4096)
def held(query: str, paths: tuple[str, ...], prints: tuple[str, ...]) -> Held:
    """Return what a right query gives, and whether it can be compared: it runs, gives at most 1,000 rows, and no value is cut."""
    outcomes = tuple(run(query, databases_of(paths, prints)))
    for outcome in outcomes:
        if outcome.error:
            return Held(outcomes, f"the query of the row cannot be run: {shorten(clean(outcome.error), 120)}")
        if outcome.more:
            return Held(outcomes, "the query of the row gives more than can be compared: 1,000 rows, or 200,000 characters")
        if any(isinstance(value, str) and len(value) > MAX_CELL_CHARS for row in outcome.rows for value in row):
            return Held(outcomes, f"the query of the row gives a value of more than {MAX_CELL_CHARS:,} characters")
    return Held(outcomes)


@lru_cache(maxsize=64)
def described(path: str, print_: str, n_rows: int) -> tuple[str, tuple[tuple[str, tuple[tuple[Any, ...], ...]], ...]]:
    """Return the tables of a database as they were made, and the first rows of each."""
    made = databases_of((path,), (print_,))
    tables = run(_SCHEMA, made)[0].rows
    script = "\n".join(f"{sql};" for _, sql in tables if isinstance(sql, str))[:MAX_SCHEMA_CHARS]
    shown = []
    for name, _ in tables[:N_SHOWN_TABLES]:
        quoted = str(name).replace('"', '""')
        shown.append((str(name), run(f'SELECT * FROM "{quoted}" LIMIT {n_rows}', made)[0].rows))  # noqa: S608 - a name of the user's table, quoted
    return script, tuple(shown)
