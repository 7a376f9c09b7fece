"""The copy of a database: what it answers, what it refuses, and that no query gets out or harms this process."""

from __future__ import annotations

import asyncio
import hashlib
import resource
import sqlite3
import time
from pathlib import Path

import pytest
from attempts import queries

from reasoner.errors import BadConfig, ToolFailed
from reasoner.sandbox.database import DatabaseCopy, QueryLimits

CANARY = "canary-77d3a1b0c4"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    folder = tmp_path / "a b#c?d"
    folder.mkdir()
    path = folder / "shop.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE goods (id INTEGER PRIMARY KEY, name TEXT, price REAL)")
    connection.executemany("INSERT INTO goods VALUES (?, ?, ?)", [(i, f"thing {i}", i / 2) for i in range(200)])
    connection.execute("CREATE VIRTUAL TABLE notes USING fts5 (text)")
    connection.execute("INSERT INTO notes VALUES ('salt is heavy')")
    connection.commit()
    connection.close()
    return path


async def test_it_answers_queries_and_shows_the_first_rows(shop: Path) -> None:
    copy = DatabaseCopy(shop, limits=QueryLimits(rows=2))
    rows = await copy.query("SELECT id, name, price FROM goods ORDER BY id")
    assert (rows.columns, rows.rows, rows.more) == (("id", "name", "price"), ((0, "thing 0", 0.0), (1, "thing 1", 0.5)), True)
    assert (await copy.query("SELECT count(*) FROM goods WHERE price < 5")).rows == ((10,),)
    assert (await copy.query("SELECT text FROM notes WHERE notes MATCH 'heavy'")).rows == (("salt is heavy",),)
    assert (await copy.query("SELECT value FROM json_each('[7, 8]')")).rows == ((7,), (8,))
    assert len((await copy.query("PRAGMA table_info(goods)")).rows) == 2
    assert (await copy.query("SELECT x'00ff', NULL, 'ä'")).rows == (("x'00ff'", None, "ä"),)
    await copy.aclose()
    await copy.aclose()


async def test_the_file_may_change_or_go_while_the_copy_stays(shop: Path) -> None:
    copy = DatabaseCopy(shop)
    await copy.query("SELECT 1")
    shop.unlink()
    assert (await copy.query("SELECT count(*) FROM goods")).rows == ((200,),)
    await copy.aclose()


async def test_a_query_that_takes_too_long_ends_and_the_copy_stays(shop: Path) -> None:
    copy = DatabaseCopy(shop, limits=QueryLimits(seconds=0.5))
    await copy.query("SELECT 1")
    shop.unlink()  # a process that was ended could not begin anew
    with pytest.raises(ToolFailed, match=r"ran longer than 0\.5 s"):
        await copy.query("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n")
    assert (await copy.query("SELECT count(*) FROM goods")).rows == ((200,),)
    await copy.aclose()


@pytest.mark.parametrize(
    ("text", "says"), [(b"", "no SQLite"), (b"hello", "no SQLite"), (b"SQLite format 3\x00" + b"\xff" * 4096, "cannot be read")]
)
async def test_what_is_no_database_is_refused(tmp_path: Path, text: bytes, says: str) -> None:
    path = tmp_path / "x"
    path.write_bytes(text)
    with pytest.raises(BadConfig, match=says):
        await DatabaseCopy(path).query("SELECT 1")
    with pytest.raises(BadConfig, match="cannot be read"):
        DatabaseCopy(tmp_path / "nowhere")


async def test_a_process_that_dies_is_replaced(shop: Path) -> None:
    copy = DatabaseCopy(shop)
    await copy.query("SELECT 1")
    assert copy._process is not None
    copy._process.kill()
    with pytest.raises(ToolFailed):
        await copy.query("SELECT 1")
    assert (await copy.query("SELECT 1")).rows == ((1,),)
    await copy.aclose()


async def test_a_cancelled_query_leaves_no_answer_for_the_next(shop: Path) -> None:
    copy = DatabaseCopy(shop)
    await copy.query("SELECT 1")
    slow = asyncio.ensure_future(copy.query("WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c"))
    await asyncio.sleep(0.1)
    slow.cancel()
    with pytest.raises(asyncio.CancelledError):
        await slow
    assert (await copy.query("SELECT 2")).rows == ((2,),)
    await copy.aclose()


@pytest.mark.slow
async def test_no_query_gets_out(shop: Path, tmp_path: Path) -> None:
    """Over 200 queries: the file stays as it is, nothing is written or read beside it, each ends in time, and this process does not grow."""
    secret = tmp_path / "secret"
    secret.write_text(CANARY, encoding="utf-8")
    before = hashlib.sha256(shop.read_bytes()).hexdigest()
    asked = queries()
    assert len(set(asked)) == len(asked) >= 200
    copy = DatabaseCopy(shop, limits=QueryLimits(seconds=0.2, memory_bytes=128 << 20))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    escaped, hung = [], []
    for query in asked:
        filled = query.replace("{secret}", str(secret)).replace("{folder}", str(tmp_path))
        started = time.monotonic()
        try:
            told = str(await copy.query(filled))
        except ToolFailed as error:
            told = str(error)
        if time.monotonic() - started > 60:
            hung.append(query)
        if CANARY in told or _names(tmp_path) != ["a b#c?d", "secret"] or _names(shop.parent) != ["shop.sqlite"]:
            escaped.append(query)
        if (await copy.query("SELECT count(*), sum(price) FROM goods")).rows != ((200, 9950.0),):
            escaped.append(query)
    await copy.aclose()
    assert (escaped, hung) == ([], [])
    assert hashlib.sha256(shop.read_bytes()).hexdigest() == before
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 64 << 10, "in KiB"


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())
